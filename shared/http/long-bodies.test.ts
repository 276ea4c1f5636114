/** Bodies of more bytes than 32 bits can count, as people upload and download them. */
import { expect, test } from 'vitest'
import { AnswerWatch } from './answer.ts'
import { RequestScanner } from './scanner.ts'

const piece = Buffer.alloc(1024 * 1024)
const pieces = 4_608
const total = pieces * piece.length
const next = 'GET /next HTTP/1.1\r\nHost: a.test\r\n\r\n'

const framings = [
  { by: 'by its length', field: `Content-Length: ${total}`, before: '', after: '' },
  {
    by: 'in one chunk',
    field: 'Transfer-Encoding: chunked',
    before: `${total.toString(16)}\r\n`,
    after: '\r\n0\r\n\r\n',
  },
]

test.each(framings)('an upload of 4.5 GiB ends at its last byte: $by', ({ field, before, after }) => {
  const scanner = new RequestScanner()
  let bytes = 0
  const said: string[] = []
  const take = (chunk: Buffer) => {
    scanner.push(chunk)
    for (let event = scanner.next(); event; event = scanner.next())
      if (event.kind === 'body') {
        bytes += event.bytes.length
        if (event.isLast) said.push('end')
      } else said.push(event.kind === 'head' ? event.method : event.key)
    scanner.own()
  }
  take(Buffer.from(`POST / HTTP/1.1\r\nHost: a.test\r\n${field}\r\n\r\n${before}`))
  for (let n = 1; n < pieces; n++) take(piece)
  take(piece.subarray(1))
  expect(said).toEqual(['POST'])
  take(Buffer.concat([piece.subarray(0, 1), Buffer.from(`${after}${next}`)]))
  expect([said, bytes]).toEqual([['POST', 'end', 'GET'], before.length + total + after.length])
})

test.each(framings)(
  'an answer of 4.5 GiB is complete with its last byte: $by',
  ({ field, before, after }) => {
    const watch = new AnswerWatch()
    watch.asked('GET')
    watch.heard(Buffer.from(`HTTP/1.1 200 OK\r\n${field}\r\n\r\n${before}`))
    for (let n = 1; n < pieces; n++) watch.heard(piece)
    watch.heard(piece.subarray(1))
    expect([watch.isComplete, watch.isLost]).toEqual([false, false])
    watch.heard(Buffer.concat([piece.subarray(0, 1), Buffer.from(after)]))
    expect([watch.isComplete, watch.mayFollow]).toEqual([true, true])
  },
)
