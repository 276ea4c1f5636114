import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { answerUpgrade, UpgradeReader } from './upgrade.ts'

const switched = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'
const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n'

const cases: readonly (readonly [string, string, 'upgraded' | 'plain' | undefined])[] = [
  ['a switch', switched, 'upgraded'],
  ['a switch with the first bytes of the new protocol', `${switched}\x81\x05hello`, 'upgraded'],
  ['a switch after interim answers', `HTTP/1.1 100 Continue\r\n\r\n${hints}${switched}`, 'upgraded'],
  ['a switch by a server that ends lines with LF', switched.replaceAll('\r\n', '\n'), 'upgraded'],
  ['a switch in HTTP/1.0', switched.replace('1.1', '1.0'), 'upgraded'],
  ['an ordinary answer', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', 'plain'],
  ['a refusal', 'HTTP/1.1 426 Upgrade Required\r\n\r\n', 'plain'],
  ['an ordinary answer after an interim one', `${hints}HTTP/1.1 200 OK\r\n\r\n`, 'plain'],
  ['an ordinary answer that quotes a switch', `HTTP/1.1 200 OK\r\n\r\n${switched}`, 'plain'],
  ['an interim answer whose field quotes a switch', `HTTP/1.1 103 x\r\nA: ${hints.slice(0, 20)}`, undefined],
  ['something that is not HTTP', 'SSH-2.0-OpenSSH_9.9\r\n', 'plain'],
  ['HTTP/2', 'HTTP/2.0 101 x\r\n\r\n', 'plain'],
  ['a status of letters', 'HTTP/1.1 1x1 no\r\n\r\n', 'plain'],
  ['a head over 64 KiB', `${switched.slice(0, 40)}${'a'.repeat(70_000)}\r\n\r\n`, 'plain'],
  ['interim answers without end', hints.repeat(2_000), 'plain'],
  ['an incomplete switch', switched.slice(0, -1), undefined],
  ['nothing', '', undefined],
]

describe('upgrade reader', () => {
  test.each(cases)('%s', (_, text, answer) => {
    expect(read([text])).toBe(answer)
  })

  test('any split gives the same answer', () => {
    for (const [name, text, answer] of cases) {
      if (text.length > 1_000) continue
      expect(read([...text]), name).toBe(answer)
      for (let cut = 1; cut < text.length; cut++)
        expect(read([text.slice(0, cut), text.slice(cut)]), `${name}, cut at ${cut}`).toBe(answer)
    }
  })
})

test('upgrade: the answer is told once, and no byte is kept from other readers', async () => {
  const server = createServer((socket) =>
    socket.on('error', () => undefined).end(`${hints}${switched}raw`),
  ).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const socket: Socket = connect({ port: (address as { port: number }).port, host: '127.0.0.1' })
  socket.pause()
  const told: string[] = []
  answerUpgrade(socket, { answeredUpgrade: (answer) => told.push(answer) })
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.resume()
  await once(socket, 'close')
  server.close()
  expect(told).toEqual(['upgraded'])
  expect(Buffer.concat(chunks).toString()).toBe(`${hints}${switched}raw`)
})

function read(parts: readonly string[]): 'upgraded' | 'plain' | undefined {
  const reader = new UpgradeReader()
  for (const part of parts) {
    const answer = reader.read(Buffer.from(part, 'latin1'))
    if (answer !== undefined) return answer
  }
  return undefined
}
