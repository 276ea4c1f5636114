import { once } from 'node:events'
import { Agent, createServer, type RequestListener, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { makeFront } from './front.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

async function serve(listener: RequestListener): Promise<number> {
  const server = createServer(listener)
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** A front that hands every path under /v1 to `listener`. */
async function frontOf(listener: RequestListener): Promise<number> {
  const port = await serve(listener)
  const page = Buffer.from('<title>console</title>')
  const files = new Map([['/index.html', { body: page, headers: { 'content-type': 'text/html' } }]])
  const functionOf = (target: string) => (target.startsWith('/v1/') ? port : undefined)
  const signIn = { script: ['https://apis.google.com'], frame: ["'self'"] }
  return serve(makeFront({ files, liveOrigins: () => [], signIn, functionOf }))
}

async function send(port: number, path: string, body: string, agent: Agent | false = false) {
  const outgoing = request({ port, host: '127.0.0.1', path, method: 'POST', agent })
  outgoing.on('error', () => undefined)
  outgoing.end(body)
  const [answer] = await once(outgoing, 'response')
  let text = ''
  for await (const part of answer) text += part
  return { status: answer.statusCode, text }
}

test('front: a function gets the request as it came, with its origin and a trace', async () => {
  const port = await frontOf((incoming, answer) => {
    const { headers, url } = incoming
    incoming.resume().once('end', () => answer.end(JSON.stringify({ headers, url })))
  })
  const { text } = await send(port, '/v1/a%2Fb?c=%E0', 'x')
  expect(JSON.parse(text)).toMatchObject({
    url: '/v1/a%2Fb?c=%E0',
    headers: {
      'x-forwarded-for': '127.0.0.1',
      traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/),
    },
  })
})

test('front: an answer before the end of a request arrives, and the connection serves the next one', async () => {
  const port = await frontOf((incoming, answer) => {
    if (incoming.url === '/v1/early') answer.writeHead(413).end('too much')
    else incoming.resume().once('end', () => answer.end('fine'))
  })
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  expect(await send(port, '/v1/early', 'x'.repeat(3_000_000), agent)).toEqual({
    status: 413,
    text: 'too much',
  })
  expect(await send(port, '/v1/next', 'y', agent)).toEqual({ status: 200, text: 'fine' })
  agent.destroy()
})

test('front: a stopped function gives a 502, other paths are pages', async () => {
  const port = await frontOf((incoming) => incoming.socket.destroy())
  expect((await send(port, '/v1/me', '')).status).toBe(502)
  const page = await fetch(`http://127.0.0.1:${port}/tunnels`)
  expect(await page.text()).toContain('console')
  // Else a browser cuts the window of another service off from the page that opened it.
  expect(page.headers.get('cross-origin-opener-policy')).toBe('same-origin-allow-popups')
})
