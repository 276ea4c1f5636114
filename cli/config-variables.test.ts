// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what is tested
import { isFailure } from '@porttunneler/shared/base/errors'
import { describe, expect, test } from 'vitest'
import { parseConfig } from './config.ts'

const one = (lines: string) => `version: 1\ntunnels:\n  web:\n    kind: tcp\n${lines}\n`

function upstreamOf(lines: string, env: Record<string, string>) {
  return parseConfig(one(lines), 'ptun.yaml', env).tunnels[0]?.upstream
}

function refusal(text: string, env: Record<string, string> = {}): string {
  try {
    parseConfig(text, 'ptun.yaml', env)
  } catch (error) {
    if (isFailure(error)) return error.detail
    throw error
  }
  throw new Error('it was taken')
}

describe('variables in ptun.yaml', () => {
  test.each<[written: string, env: Record<string, string>, host: string, port: number]>([
    ['${PORT}', { PORT: '3000' }, 'localhost', 3000],
    ['"${PORT}"', { PORT: '3000' }, 'localhost', 3000],
    ['${HOST}:${PORT}', { HOST: 'db', PORT: '5432' }, 'db', 5432],
    ['${PORT:-3000}', {}, 'localhost', 3000],
    ['${PORT:-3000}', { PORT: '' }, 'localhost', 3000],
    ['${PORT:-3000}', { PORT: '4000' }, 'localhost', 4000],
    ["'${HOST:-[::1]}:80'", {}, '::1', 80],
  ])('upstream: %s', (written, env, host, port) => {
    expect(upstreamOf(`    upstream: ${written}`, env)).toMatchObject({ host, port })
  })

  test('a number or boolean is what it would be if written there', () => {
    const lines = '    upstream: 1\n    port: ${PUBLIC}\n    pool: ${POOL}'
    expect(parseConfig(one(lines), 'ptun.yaml', { PUBLIC: '20100', POOL: 'true' }).tunnels).toMatchObject([
      { port: 20100, isPool: true },
    ])
  })

  test('two dollar signs are one, and the value of a variable is not expanded again', () => {
    const lines = '    upstream: 1\n    health: {kind: http, path: "/$${A}/${A}"}'
    const text = one(lines).replace('kind: tcp', 'kind: http')
    expect(parseConfig(text, 'ptun.yaml', { A: '${B}' }).tunnels[0]?.health).toMatchObject({
      path: '/${A}/${B}',
    })
  })

  test('a variable cannot add lines, keys or tunnels', () => {
    const said = refusal(one('    upstream: ${PORT}'), { PORT: '3000\n  evil: {kind: tcp, upstream: 1}' })
    expect(said).toMatch(/^ptun\.yaml:5:15 tunnel web, upstream: /)
  })

  test.each<[what: string, lines: string, place: string, said: RegExp]>([
    ['one that is not set', '    upstream: ${PORT}', '5:15', /the variable PORT is not set/],
    ['the second of two', '    upstream: ${HOME}:${PORT}', '5:23', /the variable PORT is not set/],
    ['a lone dollar sign', '    upstream: $PORT', '5:15', /write \$\{NAME\}/],
    ['an open brace', '    upstream: ${PORT', '5:15', /write \$\{NAME\}/],
    ['a strange name', '    upstream: "${A-B}"', '5:16', /is not a variable/],
    [
      'the key of ptun itself',
      '    upstream: "${PTUN_KEY}.evil.test:80"',
      '5:16',
      /PTUN_KEY.*cannot be used/,
    ],
  ])('%s is reported with its place', (_what, lines, place, said) => {
    const detail = refusal(one(lines), { HOME: 'h', PTUN_KEY: 'pts_secret' })
    expect(detail).toContain(`ptun.yaml:${place} `)
    expect(detail).toMatch(said)
    expect(detail).not.toContain('pts_secret')
  })

  test('keys are left unchanged', () => {
    expect(refusal('version: 1\ntunnels:\n  ${NAME}: {kind: tcp, upstream: 1}\n', { NAME: 'web' })).toMatch(
      /a name has lower-case letters/,
    )
  })

  test.each(['auth: "${SECRET}"', 'auth: ["a:b", "${SECRET}"]', 'hostHeader: "${SECRET}"'])(
    '%s of an http tunnel: neither',
    (line) => {
      const text = `version: 1\ntunnels:\n  web:\n    kind: http\n    upstream: 1\n    ${line}\n`
      const detail = refusal(text, { SECRET: 'top secret' })
      expect(detail).toMatch(/ptun\.yaml:6:\d+ tunnel web, /)
      expect(detail).not.toMatch(/top|secret/)
    },
  )

  test.each(['upstream: ${SECRET}', 'upstream: "x:${SECRET}"', 'upstream: 1\n    proxyProtocol: ${SECRET}'])(
    '%s: its value is in no message',
    (line) => {
      const detail = refusal(one(`    ${line}`), { SECRET: 'top secret' })
      expect(detail).toMatch(/ptun\.yaml:\d+:\d+ tunnel web, /)
      expect(detail).not.toMatch(/top|secret/)
    },
  )
})
