import { describe, expect, test } from 'vitest'
import { AnswerWatch } from './answer.ts'
import { answerHeadBytesMax } from './answer-head.ts'

type Answered = 'whole' | 'last' | 'room' | 'part'

function verdictOf(watch: AnswerWatch): Answered {
  if (watch.mayFollow) return 'whole'
  if (watch.isComplete) return 'last'
  return watch.hasRoom ? 'room' : 'part'
}

function watched(answers: readonly (readonly [method: string, ...parts: string[]])[]): Answered {
  const watch = new AnswerWatch()
  for (const [method, ...parts] of answers) {
    watch.asked(method)
    for (const part of parts) watch.heard(Buffer.from(part, 'latin1'))
  }
  return verdictOf(watch)
}

const ok = 'HTTP/1.1 200 OK\r\n'
const chunked = `${ok}Transfer-Encoding: chunked\r\n\r\n`
const long = `A: ${'b'.repeat(70_000)}\r\nServer: ${'c'.repeat(70_000)}\r\n`

const complete: readonly (readonly [name: string, verdict: Answered, method: string, answer: string])[] = [
  ['a body of the announced length', 'whole', 'GET', `${ok}Content-Length: 5\r\n\r\nhello`],
  ['a body that is still coming', 'part', 'GET', `${ok}Content-Length: 5\r\n\r\nhell`],
  ['more than was announced', 'part', 'GET', `${ok}Content-Length: 5\r\n\r\nhello!`],
  ['an empty line too many', 'part', 'GET', `${ok}Content-Length: 5\r\n\r\nhello\r\n`],
  ['no body by length', 'whole', 'GET', `${ok}content-length:0\r\n\r\n`],
  ['a length with spaces around', 'whole', 'GET', `${ok}CONTENT-LENGTH: \t0\r\n\r\n`],
  ['the last chunk', 'whole', 'GET', `${chunked}5\r\nhello\r\n0\r\n\r\n`],
  ['chunks without the last one', 'part', 'GET', `${chunked}5\r\nhello\r\n`],
  ['chunks with extensions', 'whole', 'GET', `${chunked}5;a="b";c\r\nhello\r\n000;d\r\n\r\n`],
  ['chunks with trailers', 'whole', 'GET', `${chunked}A\r\n0123456789\r\n0\r\nA: b\r\nC:\r\n\r\n`],
  ['half a trailer', 'part', 'GET', `${chunked}0\r\nA: b\r\n`],
  ['data that look like the last chunk', 'part', 'GET', `${chunked}9\r\n\r\n0\r\n\r\n\r\n\r\n`],
  ['events of a stream between two of them', 'part', 'GET', `${chunked}9\r\ndata: 1\n\n\r\n`],
  ['an end by closing', 'part', 'GET', `${ok}\r\nhello`],
  ['half a head', 'part', 'GET', `${ok}Content-Length: 0\r\n`],
  ['nothing', 'room', 'GET', ''],
  ['a HEAD answer', 'whole', 'HEAD', `${ok}Content-Length: 5\r\n\r\n`],
  ['a HEAD answer in chunks', 'whole', 'HEAD', chunked],
  ['a HEAD answer without either', 'whole', 'HEAD', `${ok}\r\n`],
  ['a body behind a HEAD answer', 'part', 'HEAD', `${ok}Content-Length: 5\r\n\r\nhello`],
  ['204', 'whole', 'GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
  ['204 with the length that says the same', 'whole', 'GET', 'HTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n'],
  [
    '304 with the length of what it stands for',
    'whole',
    'GET',
    'HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n',
  ],
  ['an interim answer alone', 'room', 'GET', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ['interim ones and half of another', 'part', 'GET', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\n'],
  [
    'an interim one and the last',
    'whole',
    'GET',
    `HTTP/1.1 103 x\r\nLink: y\r\n\r\n${ok}Content-Length: 1\r\n\r\nx`,
  ],
  ['a switch of protocols', 'part', 'GET', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
  ['an interim one of HTTP/1.0', 'part', 'GET', `HTTP/1.0 103 x\r\n\r\n${ok}Content-Length: 0\r\n\r\n`],
  ['an open tunnel', 'part', 'CONNECT', `${ok}Content-Length: 0\r\n\r\n`],
  ['a refused tunnel', 'whole', 'CONNECT', 'HTTP/1.1 403 x\r\nContent-Length: 0\r\n\r\n'],
  ['a head of 140 KB', 'whole', 'GET', `${ok}${long}Content-Length: 1\r\n\r\nx`],
  [
    'a head of 140 KB, in chunks',
    'part',
    'GET',
    `${ok}${long}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`,
  ],
  ['no reason', 'whole', 'GET', 'HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n'],
  [
    'names that are only alike',
    'part',
    'GET',
    `${ok}Content-Lengths: 0\r\nX-Content-Length: 0\r\ncontent_length: 0\r\n\r\n`,
  ],
  ['"close" (RFC 9112 9.6)', 'last', 'GET', `${ok}Connection: x, Close\r\nContent-Length: 0\r\n\r\n`],
  ['HTTP/1.0', 'last', 'GET', 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n'],
  [
    'HTTP/1.0 that goes on',
    'whole',
    'GET',
    'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n',
  ],
  ['more behind "close"', 'part', 'GET', `${ok}Connection: close\r\nContent-Length: 0\r\n\r\nH`],
]

/** What follows `200 OK`. */
const endless: readonly (readonly [name: string, rest: string])[] = [
  ['two lengths', 'Content-Length: 0\r\nContent-Length: 0\r\n\r\n'],
  ['a list of lengths', 'Content-Length: 0, 0\r\n\r\n'],
  ['a space behind a length', 'Content-Length: 0 \r\n\r\n'],
  ['a tab behind a coding', 'Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n'],
  ['a length that is no number', 'Content-Length: 0x0\r\n\r\n'],
  ['a signed length', 'Content-Length: +0\r\n\r\n'],
  ['an empty length', 'Content-Length:\r\n\r\n'],
  ['a length beyond all bounds', `Content-Length: ${'0'.repeat(16)}\r\n\r\n`],
  ['a length and chunks (RFC 9112 6.3)', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['chunks and a length', 'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n'],
  ['another coding', 'Transfer-Encoding: gzip\r\n\r\n'],
  ['chunked below another coding', 'Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n'],
  ['chunked twice', 'Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n'],
  ['chunked on two lines', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['chunked and nothing', 'Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n'],
  ['chunked with a tab', 'Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n'],
  ['a space before the colon', 'Content-Length : 0\r\n\r\n'],
  ['a folded line', 'Content-Length: 0\r\n 5\r\n\r\n'],
  ['a folded line elsewhere', 'A: b\r\n Content-Length: 5\r\nContent-Length: 0\r\n\r\n'],
  ['LF alone', 'Content-Length: 0\n\n'],
  ['LF alone at one line', 'A: b\nContent-Length: 0\r\n\r\n'],
  ['LF alone at the end', 'Content-Length: 0\r\n\n'],
  ['CR alone', 'A: b\rContent-Length: 5\r\nContent-Length: 0\r\n\r\n'],
  ['a line without a colon', 'nonsense\r\nContent-Length: 0\r\n\r\n'],
  ['a NUL', 'A: \0\r\nContent-Length: 0\r\n\r\n'],
  ['a size that is none', 'Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n'],
  ['a size with a space', 'Transfer-Encoding: chunked\r\n\r\n0 \r\n\r\n'],
  ['an empty size', 'Transfer-Encoding: chunked\r\n\r\n\r\n\r\n'],
  ['a size of thirteen digits', `Transfer-Encoding: chunked\r\n\r\n${'0'.repeat(13)}\r\n\r\n`],
  ['more data than the size says', 'Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n'],
  ['chunks with LF alone', 'Transfer-Encoding: chunked\r\n\r\n1\na\n0\n\n'],
  ['a length in a trailer', 'Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 9\r\n\r\n'],
  ['a trailer without a colon', 'Transfer-Encoding: chunked\r\n\r\n0\r\nnonsense\r\n\r\n'],
  ['a head beyond the limit', `A: ${'b'.repeat(answerHeadBytesMax)}\r\nContent-Length: 0\r\n\r\n`],
]

describe('answer watch: what is complete', () => {
  test.each(complete)('%s: %s', (_name, verdict, method, answer) => {
    expect(watched([[method, answer]])).toBe(verdict)
    if (answer.length < 10_000) expect(watched([[method, ...answer]])).toBe(verdict)
    for (let cut = 1; cut < answer.length; cut += Math.ceil(answer.length / 200))
      expect(watched([[method, answer.slice(0, cut), answer.slice(cut)]])).toBe(verdict)
  })

  test.each(endless)('%s: nothing may follow, ever', (_, rest) => {
    const whole = `${ok}Content-Length: 0\r\n\r\n`
    expect(watched([['GET', ok + rest]])).toBe('part')
    expect(
      watched([
        ['GET', ok + rest, whole],
        ['GET', whole],
      ]),
    ).toBe('part')
  })

  test.each([
    ['another version', 'HTTP/2 200 OK'],
    ['a longer version', 'HTTP/1.10 200 OK'],
    ['HTTP/1.2', 'HTTP/1.2 200 OK'],
    ['lower case', 'http/1.1 200 OK'],
    ['a status of two digits', 'HTTP/1.1 20 OK'],
    ['a status of four', 'HTTP/1.1 2000 OK'],
    ['a status below 100', 'HTTP/1.1 099 OK'],
    ['ICY', 'ICY 200 OK'],
    ['an empty line before', '\r\nHTTP/1.1 200 OK'],
    ['HTTP/0.9', '<html>'],
  ])('an invalid status line: %s', (_, line) => {
    expect(watched([['GET', `${line}\r\nContent-Length: 0\r\n\r\n`]])).toBe('part')
  })

  test.each(['100', '103', '204'])('%s with a body, which only some expect', (status) => {
    const head = `HTTP/1.1 ${status} x\r\n`
    expect(watched([['GET', `${head}Content-Length: 5\r\n\r\n`]])).toBe('part')
    expect(watched([['GET', `${head}Transfer-Encoding: chunked\r\n\r\n`]])).toBe('part')
  })
})

describe('answer watch: several requests', () => {
  const one = `${ok}Content-Length: 1\r\n\r\nx`

  test('each counts anew', () => {
    expect(watched([['GET', one], ['GET']])).toBe('room')
    expect(
      watched([
        ['GET', one],
        ['GET', one],
      ]),
    ).toBe('whole')
  })

  test('pipelined requests are answered in order', () => {
    const head = `${ok}Content-Length: 5\r\n\r\n`
    expect(watched([['GET'], ['HEAD'], ['GET', one]])).toBe('part')
    expect(watched([['GET'], ['HEAD'], ['GET', one, head]])).toBe('room')
    expect(watched([['GET'], ['HEAD'], ['GET', one, head, one]])).toBe('whole')
    expect(watched([['GET'], ['HEAD'], ['GET', one + head + one]])).toBe('whole')
  })

  test('an answer without a request belongs to nobody', () => {
    expect(watched([['GET', one, one]])).toBe('part')
    expect(watched([['GET', one, one], ['GET']])).toBe('part')
  })

  test('more requests than anybody sends are not counted', () => {
    const many = Array.from({ length: 1_001 }, () => ['GET'] as const)
    expect(watched([...many.slice(1), ['GET', one.repeat(1_001)]])).toBe('part')
    expect(watched([...many.slice(2), ['GET', one.repeat(1_000)]])).toBe('whole')
  })
})
