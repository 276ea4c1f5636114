/** Any bytes give an answer or nothing: no exception, no loop, never more than a few records. */
import { encode } from 'dns-packet'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeQuestion, readAnswer } from './message.ts'

const good = encode({
  type: 'response',
  id: 7,
  questions: [{ type: 'TXT', name: 'app.example.com' }],
  answers: [
    { type: 'CNAME', name: 'app.example.com', data: 'x.to.tunnels.example.net' },
    { type: 'TXT', name: 'app.example.com', data: ['ptun1=', 'abc'] },
    { type: 'CAA', name: 'app.example.com', data: { flags: 0, tag: 'issue', value: 'ca.example' } },
    { type: 'A', name: 'app.example.com', data: '192.0.2.1' },
    { type: 'AAAA', name: 'app.example.com', data: '2001:db8::1' },
  ],
})

test('a good answer is read, and a text in parts is joined', () => {
  const answer = readAnswer(good)
  expect(answer?.answers.map(({ type, value }) => `${type} ${value}`)).toEqual([
    'CNAME x.to.tunnels.example.net',
    'TXT ptun1=abc',
    'CAA issue ca.example',
    'A 192.0.2.1',
    'AAAA 2001:db8::1',
  ])
})

test('changed, cut and random bytes never throw', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 600 }),
    fc
      .array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 })
      .map((changes) => changes.reduce((copy, [at, to]) => copy.with(at, to), new Uint8Array(good))),
    fc.nat(good.length).map((length) => new Uint8Array(good.subarray(0, length))),
  )
  void fc.assert(
    fc.property(bytes, (message) => {
      const answer = readAnswer(message)
      for (const { name, value } of [...(answer?.answers ?? []), ...(answer?.authority ?? [])]) {
        expect(typeof name).toBe('string')
        expect(typeof value).toBe('string')
      }
    }),
    { numRuns: 20_000 },
  )
})

test('names that point at themselves are refused, and a question is not an answer', () => {
  const loop = Buffer.from(good)
  loop.writeUInt16BE(0xc00c, 12)
  expect(readAnswer(loop)).toBeUndefined()
  expect(readAnswer(encodeQuestion({ name: 'app.example.com', type: 'TXT' }, 1, true))).toBeUndefined()
})
