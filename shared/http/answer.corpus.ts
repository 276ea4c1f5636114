/** Inputs for answer.fuzz.ts and answer-parser.fuzz.ts: answers by grammar, good and slightly wrong, then spoilt. */

type Random = () => number

/** The methods of the requests that are answered. */
export const methods = ['GET', 'GET', 'GET', 'POST', 'HEAD']
const statuses = [
  '200 OK',
  '200 OK',
  '200 OK',
  '404 ',
  '500',
  '204 No Content',
  '304 x',
  '205 x',
  '101 x',
  '426 x',
]
const interim = ['HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n']
const fields = [
  'Content-Type: text/html',
  'Connection: keep-alive',
  'Connection: close',
  'connection:Upgrade, Keep-Alive',
  'Upgrade: websocket',
  'Set-Cookie: a=b',
  'X-Content-Length: 7',
  'Content-Length-: 7',
  'Trailer: A',
  'A:',
  `B: ${'c'.repeat(2_000)}`,
  'D:\t e \t',
  'Transfer-Encodings: chunked',
]
const chunkExtensions = ['', '', '', ';a', ';a=b', ';a="b c"']
const trailers = ['', '', 'A: b\r\n', 'Content-Length: 3\r\nA: b\r\n']
/** Inserted into an answer, or written over one of its bytes. */
const faults = [
  '\r',
  '\n',
  '\r\n',
  '\n\n',
  ' ',
  '\t',
  ',',
  ';',
  ':',
  '0',
  '1',
  'f',
  '\0',
  '\x80',
  '\r\n ',
  'x',
  '+',
  '-',
]

export function pick<T>(list: readonly T[], random: Random): T {
  return list[Math.floor(random() * list.length)] as T
}

function makeBody(random: Random): readonly [field: string, body: string] {
  const body = pick(
    ['', 'x', 'hello', '\r\n', '0\r\n\r\n', 'HTTP/1.1 200 OK\r\n\r\n', 'y'.repeat(300)],
    random,
  )
  if (random() < 0.1) return ['', body]
  if (random() < 0.5)
    return [pick(['Content-Length: ', 'content-length:', 'Content-LENGTH: \t'], random) + body.length, body]
  let chunks = ''
  for (let i = Math.floor(random() * 3); i > 0; i--) {
    const data = body === '' ? 'z' : body
    chunks += `${random() < 0.2 ? '0' : ''}${data.length.toString(16)}${pick(chunkExtensions, random)}\r\n${data}\r\n`
  }
  const coding = pick(
    ['chunked', 'chunked', 'chunked', 'Chunked', 'gzip, chunked', 'gzip', 'chunked, gzip'],
    random,
  )
  return [
    `Transfer-Encoding: ${coding}`,
    `${chunks}0${pick(chunkExtensions, random)}\r\n${pick(trailers, random)}\r\n`,
  ]
}

/** An answer to a request of this method, mostly a good one. */
export function makeAnswer(method: string, random: Random): string {
  const status = pick(statuses, random)
  const [framing, body] = makeBody(random)
  const lines = [framing, ...Array.from({ length: Math.floor(random() * 4) }, () => pick(fields, random))]
  if (random() < 0.03)
    lines.push(pick(['Content-Length: 3', 'Transfer-Encoding: chunked', 'Content-Length: 0'], random))
  if (random() < 0.5) lines.reverse()
  const isBodiless = method === 'HEAD' || /^(?:204|304)/.test(status)
  const version = random() < 0.1 ? 'HTTP/1.0' : 'HTTP/1.1'
  const head = lines
    .filter((line) => line !== '')
    .map((line) => `${line}\r\n`)
    .join('')
  const before = random() < 0.15 ? pick(interim, random) : ''
  return `${before}${version} ${status}\r\n${head}\r\n${isBodiless && random() < 0.9 ? '' : body}`
}

/** The same, or with one fault in it. */
export function spoil(text: string, random: Random): string {
  if (random() < 0.6) return text
  const at = Math.floor(random() * text.length)
  return text.slice(0, at) + pick(faults, random) + text.slice(at + Math.floor(random() * 3))
}
