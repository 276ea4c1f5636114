/** Terms: what waits until they are accepted and what goes on, for people and for their keys, over all routes. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type Call, makeTestApi, type TestApi } from '../../standalone/testing/api.ts'
import { users } from '../control/documents.ts'
import { createService } from '../control/members.ts'
import { queries } from '../control/query-table.ts'
import { termsSchema } from '../control/terms/settings.ts'
import type { TermsDocument } from './schemas/terms.ts'
import { goesOn } from './terms-guard.ts'

const day = 24 * 3_600_000
const kinds = ['terms', 'privacy'] as const
const url = (kind: string) => `https://example.com/${kind}`

let t: TestApi
beforeEach(async () => {
  t = await makeTestApi({ rates: { perCaller: 100_000, perAddress: 100_000 } })
})
afterEach(() => t.close())

/** The operator asks for these versions from now on. */
function ask(version: string, by?: number): void {
  const terms: TermsDocument[] = kinds.map((kind) => ({
    ...{ kind, version, url: url(kind) },
    ...(by !== undefined && { by }),
  }))
  Object.assign(t.control.settings, { terms })
}

const problemSchema = z.object({ code: z.string() })
async function codeOf(method: string, path: string, call: Call): Promise<string | number> {
  const answer = await t.call(method, path, call)
  return answer.status < 300 ? answer.status : problemSchema.parse(await answer.json()).code
}
const acceptOf = (version: string, of: readonly string[] = kinds) => ({
  accept: of.map((kind) => ({ kind, version })),
})
const accept = (token: string, json: object) => codeOf('POST', '/v1/person/terms', { token, json })
const makeTunnel = (token: string, name: string) =>
  codeOf('POST', '/v1/tunnels', { token, json: { name, kind: 'tcp' } })

describe('terms', () => {
  test('where the operator asks for none, nobody is asked and nothing is said of them', async () => {
    expect(await makeTunnel(t.ada, 'db')).toBe(201)
    expect(await (await t.call('GET', '/v1/config')).json()).not.toHaveProperty('terms')
    expect(await (await t.call('GET', '/v1/person/terms', { token: t.ada })).json()).toEqual({ items: [] })
    expect(await accept(t.ada, acceptOf('1'))).toBe('PT-1151')
  })

  test('people who are here go on until the day, then nothing changes until they accept', async () => {
    const by = t.clock.now() + 5 * 60_000
    ask('2026-11', by)
    expect(await makeTunnel(t.ada, 'one')).toBe(201)
    const own = await (await t.call('GET', '/v1/person/terms', { token: t.ada })).json()
    expect(own).toMatchObject({ dueAt: by, items: kinds.map((kind) => ({ kind, dueAt: by })) })
    const me = await (await t.call('GET', '/v1/me', { token: t.tunnelsKey })).json()
    expect(me, 'a key says it of its maker').toMatchObject({ termsDue: by })
    t.clock.advance(5 * 60_000)
    for (const token of [t.ada, t.tunnelsKey]) expect(await makeTunnel(token, 'two')).toBe('PT-1150')
    expect(await codeOf('GET', '/v1/tunnels', { token: t.ada })).toBe(200)
    expect(await accept(t.ada, acceptOf('2026-11'))).toBe(200)
    for (const [index, token] of [t.ada, t.tunnelsKey].entries())
      expect(await makeTunnel(token, `n${index}`)).toBe(201)
    expect(await (await t.call('GET', '/v1/me', { token: t.ada })).json()).not.toHaveProperty('termsDue')
  })

  test('version, time and address are kept, audited, exported, and a newer version is asked for', async () => {
    ask('1')
    expect(await accept(t.ada, acceptOf('1'))).toBe(200)
    expect(await accept(t.ada, acceptOf('1')), 'again').toBe(200)
    const first = kinds.map((kind) => ({ kind, version: '1', url: url(kind), at: t.clock.now() }))
    const stored = async () => (await t.control.store.get(users.ref(t.owner.member)))?.data.terms
    expect(await stored()).toEqual(first)
    t.clock.advance(60_000)
    ask('2', t.clock.now() + day)
    expect(await makeTunnel(t.ada, 'db'), 'until the day').toBe(201)
    t.clock.advance(1_000)
    expect(await accept(t.ada, acceptOf('2'))).toBe(200)
    expect(await stored()).toEqual([
      ...first,
      ...kinds.map((kind) => ({ kind, version: '2', url: url(kind), at: t.clock.now() })),
    ])
    const where = { account: t.owner.account, action: 'person.terms_accepted' }
    const { items } = await t.control.store.query(queries.auditByAction, { where, limit: 10 })
    expect(items.map(({ data }) => JSON.parse(String(data.body)).details).toReversed()).toEqual([
      { terms: '1', privacy: '1' },
      { terms: '2', privacy: '2' },
    ])
    const file = await (await t.call('POST', '/v1/person/export', { token: t.ada })).text()
    expect(file).toContain('"https://example.com/privacy"')
  })

  test.each([
    ['a version that nobody asks for', acceptOf('0')],
    ['one of two documents', acceptOf('1', ['terms'])],
    ['a kind that the operator has not', acceptOf('1', ['terms', 'privacy', 'acceptable-use'])],
  ])('nobody accepts %s', async (_, json) => {
    ask('1')
    expect(await accept(t.ada, json)).toBe('PT-1151')
    expect(await makeTunnel(t.ada, 'db')).toBe('PT-1150')
  })

  test('a new person accepts before the first change, whatever the day; later documents have their day', async () => {
    ask('1', t.clock.now() + 30 * day)
    await t.control.store.update(users.ref(t.owner.member), { terms: [] })
    expect(await makeTunnel(t.ada, 'db')).toBe('PT-1150')
    expect(await accept(t.ada, acceptOf('1'))).toBe(200)
    ask('2', t.clock.now() + 30 * day)
    expect(await makeTunnel(t.ada, 'db')).toBe(201)
  })

  test('accepting through one process counts in another at once; keys of services are not asked', async () => {
    ask('1')
    const there = t.elsewhere()
    Object.assign(there.control.settings, t.control.settings)
    const { call } = t.over(there.control, there.principals)
    const ci = await createService(t.of(t.owner), t.owner, { name: 'ci', role: 'developer' })
    const json = { name: 'db', kind: 'tcp' }
    expect((await call('POST', '/v1/tunnels', { token: t.ada, json })).status).toBe(403)
    expect(await accept(t.ada, acceptOf('1'))).toBe(200)
    expect((await call('POST', '/v1/tunnels', { token: t.ada, json })).status).toBe(201)
    const made = await t.call('POST', '/v1/keys', {
      token: t.ada,
      json: { name: 'k', scopes: ['tunnels'], member: ci.id },
    })
    const { secret } = z.object({ secret: z.string() }).parse(await made.json())
    ask('2')
    expect(await makeTunnel(secret, 'ci')).toBe(201)
    expect(await makeTunnel(t.tunnelsKey, 'own')).toBe('PT-1150')
  })

  test('every call that changes something waits, apart from the list of those that go on', async () => {
    ask('1')
    const { paths } = z
      .object({
        paths: z.record(z.string(), z.record(z.string(), z.looseObject({ 'x-access': z.string() }))),
      })
      .parse(await (await t.call('GET', '/v1/openapi.json')).json())
    const calls = Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(
        ([method, one]) => [method.toUpperCase(), path, one['x-access']] as const,
      ),
    )
    const routes = calls.map(([method, path]) => `${method} ${path}`)
    expect(
      [...goesOn].filter((route) => !routes.includes(route)),
      'the list names what exists',
    ).toEqual([])
    // Deletions last: one of them ends the sign-in.
    const isDeletion = ([method]: (typeof calls)[number]) => Number(method === 'DELETE')
    for (const [method, path, access] of calls.toSorted(
      (one, other) => isDeletion(one) - isDeletion(other),
    )) {
      if (access === 'public' || access === 'relay') continue
      const filled = path.replace(/\{\w+\}/g, 'x')
      const json = method === 'GET' || method === 'DELETE' ? {} : { json: { none: 1 } }
      const waits = !['GET', 'DELETE'].includes(method) && !path.startsWith('/v1/operator/')
      const isRefused = (await codeOf(method, filled, { token: t.ada, ...json })) === 'PT-1150'
      expect([method, path, isRefused]).toEqual([method, path, waits && !goesOn.has(`${method} ${path}`)])
    }
  })
})

describe('the setting', () => {
  const one = { kind: 'terms', version: '2026-11', url: 'https://example.com/terms' }

  test('is a list or its JSON, and its day lasts until its end', () => {
    expect(termsSchema.parse(undefined)).toEqual([])
    expect(termsSchema.parse(JSON.stringify([{ ...one, by: '2026-12-15' }]))).toEqual([
      { ...one, by: Date.parse('2026-12-16') },
    ])
  })

  test.each([
    ['text', 'https://example.com/terms'],
    ['two of a kind', [one, one]],
    ['no address', [{ ...one, url: 'terms.html' }]],
    ['an expression of Terraform', [{ ...one, url: 'https://example.com/{x}' }]],
    ['a script', [{ ...one, url: 'javascript:alert(1)' }]],
    ['a wrong day', [{ ...one, by: '15.12.2026' }]],
    ['an unknown kind', [{ ...one, kind: 'cookies' }]],
    ['a version that is a sentence', [{ ...one, version: 'the new one' }]],
  ])('refuses %s', (_, value) => {
    expect(termsSchema.safeParse(value).success).toBe(false)
  })
})
