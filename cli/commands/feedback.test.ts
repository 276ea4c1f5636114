import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { main } from '../main.ts'
import { version } from '../version.ts'

const sent: { url: string | undefined; body: unknown }[] = []
const server = createServer(async (request, response) => {
  sent.push({ url: request.url, body: JSON.parse(await text(request)) })
  response.writeHead(204).end()
})
beforeEach(async () => {
  sent.length = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

async function run(...args: string[]) {
  const { port } = server.address() as AddressInfo
  let said = ''
  const output = { write: (line: string) => (said += line) }
  const env = { PTUN_KEY: `pts_${'a'.repeat(43)}`, PTUN_SERVER: `http://127.0.0.1:${port}` }
  const exit = await main(['feedback', ...args], { stdout: output, stderr: output, env })
  return { exit, said }
}

test('ptun feedback: what goes along is shown, and nothing else is sent', async () => {
  const { exit, said } = await run(' More of it. ', '--yes')
  expect(exit).toBe(0)
  const system = `${process.platform} ${process.arch}`
  const attached = { ptun: version, node: process.versions.node, system }
  expect(sent).toEqual([{ url: '/v1/feedback', body: { text: 'More of it.', attached } }])
  for (const shown of ['More of it.', ...Object.values(attached)]) expect(said).toContain(shown)
})

test('ptun feedback: nothing is sent where nobody can be asked, nor a text that is too long or empty', async () => {
  for (const args of [['More of it.'], ['', '--yes'], ['x'.repeat(4_001), '--yes']])
    expect(await run(...args)).toMatchObject({ exit: 2, said: expect.stringContaining('PT-6001') })
  expect(sent).toEqual([])
})
