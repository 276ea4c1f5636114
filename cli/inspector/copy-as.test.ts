import { execFileSync } from 'node:child_process'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { newTunnel } from '../agent/tunnels.ts'
import { asCurl, asFetch, shellQuote } from './copy-as.ts'
import { Entry } from './entry.ts'
import { asHar } from './har.ts'

const tunnel = newTunnel(1, { kind: 'http', upstream: { host: 'localhost', port: 1 } })
const info = { bind: 1, visitorAddress: '', visitorPort: 1, localPort: 1, atMs: 0, awaitsUpgrade: false }

function entryOf(head: string, body: Buffer): Entry {
  const bytes = Buffer.from(head, 'latin1')
  const origin = { tunnel, label: 'web', visitor: '', info, endToEnd: false }
  const entry = new Entry(
    { bytes, method: head.split(' ')[0] ?? '', host: 'a' },
    { id: 1, origin, at: 0, startedAt: 0 },
  )
  entry.request.body.append(body, () => true)
  return entry
}

/** What a header or a path may hold, with all that a shell could take for its own. */
const nasty = fc.string({
  unit: fc.constantFrom(...'\'"`$\\!*?~#&|;<>(){}[] \tabc%\n'.replace('\n', '')),
  maxLength: 30,
})
const target = nasty.map((text) => `/${text.replace(/[\s#]/g, '')}`)
const payload = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  nasty.map((text) => Buffer.from(`${text}\n`)),
)
const shell = (script: string) => execFileSync('sh', ['-c', script], { encoding: 'buffer' })

test('a shell takes a quoted text for one word, whatever is in it', () => {
  const texts = fc
    .sample(fc.string({ unit: 'binary', maxLength: 60 }), 200)
    .map((text) => text.replaceAll('\0', ''))
  const script = texts.map((text) => `printf '%s\\000' ${shellQuote(text)}`).join('\n')
  // Half a letter of UTF-16 has no bytes of its own.
  const whole = texts.map((text) => text.toWellFormed())
  expect(shell(script).toString().split('\0').slice(0, -1)).toEqual(whole)
})

test('the curl command has the address, method, headers and body of the request, in every shell', () => {
  const cases = fc.sample(fc.record({ target, value: nasty, body: payload }), 60)
  // A curl that prints its words and its body instead of calling anybody.
  const loop = `for word in "$@"; do printf '%s\\000' "$word"; [ "$word" = @- ] && cat; done`
  const curl = `curl() { ${loop}; printf '\\n--end--\\n'; }`
  const commands = cases.map(({ target: at, value, body }) =>
    asCurl(
      entryOf(`POST ${at} HTTP/1.1\r\nHost: a.test\r\nX-Some: ${value.trim()}\r\n\r\n`, Buffer.from(body)),
    ),
  )
  const output = shell([curl, ...commands].join('\n')).toString('latin1')
  const runs = output.split('\n--end--\n').slice(0, -1)
  expect(runs.length).toBe(cases.length)
  for (const [index, { target: at, value, body }] of cases.entries()) {
    const run = runs[index] ?? ''
    const words = run.split('\0')
    expect(words[0]).toBe(`http://a.test${at}`)
    expect(words.slice(1, 5)).toEqual([
      '--request',
      'POST',
      '--header',
      value.trim() === '' ? 'X-Some;' : `X-Some: ${value.trim()}`,
    ])
    expect(run).toContain(Buffer.from(body).toString('latin1'))
  }
})

test('the script for fetch runs, and asks for the same', async () => {
  const cases = fc.sample(fc.record({ target, value: nasty, body: payload }), 60)
  for (const { target: at, value, body } of cases) {
    const script = asFetch(
      entryOf(`POST ${at} HTTP/1.1\r\nHost: a.test\r\nX-Some: ${value.trim()}\r\n\r\n`, Buffer.from(body)),
    )
    const calls: unknown[][] = []
    const fetch = (...words: unknown[]) => calls.push(words)
    await runInNewContext(`(async () => { ${script} })()`, { fetch, atob, Uint8Array })
    const [[url, options]] = calls as [
      [string, { method: string; headers: string[][]; body?: string | Uint8Array }],
    ]
    expect(url).toBe(`http://a.test${at}`)
    expect(JSON.parse(JSON.stringify(options.headers))).toEqual([['X-Some', value.trim()]])
    expect(Buffer.from(options.body ?? '').equals(Buffer.from(body))).toBe(true)
  }
})

test('an archive of bombs is bounded, and says what it left out', async () => {
  const entries = ['one', 'two', 'three'].map((name) =>
    entryOf(`POST /${name} HTTP/1.1\r\nHost: a\r\n\r\n`, Buffer.alloc(1_000, 'x')),
  )
  const { log } = JSON.parse(await asHar(entries, 1_500))
  const texts = log.entries.map(
    (one: { request: { postData: { text?: string } } }) => one.request.postData.text?.length,
  )
  expect(texts).toEqual([1_000, undefined, undefined])
  expect(log.entries[1].request.postData.comment).toMatch(/full/)
})

test('the archive is JSON with every header in it, and no secret', async () => {
  const entry = entryOf(
    'GET /?key=topsecret HTTP/1.1\r\nHost: a\r\nCookie: sid=topsecret\r\nX-A: 1\r\n\r\n',
    Buffer.alloc(0),
  )
  const text = await asHar([entry])
  expect(text).not.toContain('topsecret')
  const { log } = JSON.parse(text)
  expect(log.version).toBe('1.2')
  expect(log.entries[0].request.headers.map(({ name }: { name: string }) => name)).toEqual([
    'Host',
    'Cookie',
    'X-A',
  ])
  expect([asCurl(entry), asFetch(entry)].join()).not.toContain('topsecret')
})
