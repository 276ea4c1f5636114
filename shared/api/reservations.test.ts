/** Kept names and ports through the API: spellings, repeats, pages, revisions, refusals and the audit. */
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { makeTestApi, type TestApi } from '../../standalone/testing/api.ts'
import { addMember } from '../control/members.ts'
import { plans } from '../control/plans.ts'
import { queries } from '../control/query-table.ts'
import { problemSchema } from './schemas/common.ts'
import { reservedNameSchema, reservedPortSchema } from './schemas/reservations.ts'

let t: TestApi
beforeEach(async () => {
  t = await makeTestApi()
})
afterEach(() => t.close())

type Asked = Parameters<TestApi['call']>[2]

async function ask(method: string, path: string, asked: Asked = {}) {
  const answer = await t.call(method, path, { token: t.ada, ...asked })
  return {
    status: answer.status,
    headers: answer.headers,
    json: answer.status === 204 ? {} : await answer.json(),
  }
}

const reserve = (json: object, asked: Asked = {}) => ask('POST', '/v1/names', { json, ...asked })

async function codeOf(asked: Promise<{ readonly json: unknown }>): Promise<string> {
  return problemSchema.parse((await asked).json).code
}

describe('names', () => {
  test('every spelling is one name, and a second request changes nothing', async () => {
    const { status, headers, json } = await reserve({ name: 'Shop' })
    expect([status, headers.get('etag'), headers.get('location')]).toEqual([
      201,
      '"1"',
      '/v1/names/shop.tunnel.example.com',
    ])
    const name = reservedNameSchema.parse(json)
    expect(name).toMatchObject({
      name: 'shop',
      host: 'shop.tunnel.example.com',
      url: 'http://shop.tunnel.example.com:8080',
      cell: 'home',
      state: 'unused',
    })
    for (const spelling of ['shop', 'SHOP.tunnel.example.com', 'shop.Tunnel.Example.com.'])
      expect((await reserve({ name: spelling })).json).toEqual(json)
    expect((await ask('GET', '/v1/names')).json).toEqual({ items: [json] })
    expect((await ask('GET', '/v1/names/shop.tunnel.example.com')).json).toEqual(json)
  })

  test.each([
    ['', 'PT-2406'],
    ['a'.repeat(64), 'PT-2406'],
    ['..', 'PT-2406'],
    ['my_shop', 'PT-2405'],
    ['_acme-challenge', 'PT-2405'],
    ['%41', 'PT-2405'],
    ['ｓｈｏｐ', 'PT-2405'],
    ['\u212a8s', 'PT-2405'],
    ['p\u0430ypal', 'PT-2405'],
    ['shop.\u0430.tunnel.example.com', 'PT-2409'],
    ['sh*p', 'PT-2405'],
    ['*.tunnel.example.com', 'PT-2410'],
    ['a.*.tunnel.example.com', 'PT-2410'],
    ['shop-', 'PT-2407'],
    ['ab--cd', 'PT-2407'],
    ['xn--garbage-', 'PT-2407'],
    ['xn--pypal-4ve', 'PT-2409'],
    ['xn--pypal-4ve.tunnel.example.com', 'PT-2409'],
    ['127.0.0.1', 'PT-2408'],
    ['0x7f.1', 'PT-2408'],
    ['[::1]', 'PT-2405'],
    ['tunnel.example.com', 'PT-2404'],
    ['shop.example.org', 'PT-2404'],
    ['co.uk', 'PT-2404'],
    ['www', 'PT-2304'],
    ['api', 'PT-2304'],
    ['relay-2', 'PT-2304'],
    ['paypa1-login', 'PT-2304'],
    ['rnicrosoft', 'PT-2304'],
    ['www.tunnel.example.com', 'PT-2304'],
    ['a.b.tunnel.example.com', 'PT-2405'],
    // The same rules under `e2e`.
    ['paypal.e2e', 'PT-2304'],
    ['www.e2e', 'PT-2304'],
    ['e2e.e2e', 'PT-2304'],
    ['e2e', 'PT-2304'],
    ['.e2e', 'PT-2406'],
    ['a.b.e2e', 'PT-2404'],
    ['xn--pypal-4ve.e2e', 'PT-2409'],
    ['p\u0430ypal.e2e', 'PT-2405'],
    ['paypal.e2e.tunnel.example.com', 'PT-2304'],
    ['*.e2e.tunnel.example.com', 'PT-2410'],
    ['%41.e2e', 'PT-2405'],
    ['openpgpkey', 'PT-2304'],
    ['mx2', 'PT-2304'],
  ])('%j is refused with %s', async (name, code) => {
    expect(await codeOf(reserve({ name }))).toBe(code)
    expect((await ask('GET', '/v1/names')).json).toEqual({ items: [] })
  })

  test('a repeated request finds what the first one made, and nothing counts twice', async () => {
    const headers = { 'idempotency-key': 'k1' }
    const first = await reserve({ name: 'shop' }, { headers })
    expect(await reserve({ name: 'shop' }, { headers })).toMatchObject({ status: 201, json: first.json })
    expect(await codeOf(reserve({ name: 'other' }, { headers }))).toBe('PT-0004')
  })

  test('keeping and giving up in turn blocks no more names than the pace of new addresses', async () => {
    const codes: string[] = []
    for (let n = 0; n < 40; n++) {
      const { status, json } = await reserve({ name: `squat-${n}` })
      codes.push(status === 201 ? 'done' : problemSchema.parse(json).code)
      await ask('DELETE', `/v1/names/squat-${n}.tunnel.example.com`)
    }
    const burst = 2 * plans.pro.tunnelsOnline + 8
    expect(codes).toEqual([...Array(burst).fill('done'), ...Array(40 - burst).fill('PT-2205')])
    // It takes back what it gave up without paying again.
    expect((await reserve({ name: 'squat-0' })).status).toBe(201)
  })

  test('a host as long as an id is not kept, and nothing breaks', async () => {
    for (const length of [122, 123, 124, 128, 129, 1_000]) {
      const host = `${'a'.repeat(60)}.${'b'.repeat(40)}.${'c'.repeat(1_000)}`.slice(0, length)
      const { status } = await ask('GET', `/v1/names/${host}`)
      expect([length, status]).toEqual([length, length > 123 ? 400 : 404])
    }
  })

  test('a name moves once, and both accounts see it in their audit', async () => {
    await reserve({ name: 'shop' })
    const other = await t.principals.authenticate(t.eve, '')
    await addMember(t.of(other), { user: t.owner.member, role: 'admin', actor: 'test' })
    t.clock.advance(31_000)
    const mine = { 'porttunneler-account': t.owner.account }
    const move = (key: string) =>
      ask('POST', '/v1/names/shop.tunnel.example.com/move', {
        json: { account: other.account },
        headers: { ...mine, 'idempotency-key': key },
      })
    expect([(await move('k1')).status, (await move('k1')).status]).toEqual([204, 204])
    expect(await codeOf(move('k2'))).toBe('PT-0002')
    expect((await ask('GET', '/v1/names', { headers: mine })).json).toEqual({ items: [] })
    expect((await ask('GET', '/v1/names', { token: t.eve })).json).toMatchObject({
      items: [{ name: 'shop' }],
    })
    for (const { account } of [t.owner, other]) {
      const where = { account, action: 'name.moved' }
      const { items } = await t.control.store.query(queries.auditByAction, { where, limit: 10 })
      expect(items.map(({ data }) => [data.target, data.actor])).toEqual([
        ['shop.tunnel.example.com', t.owner.actor],
      ])
    }
  })

  test('every call with any name gets one of our answers, and the next call works', async () => {
    const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 80 }), fc.webUrl(), fc.domain(), fc.ipV6())
    const check = async (name: string) => {
      const { status } = await reserve({ name }, { token: t.eve })
      expect([201, 400, 403, 404, 409, 429]).toContain(status)
      const path = `/v1/names/${encodeURIComponent(name.toWellFormed())}`
      for (const method of ['GET', 'DELETE'])
        expect((await t.call(method, path, { token: t.ada })).status).toBeLessThan(500)
    }
    await fc.assert(fc.asyncProperty(text, check), { numRuns: 40 })
    t.clock.advance(60_000)
    expect((await reserve({ name: 'still-here' })).status).toBe(201)
  })

  test('a name that somebody else keeps is refused with three free suggestions', async () => {
    await reserve({ name: 'shop' })
    const problem = problemSchema.parse((await reserve({ name: 'shop' }, { token: t.eve })).json)
    expect(problem).toMatchObject({ code: 'PT-2310', status: 409 })
    expect(problem.suggestions).toHaveLength(3)
    for (const name of problem.suggestions ?? [])
      expect((await reserve({ name }, { token: t.eve })).status).toBe(201)
  })

  test('the error says the plan’s limit when it is reached, and pages list all names', async () => {
    for (let n = 0; n < 10; n++) {
      expect((await reserve({ name: `name-${n}` })).status).toBe(201)
      t.clock.advance(1)
    }
    const refused = problemSchema.parse((await reserve({ name: 'one-more' })).json)
    expect(refused).toMatchObject({
      code: 'PT-2206',
      status: 403,
      detail: 'The plan "pro" has room for 10 reserved names, and 10 are reserved.',
    })
    const pageSchema = z.object({ items: z.array(reservedNameSchema), next: z.string().optional() })
    const names: string[] = []
    let path: string | undefined = '/v1/names?limit=4'
    while (path) {
      const page = pageSchema.parse((await ask('GET', path)).json)
      names.push(...page.items.map(({ name }) => name))
      path = page.next && `/v1/names?limit=4&cursor=${page.next}`
    }
    expect(names).toEqual(Array.from({ length: 10 }, (_, n) => `name-${9 - n}`))
  })

  test('a change by somebody else is not overwritten, and every change is in the audit', async () => {
    await reserve({ name: 'shop' })
    const path = '/v1/names/shop.tunnel.example.com'
    const made = await ask('POST', '/v1/tunnels', { json: { name: 'web', kind: 'http' } })
    const { id: tunnel } = z.object({ id: z.string() }).parse(made.json)
    const tcp = await ask('POST', '/v1/tunnels', { json: { name: 'db', kind: 'tcp' } })
    const wrong = { tunnel: z.object({ id: z.string() }).parse(tcp.json).id }
    expect(await codeOf(ask('PATCH', path, { json: wrong }))).toBe('PT-2002')
    const given = await ask('PATCH', path, { json: { tunnel }, headers: { 'if-match': '"1"' } })
    expect(given.json).toMatchObject({ tunnel: { id: tunnel, name: 'web' }, isOnlyFor: true, revision: 2 })
    expect(given.headers.get('etag')).toBe('"2"')
    expect(
      (await ask('PATCH', path, { json: { tunnel: null }, headers: { 'if-match': '"1"' } })).status,
    ).toBe(412)
    expect((await ask('DELETE', path, { headers: { 'if-match': '"1"' } })).status).toBe(412)
    expect((await ask('DELETE', path, { headers: { 'if-match': '"2"' } })).status).toBe(204)
    expect((await ask('DELETE', path)).status).toBe(404)
    const { items } = await t.control.store.query(queries.auditByTarget, {
      where: { account: t.owner.account, target: 'shop.tunnel.example.com' },
      limit: 10,
    })
    const actions = items.map(({ data }) => data.action)
    expect(actions.toSorted()).toEqual(['name.moved', 'name.released', 'name.reserved'])
  })
})

describe('ports', () => {
  test('a port is kept by number, or any free one', async () => {
    const named = await ask('POST', '/v1/ports', { json: { port: 20_007 } })
    expect(named).toMatchObject({ status: 201, json: { id: 'home:20007', port: 20_007, state: 'unused' } })
    expect(named.headers.get('location')).toBe('/v1/ports/home:20007')
    expect((await ask('GET', '/v1/ports/home:20007')).json).toEqual(named.json)
    const any = reservedPortSchema.parse((await ask('POST', '/v1/ports', { json: {} })).json)
    expect(any.port).not.toBe(20_007)
    expect(any.url).toBe(`tcp://tunnel.example.com:${any.port}`)
    expect((await ask('DELETE', '/v1/ports/home:20007')).status).toBe(204)
    expect((await ask('GET', '/v1/ports')).json).toEqual({ items: [any] })
  })

  test.each([
    [{ port: 80 }, 'PT-2303'],
    [{ port: 19_999 }, 'PT-2303'],
    [{ port: 20_007, cell: 'nowhere' }, 'PT-2309'],
    [{ port: 0 }, 'PT-0001'],
    [{ port: '20007' }, 'PT-0001'],
  ])('%j is refused with %s', async (json, code) => {
    expect(await codeOf(ask('POST', '/v1/ports', { json }))).toBe(code)
  })

  test('a port that somebody else keeps is refused with three free suggestions', async () => {
    await ask('POST', '/v1/ports', { json: { port: 20_007 } })
    const { json } = await ask('POST', '/v1/ports', { json: { port: 20_007 }, token: t.eve })
    expect(problemSchema.parse(json)).toMatchObject({ code: 'PT-2302' })
    expect(problemSchema.parse(json).suggestions).toHaveLength(3)
  })
})
