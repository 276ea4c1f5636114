/** Upstreams with the PROXY protocol learn who the visitor is: nginx answers with what it was told. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Agent, startAgent } from '../harness/agent.ts'
import { within } from '../harness/events.ts'
import { visit } from '../harness/http.ts'
import { type Nginx, startNginx } from '../harness/nginx.ts'
import { visitorAddress } from '../harness/service.ts'
import { dial, readToEnd } from '../harness/sockets.ts'
import { describeWith } from '../requirements.ts'
import type { Context } from './context.ts'

export function describeProxyProtocol(context: Context): void {
  describeWith(['nginx'], 'PROXY protocol towards nginx', () => {
    let nginx: Nginx
    let agent: Agent

    beforeAll(async () => {
      nginx = await startNginx()
      const { port: upstream } = nginx
      agent = await startAgent(context.service, {
        'line-tcp': { kind: 'tcp', upstream, proxyProtocol: 'v1' },
        'block-tcp': { kind: 'tcp', upstream, proxyProtocol: 'v2' },
        'line-http': { kind: 'http', upstream, proxyProtocol: 'v1' },
        'block-http': { kind: 'http', upstream, proxyProtocol: 'v2' },
        headless: { kind: 'tcp', upstream },
      })
    })
    afterAll(async () => {
      await agent?.stop()
      await nginx?.close()
    })

    test.each(['line-tcp', 'block-tcp'])('%s: a tcp tunnel tells address and port', async (name) => {
      const address = visitorAddress(context.service, await agent.online(name))
      const socket = await dial(address)
      const answer = readToEnd(socket)
      socket.write('GET / HTTP/1.0\r\n\r\n')
      const { localAddress, localPort } = socket
      expect((await within(answer, 'the answer')).toString()).toMatch(
        new RegExp(`^HTTP/1.1 200 OK\r\n[^]*\r\n\r\n${localAddress} ${localPort} ${address.port}$`),
      )
    })

    test.each(['line-http', 'block-http'])('%s: an http tunnel tells address and port', async (name) => {
      const url = await agent.online(name)
      const { status, body, localPort } = await visit(context.service, `${url}/`)
      const { host, port } = visitorAddress(context.service, url)
      expect({ status, body }).toEqual({ status: 200, body: `${host} ${localPort} ${port}` })
    })

    test('without the option nginx gets no header', async () => {
      const socket = await dial(visitorAddress(context.service, await agent.online('headless')))
      const answer = readToEnd(socket).catch(() => Buffer.alloc(0))
      socket.write('GET / HTTP/1.0\r\n\r\n')
      expect((await within(answer, 'the end')).toString()).not.toContain('200 OK')
    })
  })
}
