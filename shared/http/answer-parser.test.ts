import { describe, expect, test } from 'vitest'
import { answerHeadBytesMax } from './answer-head.ts'
import { AnswerParser, type Fields, type ReceivedHead } from './answer-parser.ts'
import { trailerBytesMax } from './chunks.ts'

type Options = { readonly method?: string; readonly keepsChunks?: boolean; readonly end?: boolean }

function textOf({ bytes, fields }: Fields): string {
  return fields
    .map((field) => {
      const name = bytes.toString('latin1', field.start, field.nameEnd)
      return `${name}=${bytes.toString('latin1', field.valueStart, field.valueEnd)}`
    })
    .join(' ')
}

function headText(head: ReceivedHead): string {
  const last = head.isLast ? ' last' : ''
  return `${head.isInterim ? 'interim ' : ''}${head.status} ${head.body}${last} ${textOf(head)}`.trim()
}

/** What the parser tells, one word each; parts of a body that follow each other are one. */
function read(parts: readonly string[], { method = 'GET', keepsChunks = false, end }: Options = {}) {
  const told: string[] = []
  const parser = new AnswerParser(
    {
      onHead: (head) => told.push(headText(head)),
      onBody: (bytes) => {
        const text = bytes.toString('latin1')
        if (told.at(-1)?.startsWith('body ')) told[told.length - 1] += text
        else told.push(`body ${text}`)
      },
      onEnd: (trailers) => told.push(trailers ? `end ${textOf(trailers)}` : 'end'),
      onBroken: () => told.push('broken'),
    },
    { keepsChunks },
  )
  parser.asked(method)
  for (const part of parts) parser.heard(Buffer.from(part, 'latin1'))
  if (end) parser.ended()
  return { told, mayFollow: parser.mayFollow }
}

const ok = 'HTTP/1.1 200 OK\r\n'
const chunked = `${ok}Transfer-Encoding: chunked\r\n\r\n`
const coded = '200 chunked Transfer-Encoding=chunked'

const good: readonly (readonly [name: string, told: readonly string[], answer: string, options?: Options])[] =
  [
    [
      'a body of the announced length',
      ['200 5 Content-Length=5', 'body hello', 'end'],
      `${ok}Content-Length: 5\r\n\r\nhello`,
    ],
    ['no body', ['200 0 content-length=0', 'end'], `${ok}content-length:0\r\n\r\n`],
    [
      'fields in their order, with their case, twice',
      ['200 0 B=1 a=2 B=3 Content-Length=0', 'end'],
      `${ok}B: 1\r\na:\t2 \r\nB:3\r\nContent-Length: 0\r\n\r\n`,
    ],
    ['chunks', [coded, 'body hello world', 'end'], `${chunked}5\r\nhello\r\n6;a="b"\r\n world\r\n0\r\n\r\n`],
    [
      'trailers',
      [coded, 'body x', 'end grpc-status=0 Grpc-Message=fine'],
      `${chunked}1\r\nx\r\n0\r\ngrpc-status: 0\r\nGrpc-Message: fine\r\n\r\n`,
    ],
    ['trailers without a body', [coded, 'end A=b'], `${chunked}0\r\nA: b\r\n\r\n`],
    [
      'interim answers',
      ['interim 100 0', 'interim 103 0 Link=</a>', '204 0', 'end'],
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nLink: </a>\r\n\r\nHTTP/1.1 204 x\r\n\r\n',
    ],
    ['HEAD', ['200 0 Content-Length=5', 'end'], `${ok}Content-Length: 5\r\n\r\n`, { method: 'HEAD' }],
    ['HEAD of chunks', ['200 0 Transfer-Encoding=chunked', 'end'], chunked, { method: 'HEAD' }],
    ['304', ['304 0 Content-Length=5', 'end'], 'HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n'],
    ['a body until the end', ['200 untilEnd', 'body hello', 'end'], `${ok}\r\nhello`, { end: true }],
    ['an empty one', ['200 untilEnd', 'end'], `${ok}\r\n`, { end: true }],
    [
      'another protocol behind 101',
      ['101 untilEnd Upgrade=x', 'body \x81\x00HTTP/1.1'],
      'HTTP/1.1 101 x\r\nUpgrade: x\r\n\r\n\x81\x00HTTP/1.1',
    ],
    [
      'the last answer',
      ['200 1 last Connection=close Content-Length=1', 'body x', 'end'],
      `${ok}Connection: close\r\nContent-Length: 1\r\n\r\nx`,
      { end: true },
    ],
    [
      'chunks as they were sent',
      [coded, 'body 1;a\r\nx\r\n0\r\nA: b\r\n\r\n', 'end A=b'],
      `${chunked}1;a\r\nx\r\n0\r\nA: b\r\n\r\n`,
      { keepsChunks: true },
    ],
  ]

/** Each breaks at the head or in the body; what is in front of it was told. */
const bad: readonly (readonly [name: string, answer: string, options?: Options])[] = [
  ['a coding besides chunked', `${ok}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
  ['a coding without chunked', `${ok}Transfer-Encoding: gzip\r\n\r\n`],
  ['a coding spelt for CGI', `${ok}Transfer_Encoding: gzip\r\nContent-Length: 0\r\n\r\n`],
  ['a length and chunks', `${ok}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['two lengths', `${ok}Content-Length: 0\r\nContent-Length: 0\r\n\r\n`],
  ['chunks in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['a folded line', `${ok}A: b\r\n c\r\nContent-Length: 0\r\n\r\n`],
  ['LF alone', `${ok}A: b\nContent-Length: 0\r\n\r\n`],
  ['a NUL', `${ok}A: \0\r\nContent-Length: 0\r\n\r\n`],
  ['a name with a space', `${ok}A : b\r\nContent-Length: 0\r\n\r\n`],
  ['HTTP/2.0', 'HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n'],
  ['a preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['a size that is none', `${chunked}x\r\n`],
  ['a size of 13 digits', `${chunked}0000000000001\r\nx\r\n`],
  ['a long line of a size', `${chunked}1;${'a'.repeat(600)}\r\nx\r\n`],
  ['a long line without an end', `${chunked}1;${'a'.repeat(600)}`],
  ['more data than the size says', `${chunked}1\r\nxy\r\n`],
  ['a length among the trailers', `${chunked}0\r\nContent-Length: 3\r\n\r\n`],
  ['a trailer that routes', `${chunked}0\r\nHost: a\r\n\r\n`],
  [
    'too many trailers',
    `${chunked}0\r\n${`A: ${'b'.repeat(1_000)}\r\n`.repeat(trailerBytesMax / 1_000)}\r\n`,
  ],
  ['a head beyond the limit', `${ok}A: ${'b'.repeat(answerHeadBytesMax)}`],
  ['interim answers without an end', 'HTTP/1.1 103 x\r\n\r\n'.repeat(1_001)],
  ['an answer that nobody asked for', `${ok}Content-Length: 0\r\n\r\n${ok}Content-Length: 0\r\n\r\n`],
  ['more behind the last answer', `${ok}Connection: close\r\nContent-Length: 0\r\n\r\nx`],
  ['an end in the head', ok, { end: true }],
  ['an end in the body', `${ok}Content-Length: 5\r\n\r\nhell`, { end: true }],
  ['an end before the last chunk', `${chunked}1\r\nx\r\n`, { end: true }],
  ['an end in the trailers', `${chunked}0\r\nA: b\r\n`, { end: true }],
]

describe('answer parser', () => {
  test.each(good.map(([name, ...rest]) => ({ name, rest })))('$name', ({ rest: [told, answer, options] }) => {
    expect(read([answer], options).told).toEqual(told)
    expect(read([...answer], options).told).toEqual(told)
    for (let cut = 1; cut < answer.length; cut++)
      expect(read([answer.slice(0, cut), answer.slice(cut)], options).told).toEqual(told)
  })

  test.each(bad.map(([name, ...rest]) => ({ name, rest })))(
    '$name is broken, for good',
    ({ rest: [answer, options] }) => {
      const { told, mayFollow } = read([answer, `${ok}Content-Length: 0\r\n\r\n`], options)
      expect(told.at(-1)).toBe('broken')
      expect(told.filter((word) => word === 'broken')).toHaveLength(1)
      expect(mayFollow).toBe(false)
      if (answer.length < 10_000) expect(read([...answer], options).told.at(-1)).toBe('broken')
    },
  )

  test('reads one answer after the other, each by its own request', () => {
    const told: string[] = []
    const parser = new AnswerParser({
      onHead: (head) => told.push(headText(head)),
      onBody: (bytes) => told.push(`body ${bytes}`),
      onEnd: () => told.push('end'),
      onBroken: () => told.push('broken'),
    })
    parser.asked('GET')
    parser.asked('HEAD')
    parser.asked('GET')
    expect(parser.mayFollow).toBe(false)
    parser.heard(
      Buffer.from(
        `${chunked}1\r\nx\r\n0\r\n\r\n${ok}Content-Length: 9\r\n\r\n${ok}Content-Length: 1\r\n\r\ny`,
      ),
    )
    expect(told).toEqual([
      coded,
      'body x',
      'end',
      '200 0 Content-Length=9',
      'end',
      '200 1 Content-Length=1',
      'body y',
      'end',
    ])
    expect(parser.mayFollow).toBe(true)
    parser.ended()
    expect(told.at(-1)).toBe('end')
  })

  test('a head is the reader’s to keep, whatever becomes of the bytes that came', () => {
    const heads: ReceivedHead[] = []
    const parser = new AnswerParser({
      onHead: (head) => heads.push(head),
      onBody() {},
      onEnd() {},
      onBroken() {},
    })
    parser.asked('GET')
    parser.asked('GET')
    const bytes = Buffer.from(`${ok}A: b\r\nContent-Length: 0\r\n\r\n`)
    parser.heard(bytes)
    parser.heard(Buffer.from(bytes.subarray(0, 20)))
    parser.heard(Buffer.from(bytes.subarray(20)))
    bytes.fill(0)
    expect(heads.map(headText)).toEqual(Array(2).fill('200 0 A=b Content-Length=0'))
    expect(heads[1]?.bytes.toString()).toBe(`${ok}A: b\r\nContent-Length: 0\r\n\r\n`)
  })
})
