import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isFailure } from '@porttunneler/shared/base/errors'
import { describe, expect, test } from 'vitest'
import { inspectWish } from './commands/inspect.ts'
import { chooseTunnels, parseConfig, readConfig } from './config.ts'
import { configJsonSchema } from './config-schema.ts'
import { loginOf } from './http/stages/logins.ts'

const good = `
version: 1
tunnels:
  web:
    kind: http
    upstream: 3000
    health: {kind: http, path: /healthz, status: 204}
  database:
    kind: tcp
    upstream: "[::1]:5432"
    health: {kind: tcp, everySeconds: 60}
    port: 20100
  vault:
    kind: tls
    upstream: vault.internal:8200
    proxyProtocol: v2
    pool: true
`

/** The file's text, `line:column` of the first problem, its code and its message. */
type BadFile = readonly [name: string, text: string, at: string, code: string, message: RegExp]
const bad: readonly BadFile[] = [
  ['an empty file', '', '1:1', 'PT-6012', /holds no map/],
  ['a list', '- web', '1:1', 'PT-6012', /holds no map/],
  ['tabs', 'version: 1\ntunnels:\n\tweb: {}', '3:1', 'PT-6011', /a tab indents this line/],
  ['an open bracket', 'version: [1', '1:10', 'PT-6011', /this \[ is not closed/],
  [
    'a name twice',
    tunnels('a: {kind: http, upstream: 1}', 'a: {kind: http, upstream: 2}'),
    '4:3',
    'PT-6011',
    /"a" is there twice, first in line 3/,
  ],
  [
    'a domain that is no host',
    tunnels('a: {kind: http, upstream: 1, domain: "%41.example.com"}'),
    '3:40',
    'PT-6012',
    /domain: PT-2405/,
  ],
  [
    'one domain in two spellings',
    tunnels(
      'a: {kind: http, upstream: 1, domain: München.de.}',
      'b: {kind: http, upstream: 2, domain: XN--mnchen-3ya.de}',
    ),
    '4:40',
    'PT-6012',
    /leads to one tunnel, and "a" has it already/,
  ],
  ['another version', good.replace('version: 1', 'version: 2'), '2:10', 'PT-6012', /only version 1 exists/],
  ['no version', good.replace('version: 1', ''), '1:1', 'PT-6012', /version: only version 1 exists/],
  ['no tunnels', 'version: 1\ntunnels: {}', '2:10', 'PT-6012', /at least one tunnel/],
  [
    'a slip in a key',
    'version: 1\ntunels: {}',
    '2:1',
    'PT-6012',
    /unknown key "tunels"; did you mean "tunnels"\?/,
  ],
  ['a slip deeper', tunnels('web: {kind: http, upsteam: 1}'), '3:21', 'PT-6012', /did you mean "upstream"\?/],
  [
    'a key of nothing near',
    tunnels('web: {kind: http, upstream: 1, zzz: 1}'),
    '3:34',
    'PT-6012',
    /there is: kind/,
  ],
  [
    'a port on http',
    tunnels('web: {kind: http, upstream: 1, port: 2}'),
    '3:34',
    'PT-6012',
    /unknown key "port"/,
  ],
  [
    'no upstream',
    tunnels('web: {kind: http}'),
    '3:3',
    'PT-6012',
    /tunnel web, upstream: a port or host:port/,
  ],
  [
    'an unknown kind',
    tunnels('web: {kind: udp, upstream: 1}'),
    '3:15',
    'PT-6012',
    /kind is tcp, http or tls/,
  ],
  [
    'another PROXY version',
    tunnels('web: {kind: http, upstream: 1, proxyProtocol: 2}'),
    '3:49',
    'PT-6012',
    /proxyProtocol is v1 or v2/,
  ],
  [
    'a GET to a TLS server',
    tunnels('web: {kind: tls, upstream: 1, health: {kind: http}}'),
    '3:48',
    'PT-6012',
    /kind is tcp or http \(tls tunnels: tcp\)/,
  ],
  [
    'a path without a slash',
    tunnels('web: {kind: http, upstream: 1, health: {kind: http, path: up}}'),
    '3:61',
    'PT-6012',
    /a path begins with/,
  ],
  [
    'a slip in a check',
    tunnels('web: {kind: http, upstream: 1, health: {kind: http, pth: /}}'),
    '3:55',
    'PT-6012',
    /did you mean "path"/,
  ],
  ['a URL', tunnels('web: {kind: http, upstream: http://x/}'), '3:31', 'PT-6012', /leave out the scheme/],
  [
    'a port too high',
    tunnels('db: {kind: tcp, upstream: 1, port: 70000}'),
    '3:38',
    'PT-6012',
    /at most 65535/,
  ],
  ...(['auth: [a:b]', 'hostHeader: rewrite', 'insecureUpstream: true'] as const).flatMap((option) =>
    (['tcp', 'tls'] as const).map(
      (kind): BadFile => [
        `${option} of a ${kind} tunnel`,
        tunnels(`db: {kind: ${kind}, upstream: 1, ${option}}`),
        '3:32',
        'PT-6012',
        /pass untouched: this is for http tunnels only/,
      ],
    ),
  ),
  [
    'TLS by a tcp tunnel',
    tunnels('db: {kind: tcp, upstream: "https://x:1"}'),
    '3:29',
    'PT-6012',
    /write x:1 without https/,
  ],
  [
    'a Host that is none',
    tunnels('web: {kind: http, upstream: 1, hostHeader: "a b"}'),
    '3:46',
    'PT-6012',
    /"a b" is not a host/,
  ],
  [
    'an origin without a Host',
    tunnels('web: {kind: http, upstream: 1, rewriteOrigin: true}'),
    '3:49',
    'PT-6012',
    /say that one too/,
  ],
  [
    'a certificate of a plain upstream',
    tunnels('web: {kind: http, upstream: 1, insecureUpstream: true}'),
    '3:52',
    'PT-6012',
    /which this is not/,
  ],
  ...(
    [
      ['upstreamProtocol: http3', '1', /upstreamProtocol is http1, h2c, h2/],
      ['upstreamProtocol: h2', '1', /with https:\/\/ in front/],
      ['upstreamProtocol: h2c', '"https://x"', /without https:\/\//],
      ['proxyProtocol: v1, upstreamProtocol: h2c', '1', /share one HTTP\/2 connection/],
    ] as const
  ).map(([option, upstream, message]): BadFile => {
    const text = tunnels(`web: {kind: http, upstream: ${upstream}, ${option}}`)
    return [option, text, `3:${(text.split('\n')[2]?.lastIndexOf(': ') as number) + 3}`, 'PT-6012', message]
  }),
  [
    'both checked and not',
    tunnels('web: {kind: http, upstream: "https://x", insecureUpstream: true, upstreamCa: x.pem}'),
    '3:62',
    'PT-6012',
    /one of the two/,
  ],
  [
    'a file that is not there',
    tunnels('web: {kind: http, upstream: "https://x", upstreamCa: none.pem}'),
    '3:56',
    'PT-6012',
    /none.pem cannot be read \(ENOENT\): it does not exist/,
  ],
  [
    'a login without a password',
    tunnels('web: {kind: http, upstream: 1, auth: [alice]}'),
    '3:40',
    'PT-6012',
    /a login is user:password/,
  ],
  [
    'a header that frames',
    tunnels('web: {kind: http, upstream: 1, requestHeaders: {remove: [Content_Length]}}'),
    '3:60',
    'PT-6012',
    /where a message ends/,
  ],
  [
    'a Host among the headers',
    tunnels('web: {kind: http, upstream: 1, requestHeaders: {set: {host: x}}}'),
    '3:57',
    'PT-6012',
    /write hostHeader/,
  ],
  [
    'a header that begins another line',
    tunnels('web: {kind: http, upstream: 1, requestHeaders: {set: {x: "a\\r\\nHost: b"}}}'),
    '3:60',
    'PT-6012',
    /visible ASCII/,
  ],
  [
    'a slip among the headers',
    tunnels('web: {kind: http, upstream: 1, requestHeaders: {sett: {x: y}}}'),
    '3:51',
    'PT-6012',
    /did you mean "set"\?/,
  ],
  [
    'an inspector that is neither',
    `inspect: on\n${tunnels('web: {kind: http, upstream: 1}')}`,
    '1:10',
    'PT-6012',
    /off or a port/,
  ],
  ['no logins', tunnels('web: {kind: http, upstream: 1, auth: []}'), '3:40', 'PT-6012', /at least 1/],
  ['a name with capitals', tunnels('Web: {kind: http, upstream: 1}'), '3:3', 'PT-6012', /lower-case/],
  ['a bomb of aliases', bomb(), '', 'PT-6011', /repeated by references/],
  ['a novel', `# ${'x'.repeat(300_000)}`, '', 'PT-6012', /longer than/],
]

/** Paths with dots, and how zod speaks. */
const libraryWords =
  /\w\.\w+\.\d|tunnels\.\w|\b(?:an?|expected) (?:array|boolean|object|record|string)\b|Invalid|undefined|regex|pattern/

/** Every kind of slip that the library has words of its own for. */
const wordless: readonly string[] = [
  ...[
    'upstream: []',
    'policy: []',
    'policy: {allow: x}',
    'policy: {allow: [1, x/y]}',
    'policy: {connectionsMax: 1.5}',
    'policy: {httpsOnly: yes please}',
    'policy: {acme: nobody}',
    'policy: {keepConnections: 1}',
    'policy: {requestsPerMinute: 0, zzz: 1}',
    'pool: 1',
    'tags: [A B]',
    'tags: prod',
    'domain: ""',
    'e2e: 1',
    'hostHeader: [x]',
    'auth: 1',
    'health: 1',
    'health: {kind: http, status: 99}',
    'redirects: [{from: 1, to: 2}]',
    'redirects: [{from: /a, to: /b, status: 999}]',
    'requestHeaders: {set: {x: [1]}}',
    'requestHeaders: {add: {x: [{}]}}',
    'requestHeaders: {set: {"a b": c}}',
    'responseHeaders: {remove: x}',
    'hsts: sometimes',
    'hsts: {maxAgeSeconds: x}',
    'hsts: {maxAgeSeconds: -1}',
  ].map((option) => tunnels(`web: {kind: http, upstream: 1, ${option}}`)),
  tunnels('web: 1'),
  tunnels('db: {kind: tcp, upstream: 1, policy: {httpsOnly: true}}'),
  'version: 1\ntunnels: []',
  `proxy: 1\ncell: ""\n${tunnels('web: {kind: http, upstream: 1}')}`,
]

function tunnels(...lines: readonly string[]): string {
  return `version: 1\ntunnels:\n${lines.map((line) => `  ${line}`).join('\n')}\n`
}

function bomb(): string {
  const levels = Array.from({ length: 12 }, (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i},`.repeat(9)}]`)
  return `l0: &l0 [x]\n${levels.join('\n')}\n`
}

function failureOf(text: string) {
  try {
    parseConfig(text, 'ptun.yaml')
  } catch (error) {
    if (isFailure(error)) return error
    throw error
  }
  throw new Error('the file was taken')
}

test.each([
  ['My_Web', 'PT-2405', 'My_Web'],
  ['"p\u0430ypal"', 'PT-2405', 'U+0430'],
  ['-web', 'PT-2407', 'begins or ends'],
  ['a'.repeat(41), 'PT-2406', 'at most 40'],
])('a tunnel called %s is refused with %s', (name, code, words) => {
  const text = `version: 1\ntunnels:\n  ${name}:\n    kind: http\n    upstream: 3000\n`
  expect(() => parseConfig(text, 'ptun.yaml', {})).toThrow(
    new RegExp(`ptun\\.yaml:3:3 .*${code}.*${words.replace('+', '\\+')}`),
  )
})

describe('ptun.yaml', () => {
  test('a tls or http tunnel may end TLS at the agent, and is of kind tls then; a tcp tunnel may not', () => {
    const of = (kind: string) =>
      `version: 1\ntunnels:\n  a:\n    kind: ${kind}\n    upstream: 3000\n    e2e: true\n`
    expect(parseConfig(of('tls'), 'ptun.yaml').tunnels).toMatchObject([{ kind: 'tls', endToEnd: 'anything' }])
    expect(parseConfig(of('http'), 'ptun.yaml').tunnels).toMatchObject([
      { kind: 'tls', endToEnd: 'http', requests: { logins: [] } },
    ])
    expect(failureOf(of('tcp')).detail).toContain('e2e')
    expect(failureOf(`${of('http')}    domain: '*.app.example.com'\n`).detail).toContain(
      'instead of a wildcard',
    )
    const ruled = `${of('http')}    policy: { httpsOnly: true }\n`
    expect(failureOf(ruled).detail).toContain('with e2e the relay reads no request')
  })

  test('a good file gives its tunnels in order', () => {
    expect(parseConfig(good, 'ptun.yaml').tunnels).toEqual([
      {
        name: 'web',
        kind: 'http',
        upstream: { host: 'localhost', port: 3000 },
        health: { kind: 'http', path: '/healthz', status: 204, everyMs: 10_000 },
      },
      {
        name: 'database',
        kind: 'tcp',
        upstream: { host: '::1', port: 5432 },
        health: { kind: 'tcp', everyMs: 60_000 },
        port: 20_100,
      },
      {
        name: 'vault',
        kind: 'tls',
        upstream: { host: 'vault.internal', port: 8200 },
        proxyProtocol: 'v2',
        isPool: true,
      },
    ])
  })

  test('what an http tunnel asks of its requests is read, with files beside ptun.yaml', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ptun-config-'))
    writeFileSync(join(folder, 'visitors.txt'), '# who\nbob:x:y\r\n\n', { mode: 0o600 })
    const text = tunnels(
      'web: {kind: http, upstream: "https://localhost:1", insecureUpstream: true, hostHeader: app.test:8443, rewriteOrigin: true}',
      'locked: {kind: http, upstream: 1, auth: ["alice:a b"], authFile: visitors.txt}',
      'socket: {kind: tcp, upstream: "unix:/run/x.sock"}',
    )
    const [web, locked, socket] = parseConfig(text, join(folder, 'ptun.yaml')).tunnels
    rmSync(folder, { recursive: true })
    expect(web).toMatchObject({
      tls: { isUnchecked: true, name: 'app.test' },
      requests: { host: 'app.test:8443', origin: 'https://app.test:8443', logins: [] },
    })
    expect(locked?.requests).toEqual({ logins: [loginOf('alice:a b'), loginOf('bob:x:y')] })
    expect(socket?.upstream).toEqual({ path: '/run/x.sock' })
  })

  test('an empty file of logins would let everybody in, so it is refused', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ptun-config-'))
    writeFileSync(join(folder, 'visitors.txt'), '# nobody\n', { mode: 0o600 })
    const text = tunnels('web: {kind: http, upstream: 1, authFile: visitors.txt}')
    expect(() => parseConfig(text, join(folder, 'ptun.yaml'))).toThrow(/has no logins in it/)
    writeFileSync(join(folder, 'visitors.txt'), 'alice:x\nbob\n')
    expect(() => parseConfig(text, join(folder, 'ptun.yaml'))).toThrow(
      /visitors.txt:2 a login is user:password/,
    )
    rmSync(folder, { recursive: true })
  })

  test.skipIf(process.platform === 'win32')('a file of logins that others can read is refused', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ptun-config-'))
    const path = join(folder, 'visitors.txt')
    writeFileSync(path, 'alice:x\n')
    const text = tunnels('web: {kind: http, upstream: 1, authFile: visitors.txt}')
    for (const mode of [0o644, 0o640, 0o604]) {
      chmodSync(path, mode)
      expect(() => parseConfig(text, join(folder, 'ptun.yaml'))).toThrow(`mode ${mode.toString(8)}`)
    }
    rmSync(folder, { recursive: true })
  })

  test.each(bad)('%s is refused with its place', (_name, text, at, code, message) => {
    const failure = failureOf(text)
    expect(failure.code).toBe(code)
    expect(failure.detail).toMatch(message)
    expect(failure.detail.startsWith(at ? `ptun.yaml:${at} ` : 'ptun.yaml')).toBe(true)
  })

  test.each([...bad.map(([, text]) => text), ...wordless])('%j is refused in words for people', (text) => {
    const { fields, detail, code } = failureOf(text)
    const said =
      code === 'PT-6012' && Array.isArray(fields.problems) ? fields.problems : [{ message: detail }]
    for (const { message } of said as readonly { message: string }[])
      expect(message.replaceAll('192.0.2.0/24', 'NETWORK')).not.toMatch(libraryWords)
  })

  test('a place is said as a person would say it', () => {
    const text = tunnels('web: {kind: http, upstream: 1, policy: {allow: [here]}}')
    expect(failureOf(text).detail).toBe(
      'ptun.yaml:3:51 tunnel web, access rules, first entry of allow: ' +
        'an address or a network such as 192.0.2.0/24 is expected',
    )
  })

  test('all problems are reported at once, in the order of the file', () => {
    const { detail, fields } = failureOf(
      'version: 2\ntunnels:\n  a: {kind: tcp, upstream: 0}\n  b: {kind: tcp, upstream: x}\n',
    )
    expect(detail.split('\n').map((line) => line.split(' ')[0])).toEqual([
      'ptun.yaml:1:10',
      'ptun.yaml:3:28',
      'ptun.yaml:4:28',
    ])
    expect(fields.problems).toHaveLength(3)
  })

  test.each([
    ['off', false],
    ['false', false],
    ['4050', '4050'],
    ['${' + 'INSPECTOR}', '5050'],
  ])('inspect: %s is a port, or none, behind option and variable', (written, wanted) => {
    const text = `inspect: ${written}\n${tunnels('web: {kind: http, upstream: 1}')}`
    const { inspect: file } = parseConfig(text, 'ptun.yaml', { INSPECTOR: '5050' })
    expect(file).toBe(wanted)
    expect(inspectWish({}, { flag: undefined, file })).toBe(wanted)
    expect(inspectWish({ PTUN_INSPECT: 'off' }, { flag: undefined, file: '1' })).toBe('off')
    expect(inspectWish({ PTUN_INSPECT: '1' }, { flag: false, file })).toBe(false)
  })

  test('a missing file has its own code', async () => {
    await expect(readConfig(join(import.meta.dirname, 'none.yaml'), {})).rejects.toMatchObject({
      key: 'config.missing',
    })
  })

  test('tunnels are chosen by name, and a misspelt one gets a suggestion', () => {
    const config = parseConfig(good, 'ptun.yaml')
    expect(chooseTunnels(config, []).length).toBe(3)
    expect(chooseTunnels(config, ['database']).map(({ name }) => name)).toEqual(['database'])
    expect(() => chooseTunnels(config, ['databse'])).toThrow('did you mean "database"?')
    expect(() => chooseTunnels(config, ['qqqqqq'])).toThrow('There is: web, database, vault.')
  })

  test('the published schema is the current one', () => {
    const published = readFileSync(join(import.meta.dirname, 'ptun.schema.json'), 'utf8')
    const wanted: unknown = JSON.parse(configJsonSchema())
    expect(JSON.parse(published), 'run: npx porttunneler config schema > cli/ptun.schema.json').toEqual(
      wanted,
    )
  })
})
