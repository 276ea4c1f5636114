import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isFailure } from '@porttunneler/shared/base/errors'
import { describe, expect, test } from 'vitest'
import { chooseTunnels, parseConfig, readConfig } from './config.ts'
import { configJsonSchema } from './config-schema.ts'

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

/** The file's text, `line:column` of the first problem, and what is said there. */
const bad: readonly [name: string, text: string, at: string, code: string, message: RegExp][] = [
  ['an empty file', '', '1:1', 'PT-6012', /holds no map/],
  ['a list', '- web', '1:1', 'PT-6012', /holds no map/],
  ['tabs', 'version: 1\ntunnels:\n\tweb: {}', '3:1', 'PT-6011', /Tabs/],
  ['an open bracket', 'version: [1', '1:12', 'PT-6011', /]/],
  [
    'a name twice',
    tunnels('a: {kind: http, upstream: 1}', 'a: {kind: http, upstream: 2}'),
    '4:3',
    'PT-6011',
    /unique/,
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
    /tunnels.web.upstream: a port or host:port/,
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
  ['a name with capitals', tunnels('Web: {kind: http, upstream: 1}'), '3:3', 'PT-6012', /lower-case/],
  ['a bomb of aliases', bomb(), '', 'PT-6011', /alias/i],
  ['a novel', `# ${'x'.repeat(300_000)}`, '', 'PT-6012', /longer than/],
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

describe('ptun.yaml', () => {
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

  test.each(bad)('%s is refused where it stands', (_name, text, at, code, message) => {
    const failure = failureOf(text)
    expect(failure.code).toBe(code)
    expect(failure.detail).toMatch(message)
    expect(failure.detail.startsWith(at ? `ptun.yaml:${at} ` : 'ptun.yaml')).toBe(true)
  })

  test('every problem is told at once, in the order of the file', () => {
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

  test('a file that is not there has a code of its own', async () => {
    await expect(readConfig(join(import.meta.dirname, 'none.yaml'))).rejects.toMatchObject({
      key: 'config.missing',
    })
  })

  test('tunnels are chosen by name, and a slip is asked back', () => {
    const config = parseConfig(good, 'ptun.yaml')
    expect(chooseTunnels(config, []).length).toBe(3)
    expect(chooseTunnels(config, ['database']).map(({ name }) => name)).toEqual(['database'])
    expect(() => chooseTunnels(config, ['databse'])).toThrow('did you mean "database"?')
    expect(() => chooseTunnels(config, ['qqqqqq'])).toThrow('There is: web, database, vault.')
  })

  test('the published schema is the current one', () => {
    const published = readFileSync(join(import.meta.dirname, 'ptun.schema.json'), 'utf8')
    const wanted: unknown = JSON.parse(configJsonSchema())
    expect(JSON.parse(published), 'run: npx ptun config schema > cli/ptun.schema.json').toEqual(wanted)
  })
})
