/**
 * TLS from visitors. In a tls tunnel it ends at the upstream, and nobody between can read it. In an http tunnel it ends
 * at the relay, and the upstream is told that it was used.
 */
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { connect } from 'node:tls'
import { claimResultSchema, type RelayAddress } from '@porttunneler/shared/api/schemas/tunnels'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { type Agent, startAgent } from '../harness/agent.ts'
import { within } from '../harness/events.ts'
import { callApi, visitorAddress } from '../harness/service.ts'
import { dial, endOf } from '../harness/sockets.ts'
import { startTlsUpstream, type TlsUpstream } from '../harness/tls-upstream.ts'
import { receiveHashed, sendHashed } from '../harness/transfer.ts'
import { type HttpUpstream, startHttp } from '../harness/upstreams.ts'
import type { Context } from './context.ts'

const transferBytes = 16 * 1024 ** 2

export function describeTls(context: Context): void {
  describe('tls tunnel', () => {
    let upstream: TlsUpstream
    let agent: Agent
    let url: URL

    beforeAll(async () => {
      upstream = await startTlsUpstream('vault.localhost')
      agent = await startAgent(context.service, { vault: { kind: 'tls', upstream: upstream.port } })
      url = new URL(await agent.online('vault'))
    })
    afterAll(async () => {
      await agent?.stop()
      await upstream?.close()
    })

    test('its URL is the host name at the TLS port', () => {
      expect(url.protocol).toBe('tls:')
      expect(url.hostname).toMatch(/^vault\./)
      expect(url.port).not.toBe('')
    })

    test('the visitor sees the certificate of the upstream, and bytes go both ways unchanged', async () => {
      const { identity } = upstream
      const address = visitorAddress(context.service, url.href)
      const socket = connect({ ...address, servername: url.hostname, ca: identity.certificate })
      await within(once(socket, 'secureConnect'), 'the handshake with the upstream')
      expect({
        authorized: socket.authorized,
        protocol: socket.getProtocol(),
        alpn: socket.alpnProtocol,
      }).toEqual({
        authorized: true,
        protocol: 'TLSv1.3',
        alpn: false,
      })
      const received = receiveHashed(socket)
      const sent = await sendHashed(socket, { bytes: transferBytes, seed: 5 })
      expect(await within(received, 'the echo')).toEqual({ sha256: sent, bytes: transferBytes })
    })

    test('a protocol that the relay does not speak is agreed on between visitor and upstream', async () => {
      const { identity } = upstream
      const address = visitorAddress(context.service, url.href)
      const socket = connect({
        ...address,
        servername: url.hostname,
        ca: identity.certificate,
        ALPNProtocols: ['h2', 'http/1.1'],
      })
      await within(once(socket, 'secureConnect'), 'the handshake with the upstream')
      expect(socket.alpnProtocol).toBe('h2')
      socket.destroy()
    })

    test('a visitor who speaks no TLS never reaches the upstream', async () => {
      const before = upstream.accepted()
      const socket = await dial(visitorAddress(context.service, url.href))
      socket.write(`GET / HTTP/1.1\r\nHost: ${url.hostname}\r\n\r\n`)
      await within(endOf(socket), 'the refusal')
      expect(upstream.accepted()).toBe(before)
    })
  })

  describe('http tunnel over HTTPS', () => {
    let upstream: HttpUpstream
    let agent: Agent
    let host: string
    let relay: RelayAddress

    beforeAll(async () => {
      upstream = await startHttp()
      agent = await startAgent(context.service, { sealed: { kind: 'http', upstream: upstream.port } })
      host = new URL(await agent.online('sealed')).hostname
      relay = await relayAddress(context)
    })
    afterAll(async () => {
      await agent?.stop()
      await upstream?.close()
    })
    /**
     * Options for HTTPS that trust only the relay's own certificate. Node accepts no wildcard for two labels, so the
     * test checks the name in the certificate itself.
     */
    const secure = () => ({
      ...context.service.addressOf(host, relay.port),
      servername: host,
      headers: { host: `${host}:${relay.port}` },
      ...(relay.certificate !== undefined && { ca: relay.certificate }),
      checkServerIdentity: (_name: string, { subjectaltname = '' }: { subjectaltname?: string }) =>
        subjectaltname.includes(`DNS:*.${host.slice(host.indexOf('.') + 1)}`)
          ? undefined
          : new Error(`the certificate is for ${subjectaltname}`),
    })
    const get = async (path: string) => {
      const outgoing = request({ ...secure(), path, agent: false }).end()
      const [answer] = (await within(once(outgoing, 'response'), `GET ${path}`)) as [IncomingMessage]
      let body = ''
      for await (const chunk of answer) body += String(chunk)
      return { status: answer.statusCode, body }
    }

    test('a request is answered under a certificate for the name', async () => {
      expect(await get('/hello')).toEqual({ status: 200, body: 'hello' })
    })

    test('the upstream is told that the visitor came by HTTPS', async () => {
      const { body } = await get('/headers')
      expect(JSON.parse(body)).toMatchObject({
        'x-forwarded-proto': 'https',
        host: `${host}:${relay.port}`,
      })
    })

    test('a WebSocket opens over TLS', async () => {
      const address = context.service.addressOf(host, relay.port)
      const socket = new WebSocket(`wss://${address.host}:${address.port}/ws`, secure())
      await within(once(socket, 'open'), 'the WebSocket')
      socket.send('over TLS')
      const [said] = await within(once(socket, 'message'), 'the echo')
      expect(String(said)).toBe('over TLS')
      socket.close()
      await within(once(socket, 'close'), 'the end')
    })
  })
}

/** The first relay's address, from the directory that comes with a lease. */
async function relayAddress({ service }: Context): Promise<RelayAddress> {
  const claim = { agent: 'agt_00000000000000000000000001', tunnels: [{ name: 'directory', kind: 'tcp' }] }
  const { relays } = claimResultSchema.parse(await callApi(service, 'POST', '/v1/leases', claim))
  const [relay] = relays
  if (!relay) throw new Error('the directory is empty')
  return relay
}
