/** Inputs for scanner.fuzz.ts: sequences of requests by grammar, good and slightly wrong, then mutated byte by byte. */
import { Buffer } from 'node:buffer'

/** mulberry32: small, seeded, good enough to vary inputs; the same seed gives the same inputs. */
export function makeRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const methods = [
  'GET',
  'GET',
  'POST',
  'POST',
  'PUT',
  'HEAD',
  'OPTIONS',
  'DELETE',
  'PATCH',
  'QUERY',
  'CONNECT',
]
const targets = [
  '/caf\xc3\xa9',
  '/\xe9',
  'http://a.test:80/',
  'http://a.test:/',
  'https://A.test./',
  'http://b.test',
  '/',
  '/a?b=c',
  '/a|b[c]\\d',
  '/%20',
  '*',
  'http://a.test/',
  'HTTP://a.test:80',
  '/a#b',
  '//',
]
const versions = [
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/1.2',
  'HTTP/2.0',
  'http/1.1',
]
const hosts = [
  'a.test:',
  'a.test ',
  'a.test',
  'a.test',
  'a.test',
  'A.test:80',
  'b.test',
  'a.test.',
  '[::1]:8080',
  'a_b',
  '',
  'a b',
]
const fields = [
  'Connection: keep-alive',
  'Connection: close',
  'Connection: close, keep-alive',
  'Connection: Upgrade',
  'Connection: upgrade, HTTP2-Settings',
  'Connection: x-forwarded-for',
  'Connection: close x',
  'Connection: keep-alive\t',
  'Connection:\tclose',
  'Connection: ,close',
  'Connection: keep-alive,, upgrade ,',
  'Connection: , x-real-ip',
  'Connection:',
  'Proxy-Connection: close',
  'Upgrade: websocket',
  'Upgrade: h2c',
  'Upgrade: foo, bar/1',
  'HTTP2-Settings: AAMAAABkAAQAAP__',
  'Expect: 100-continue',
  'Expect: something',
  'X-Forwarded-For: 203.0.113.9',
  'x_forwarded_for: 203.0.113.9',
  'X-FORWARDED-Anything: 1',
  'Forwarded: for=203.0.113.9',
  'X-Real-IP: 203.0.113.9',
  'X-PortTunneler-Admin: 1',
  'X-Client_IP: 203.0.113.9',
  'CF-Connecting-IP: 203.0.113.9',
  'Accept: */*',
  'Cookie: a="b"; c=\xe4',
  'Empty:',
  'Spaces: \t x \t ',
  'Trailer: Digest',
  'TE: trailers',
  'Content_Length: 3',
  'Transfer-Encoding: gzip',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding:chunked ',
  'Transfer-Encoding: chunked\t',
  'Content-Length: 3',
  'Content-Length: 0',
  'content-length:\t003',
]
const codings = ['Transfer-Encoding: chunked', 'transfer-encoding:Chunked', 'Transfer-Encoding: chunked\t']
const lengths = ['Content-Length: 5', 'Content-Length: 5', 'content-length:\t05', 'Content-Length: 5\t']
const extensions = ['', '', '', ';a', ';a=b', ';a="b c"', ';a="\\""', ';a=b;c="d"', ';', ' ;a', ';a="', ';=b']
const trailers = [
  '',
  '',
  '',
  'Digest: x\r\n',
  'A: b\r\nC: d\r\n',
  'Content-Length: 5\r\n',
  'X-Real-IP: 1\r\n',
  ' a\r\n',
]
const usual = Array<string>(12).fill('')
const gaps = [...usual, '\r\n', '\r\n', '\r\n', '\r\n\r\n', '\n', '\r', '\r\n ']
const interesting = Buffer.from('\r\n\t :,;0aA_-/?#"\\[]@%\0\x7f\xff\x85', 'latin1')

export function makeInput(random: () => number): Buffer {
  // RFC 9112 section 2.2: empty lines before a request.
  const requests = Array.from(
    { length: 1 + below(random, 4) },
    () => `${pick(random, gaps)}${makeRequest(random)}`,
  )
  const bytes = Buffer.from(requests.join(''), 'latin1')
  // Half of the inputs stay as the grammar made them, so that complete sequences are often accepted.
  return random() < 0.5 ? bytes : mutate(bytes, random)
}

function makeRequest(random: () => number): string {
  const line = `${pick(random, methods)} ${pick(random, targets)} ${pick(random, versions)}`
  const isPlain = random() < 0.6
  const head = [isPlain ? `${pick(random, ['GET', 'POST'])} /plain HTTP/1.1` : line]
  // RFC 9112 section 3.2.2: with an absolute target Host may be missing.
  if (isPlain || random() < 0.95) head.push(`Host: ${isPlain ? 'a.test' : pick(random, hosts)}`)
  for (let i = below(random, 4); i > 0; i--)
    head.push(
      pick(
        random,
        isPlain
          ? fields.slice(fields.indexOf('Expect: 100-continue'), fields.indexOf('TE: trailers'))
          : fields,
      ),
    )
  const form = random()
  if (form < 0.3) return `${head.join('\r\n')}\r\n\r\n`
  if (form < 0.6) return `${[...head, pick(random, lengths)].join('\r\n')}\r\n\r\nhe\r\no`
  return `${[...head, pick(random, codings)].join('\r\n')}\r\n\r\n${makeChunks(random)}`
}

function makeChunks(random: () => number): string {
  let text = ''
  for (let i = below(random, 3); i > 0; i--) {
    const data = 'x\r\n0\r\n\r\nGET / '.repeat(2).slice(0, 1 + below(random, 26))
    text += `${data.length.toString(16)}${pick(random, extensions)}\r\n${data}\r\n`
  }
  return `${text}0${pick(random, extensions)}\r\n${pick(random, trailers)}\r\n`
}

function mutate(bytes: Buffer, random: () => number): Buffer {
  let mutated = bytes
  for (let i = 1 + below(random, 3); i > 0; i--) {
    const at = below(random, mutated.length)
    const end = at + below(random, 4)
    const inserted = interesting.subarray(below(random, interesting.length)).subarray(0, 1)
    const piece = random() < 0.3 ? mutated.subarray(at, at + below(random, 30)) : inserted
    mutated = Buffer.concat([mutated.subarray(0, at), piece, mutated.subarray(random() < 0.5 ? at : end)])
  }
  return mutated
}

function below(random: () => number, end: number): number {
  return Math.floor(random() * end)
}

function pick(random: () => number, choices: readonly string[]): string {
  return choices[below(random, choices.length)] ?? ''
}
