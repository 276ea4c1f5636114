/** A hostile server: nothing that it sends controls the terminal or starts a program. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { keySchema, meSchema } from '@porttunneler/shared/api/schemas/accounts'
import { alertSchema } from '@porttunneler/shared/api/schemas/alerts'
import { pageSchema } from '@porttunneler/shared/api/schemas/common'
import { domainSchema } from '@porttunneler/shared/api/schemas/domains'
import { reservedNameSchema, reservedPortSchema } from '@porttunneler/shared/api/schemas/reservations'
import { tunnelSchema } from '@porttunneler/shared/api/schemas/tunnels'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { cleanJson } from './clean-json.ts'
import { listAlerts } from './commands/alerts.ts'
import { isOwnPage } from './commands/device-flow.ts'
import { listDomains } from './commands/domains.ts'
import { listKept, names, ports } from './commands/kept.ts'
import { listKeys, revokeKey } from './commands/keys.ts'
import { list } from './commands/tunnels.ts'
import { whoami } from './commands/whoami.ts'
import type { Context } from './context.ts'
import { httpFetch } from './http-fetch.ts'
import { withColoursOnly } from './output/format.ts'

const evil = '\u001b]52;c;aGk=\u0007\u001b[2J\u009b31m\r\u202eevil'
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
const moves = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/u
const id = (prefix: string) => `${prefix}_${'0'.repeat(26)}`

/** Text that says something where a shape allows no escapes. */
const tame = ['usr', 'acc', 'key', 'tun', 'agt', 'alr']
  .map(id)
  .concat('web', 'evil.example.com', 'host:web.example.com', '192.0.2.0/24')

/** Rules that JSON Schema cannot say let no escape into these. */
const ruled: Readonly<Record<string, unknown>> = {
  edits: { requestHeaders: { set: { 'x-evil': 'evil' } } },
}

/** A value of the shape with escapes wherever it allows any text. */
function hostile(shape: z.core.JSONSchema.BaseSchema): unknown {
  const { type, properties = {}, items, anyOf = [], enum: choice } = shape
  const [first] = anyOf
  if (choice) return choice[0]
  if (shape.const !== undefined) return shape.const
  if (typeof first === 'object') return hostile(first)
  if (type === 'array') return [hostile(items as z.core.JSONSchema.BaseSchema)]
  if (type === 'object') {
    // Without a further page, a list ends.
    const fields = Object.entries(properties).filter(([name]) => name !== 'next')
    return Object.fromEntries(
      fields.map(([name, one]) => [name, ruled[name] ?? hostile(one as typeof shape)]),
    )
  }
  const schema = z.fromJSONSchema(shape as z.core.JSONSchema.JSONSchema)
  return [evil, ...tame, 1, true].find((value) => schema.safeParse(value).success)
}

const shapes = {
  '/v1/me': meSchema,
  '/v1/keys': pageSchema(keySchema),
  '/v1/tunnels': pageSchema(tunnelSchema),
  '/v1/names': pageSchema(reservedNameSchema),
  '/v1/ports': pageSchema(reservedPortSchema),
  '/v1/domains': pageSchema(domainSchema),
  '/v1/alerts': pageSchema(alertSchema),
}
const answers: Readonly<Record<string, unknown>> = Object.fromEntries(
  Object.entries(shapes).map(([path, schema]) => [path, hostile(z.toJSONSchema(schema))]),
)
const problem = {
  type: evil,
  title: evil,
  status: 404,
  code: 'PT-0002',
  detail: evil,
  cure: evil,
  instance: evil,
}

async function atServer(run: (context: Context, written: string[]) => Promise<unknown>): Promise<string> {
  const server = createServer((request, response) => {
    const answer = answers[request.url?.split('?', 1)[0] ?? '']
    response.writeHead(answer ? 200 : 404, {
      'content-type': answer ? 'application/json' : 'application/problem+json',
    })
    response.end(JSON.stringify(answer ?? problem))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const written: string[] = []
  const output = { write: (text: string) => written.push(text) }
  const context: Context = {
    env: { PTUN_KEY: `pts_${'a'.repeat(43)}` },
    stdout: output,
    stderr: output,
    clock: new FakeClock(),
    random: () => 0,
    server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    isJson: false,
    isVerbose: false,
  }
  try {
    await run(context, written).catch((error: { detail?: string }) => written.push(`${error.detail}`))
    return written.join('')
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

/** Every string of a JSON value, including field names. */
function stringsOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, each]) => [name, ...stringsOf(each)])
}

describe('a hostile server', () => {
  test.each([
    ['whoami', whoami],
    ['keys list', listKeys],
    ['list', (context: Context) => list(context, {})],
    ['names list', (context: Context) => listKept(context, names)],
    ['ports list', (context: Context) => listKept(context, ports)],
    ['domains list', listDomains],
    ['alerts list', (context: Context) => listAlerts(context)],
    ['a refusal', (context: Context) => revokeKey(context, id('key'))],
  ])('%s: no field of its answers controls the terminal', async (_, run) => {
    const text = await atServer((context) => run(context))
    expect(text).toContain('evil')
    expect(text).not.toMatch(moves)
  })

  test('with --json no field carries a control character either', async () => {
    const text = await atServer((context) => whoami({ ...context, isJson: true }))
    expect(stringsOf(JSON.parse(text)).filter((each) => moves.test(each))).toEqual([])
  })

  test('any JSON stays JSON of the same shape, and clean text stays as it is', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        const cleaned = JSON.parse(cleanJson(json)) as unknown
        expect(stringsOf(cleaned).filter((text) => moves.test(text))).toEqual([])
        if (!/\\|\p{Cc}|[\u202a-\u202e\u2066-\u2069]/u.test(json)) expect(cleaned).toEqual(JSON.parse(json))
      }),
    )
    expect(JSON.parse(cleanJson('{"a":"\\\\u001b"}'))).toEqual({ a: '\\u001b' })
  })

  test('the last check passes only our colours', () => {
    expect(withColoursOnly(`\u001b[1mbold\u001b[22m ${evil}`)).toBe(
      '\u001b[1mbold\u001b[22m  ]52;c;aGk=  [2J 31m \u202eevil',
    )
  })

  test.each([
    ['http://127.0.0.1:8400/device?user_code=ABCD', true],
    ['http://127.0.0.1:8401/device', false],
    ['https://127.0.0.1:8400/device', false],
    ['http://evil.example/device', false],
    ['file:///etc/passwd', false],
    ['ms-msdt:/id', false],
    ['\\\\host\\share', false],
    ['http://127.0.0.1:8400@evil.example/', false],
    ['javascript:alert(1)', false],
    ['', false],
  ])('the browser is sent to %s: %s', (page, isOpened) => {
    expect(isOwnPage(page, 'http://127.0.0.1:8400')).toBe(isOpened)
  })

  test('the answer is cleaned where it comes in', async () => {
    const text = await atServer(async (context, written) => {
      const answer = await httpFetch(() => undefined)(`${context.server}/v1/me`, {
        method: 'GET',
        headers: {},
        signal: new AbortController().signal,
        redirect: 'error',
      })
      written.push(await answer.text())
    })
    expect(text).not.toMatch(/\\u00[01789]|\\r/)
  })
})
