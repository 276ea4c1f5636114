/**
 * The traffic of an http endpoint: kept connections, WebSocket, server-sent events, interim answers, bodies of any
 * length.
 */
import { request } from 'node:http'
import type { Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { type Agent, startAgent } from '../harness/agent.ts'
import { EventLog, within } from '../harness/events.ts'
import { keepAlivePool, openVisit, visit } from '../harness/http.ts'
import { visitorAddress } from '../harness/service.ts'
import { dial, readToEnd } from '../harness/sockets.ts'
import { type Handler, type HttpUpstream, startHttp } from '../harness/upstreams.ts'
import type { Context } from './context.ts'

export function describeHttp(context: Context): void {
  describe('http tunnel', () => {
    let upstream: HttpUpstream
    let agent: Agent
    let url: string

    beforeAll(async () => {
      upstream = await startHttp({
        '/early': (_request, response) =>
          void response.writeHead(413, { connection: 'close' }).end('too much'),
        '/ntlm': makeNtlm(),
      })
      agent = await startAgent(context.service, { web: { kind: 'http', upstream: upstream.port } })
      url = await agent.online('web')
    })
    afterAll(async () => {
      await agent?.stop()
      await upstream?.close()
    })

    test('a request reaches the upstream and its answer the visitor', async () => {
      const { status, body } = await visit(context.service, `${url}/hello`)
      expect({ status, body }).toEqual({ status: 200, body: 'hello' })
    })

    test('many requests share one connection of the visitor and one of the upstream', async () => {
      const pool = keepAlivePool()
      const connections = new Set(upstream.connections)
      const ports = new Set<number | undefined>()
      for (let count = 0; count < 50; count++) {
        const { body, localPort } = await visit(context.service, `${url}/echo`, {
          method: 'POST',
          body: `request ${count}`,
          pool,
        })
        expect(body).toBe(`request ${count}`)
        ports.add(localPort)
      }
      expect(ports.size).toBe(1)
      expect([...upstream.connections].filter((socket) => !connections.has(socket))).toHaveLength(1)
      pool.destroy()
    })

    test('NTLM: a connection that has signed in is its visitor’s alone', async () => {
      const pools = [keepAlivePool(), keepAlivePool()]
      const ask = (pool?: (typeof pools)[0], authorization?: string) =>
        visit(context.service, `${url}/ntlm`, {
          ...(pool && { pool }),
          headers: authorization === undefined ? {} : { authorization },
        })
      const challenges: string[] = []
      for (const pool of pools) {
        const { status, headers } = await ask(pool, 'NTLM hello')
        expect(status).toBe(401)
        challenges.push(String(headers['www-authenticate']))
      }
      for (const [index, pool] of pools.entries())
        expect((await ask(pool, `${challenges[index]} answered`)).status).toBe(200)
      for (const pool of pools) expect((await ask(pool)).body).toBe('signed in')
      expect((await ask()).status, 'a stranger').toBe(401)
      for (const pool of pools) pool.destroy()
    })

    test('the upstream gets the visitor’s address, whatever the visitor claims', async () => {
      const { body } = await visit(context.service, `${url}/headers`, {
        headers: {
          'x-forwarded-for': '203.0.113.9',
          'x-forwarded-proto': 'https',
          'x-forwarded-host': 'bank.example',
        },
      })
      const seen = JSON.parse(body)
      expect(seen['x-forwarded-for']).toBe('127.0.0.1')
      expect(seen['x-forwarded-proto']).toBe('http')
      expect(seen['x-forwarded-host']).toBe(new URL(url).host)
    })

    test('a WebSocket carries text and binary both ways', async () => {
      const { host } = new URL(url)
      const address = visitorAddress(context.service, url)
      const socket = new WebSocket(`ws://${address.host}:${address.port}/ws`, { headers: { host } })
      const messages = new EventLog<string>()
      socket.on('message', (data: Buffer, isBinary) =>
        messages.push(`${isBinary ? 'b' : 't'}:${data.toString('hex')}`),
      )
      await within(
        new Promise((resolve, reject) => {
          socket.once('open', resolve)
          socket.once('error', reject)
        }),
        'the WebSocket opens',
      )
      socket.send('hi')
      socket.send(Buffer.from([0, 255]))
      await messages.waitFor((message) => message === 't:6869', { what: 'text' })
      await messages.waitFor((message) => message === 'b:00ff', { what: 'binary' })
      const closed = new Promise((resolve) => socket.once('close', resolve))
      socket.close(1000)
      expect(await within(closed, 'the WebSocket closes')).toBe(1000)
    })

    test('a WebSocket opens on a connection that was used for requests before', async () => {
      const { host } = new URL(url)
      const socket = await dial(visitorAddress(context.service, url))
      const received = new EventLog<string>()
      socket.on('data', (chunk: Buffer) => received.push(chunk.toString('latin1')))
      const said = () => received.items.join('')
      socket.write(`GET /hello HTTP/1.1\r\nhost: ${host}\r\n\r\n`)
      await received.waitFor(() => said().includes('hello'), { what: 'the first answer' })
      socket.write(
        `GET /ws HTTP/1.1\r\nhost: ${host}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n` +
          'sec-websocket-version: 13\r\nsec-websocket-key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n\r\n',
      )
      await received.waitFor(() => said().includes(' 101 '), { what: 'the upgrade' })
      socket.destroy()
    })

    test('server-sent events arrive one by one, as they are sent', async () => {
      const stream = await openVisit(context.service, `${url}/sse`)
      const events = new EventLog<string>()
      stream.on('data', (chunk: Buffer) => events.push(chunk.toString()))
      const first = await events.waitFor((text) => text.startsWith('data: '), { what: 'the first event' })
      const { body: next } = await visit(context.service, `${url}/tick`)
      expect(Number(next)).toBe(Number(first.slice(6)) + 1)
      await events.waitFor((text) => text === `data: ${next}\n\n`, { what: 'the next event' })
      stream.destroy()
    })

    test('100-continue: the body is sent only after the upstream has asked for it', async () => {
      const order: string[] = []
      const body = await within(
        new Promise<string>((resolve, reject) => {
          const { host } = new URL(url)
          const outgoing = request({
            ...visitorAddress(context.service, url),
            method: 'POST',
            path: '/echo',
            headers: { host, expect: '100-continue', 'content-length': '4' },
            agent: false,
          })
          outgoing.once('continue', () => {
            order.push('continue')
            outgoing.end('body')
          })
          outgoing.once('response', async (response) => {
            order.push('response')
            let text = ''
            for await (const chunk of response) text += chunk
            resolve(text)
          })
          outgoing.once('error', reject)
          outgoing.flushHeaders()
        }),
        'the answer to 100-continue',
      )
      expect(body).toBe('body')
      expect(order).toEqual(['continue', 'response'])
    })

    test('an answer that comes before the end of the request reaches the visitor', async () => {
      const { host } = new URL(url)
      const socket = await dial(visitorAddress(context.service, url))
      const answer = readToEnd(socket)
      socket.write(`POST /early HTTP/1.1\r\nhost: ${host}\r\ncontent-length: 1000000\r\n\r\nstart`)
      expect((await within(answer, 'the early answer')).toString()).toMatch(/^HTTP\/1\.1 413 /)
      socket.destroy()
    })

    test('an upstream that is down gives a page with a code and a 502; the agent stays and reports it', async () => {
      const gone = await startHttp()
      const lonely = await startAgent(context.service, { lonely: { kind: 'http', upstream: gone.port } })
      const address = await lonely.online('lonely')
      await gone.close()
      const { status, body } = await visit(context.service, address)
      expect(status).toBe(502)
      expect(body).toContain('PT-6040')
      await lonely.waitFor('upstream.failed', { tunnel: 'lonely' })
      // A process that ends by itself releases its address, and then nobody has it.
      await lonely.stop('SIGKILL')
      const after = await visit(context.service, address)
      expect(after.status).toBe(503)
      // Either the connection is lost, or the tunnel is offline.
      expect(after.body).toMatch(/PT-(3021|4\d{3})/)
    })

    test('an unknown host gives a page with a code and a 404', async () => {
      const { host } = new URL(url)
      const { status, body } = await visit(context.service, url, {
        headers: { host: host.replace(/^[^.]+/, 'nobody') },
      })
      expect(status).toBe(404)
      expect(body).toMatch(/PT-4\d{3}/)
    })
  })
}

/** Signs connections in and not requests, as servers with NTLM do. */
function makeNtlm(): Handler {
  const challenges = new WeakMap<Socket, string>()
  const users = new WeakSet<Socket>()
  let last = 0
  return ({ socket, headers: { authorization } }, response) => {
    if (authorization === `${challenges.get(socket)} answered`) users.add(socket)
    if (users.has(socket)) {
      response.end('signed in')
      return
    }
    const challenge = `NTLM ${++last}`
    challenges.set(socket, challenge)
    response.writeHead(401, { 'www-authenticate': challenge }).end()
  }
}
