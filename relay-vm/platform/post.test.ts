import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { post } from './post.ts'

let server: Server
let paths: string[]

beforeEach(async () => {
  paths = []
  server = createServer((request, response) => {
    paths.push(request.url ?? '')
    if (request.url === '/moved') response.writeHead(307, { location: '/elsewhere' }).end('gone')
    else request.pipe(response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

function send(path: string, body: unknown, answerBytesMax = 100) {
  const { port } = server.address() as AddressInfo
  const options = {
    headers: { authorization: 'Bearer x' },
    signal: AbortSignal.timeout(5_000),
    answerBytesMax,
  }
  return post(new URL(path, `http://127.0.0.1:${port}`), body, options)
}

test('the body goes out as JSON and the answer comes back as text', async () => {
  expect(await send('/echo', { word: 'Größe' })).toEqual({ status: 200, text: '{"word":"Größe"}' })
})

test('a redirect is returned and not followed: the credential stays here', async () => {
  expect(await send('/moved', {})).toEqual({ status: 307, text: 'gone' })
  expect(paths).toEqual(['/moved'])
})

test('an answer longer than allowed is refused', async () => {
  await expect(send('/echo', 'x'.repeat(200))).rejects.toThrow('longer than 100 bytes')
})
