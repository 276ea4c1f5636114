/** Own domains through the API: spellings, the records to make, repeats, revisions, hostile names and the audit. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestApi, type TestApi } from '../../standalone/testing/api.ts'
import { ensureCertificate } from '../control/certificates/ordering.ts'
import { describeDomains } from '../control/domains/describing.ts'
import { readDomain } from '../control/domains/domains.ts'
import { proofOf } from '../control/domains/proof.ts'
import { makeWorker } from '../control/jobs/kinds.ts'
import { queries } from '../control/query-table.ts'
import { SmallIssuer } from '../testing/small-issuer.ts'
import { Zones } from '../testing/zones.ts'
import { problemSchema } from './schemas/common.ts'
import { domainSchema } from './schemas/domains.ts'

let t: TestApi
const zones = new Zones()
beforeEach(async () => {
  t = await makeTestApi({}, { inquiries: zones })
  zones.texts.clear()
})
afterEach(() => t.close())

type Asked = Parameters<TestApi['call']>[2]

async function ask(method: string, path: string, asked: Asked = {}) {
  const answer = await t.call(method, path, { token: t.ada, ...asked })
  const json: unknown = answer.status === 204 ? {} : await answer.json()
  return { status: answer.status, headers: answer.headers, json }
}
const add = (json: object, asked: Asked = {}) => ask('POST', '/v1/domains', { json, ...asked })
const codeOf = async (asked: ReturnType<typeof ask>) => problemSchema.parse((await asked).json).code
const path = '/v1/domains/app.example.com'

/** Puts its record into the zone, and looks at it. */
async function verify(host = 'app.example.com') {
  const { data } = await readDomain(t.control, t.owner, host)
  zones.texts.set(host, new Set([(await proofOf(t.control, data, [])).text]))
  t.clock.advance(60_000)
  await t.runJobs()
}

describe('domains', () => {
  test('every spelling is one domain, and the answer has the records to make', async () => {
    const { status, headers, json } = await add({ host: 'APP.Example.com.' })
    expect([status, headers.get('etag'), headers.get('location')]).toEqual([201, '"1"', path])
    const domain = domainSchema.parse(json)
    expect(domain).toMatchObject({ host: 'app.example.com', state: 'pending', findings: [] })
    const [alias, text] = domain.records
    expect(alias).toMatchObject({ type: 'CNAME', name: 'app.example.com', shortName: 'app', does: 'both' })
    expect(alias?.value).toMatch(/^[a-z2-7]{26}\.to\.tunnel\.example\.com$/)
    expect(text).toMatchObject({
      type: 'TXT',
      name: '_ptun.app.example.com',
      shortName: '_ptun.app',
      does: 'proves',
    })
    expect(text?.value).toBe(`ptun1=${alias?.value.split('.')[0]}`)
    expect((await add({ host: 'app.example.com' })).json).toEqual(json)
    expect((await ask('GET', '/v1/domains')).json).toEqual({ items: [json] })
    expect((await ask('GET', path)).json).toEqual(json)
  })

  test('a registered domain itself gets a TXT record and what providers call ALIAS', async () => {
    const { records } = domainSchema.parse((await add({ host: 'example.com' })).json)
    expect(records.map(({ type, shortName, does }) => `${type} ${shortName} ${does}`)).toEqual([
      'TXT _ptun proves',
      'ALIAS @ leads',
    ])
  })

  test('a wildcard has its own records, and is named by its host in every path', async () => {
    const wildcard = '*.app.example.com'
    const { status, headers, json } = await add({ host: '*.APP.Example.com.' })
    expect([status, headers.get('location')]).toEqual([201, `/v1/domains/${wildcard}`])
    const { host, records } = domainSchema.parse(json)
    expect(host).toBe(wildcard)
    expect(records.map(({ type, name, shortName, does }) => [type, name, shortName, does])).toEqual([
      ['CNAME', wildcard, '*.app', 'both'],
      ['TXT', '_ptun.app.example.com', '_ptun.app', 'proves'],
    ])
    await verify(wildcard)
    for (const at of [wildcard, encodeURIComponent(wildcard), '%2A.app.example.com'])
      expect((await ask('GET', `/v1/domains/${at}`)).json).toMatchObject({
        host: wildcard,
        state: 'verified',
      })
    expect((await ask('GET', path)).status, 'the parent is another domain').toBe(404)
    expect((await ask('GET', '/v1/domains/_.app.example.com')).status).toBe(400)
    expect((await ask('DELETE', `/v1/domains/${wildcard}`)).status).toBe(204)
  })

  test('faults of its records are reported with code and cure', async () => {
    await add({ host: 'app.example.com' })
    await t.runJobs()
    const pending = domainSchema.parse((await ask('GET', path)).json)
    expect(pending).toMatchObject({ state: 'pending', zone: 'example.com', checkedAt: t.clock.now() })
    expect(pending.findings).toMatchObject([{ code: 'PT-2501', title: 'No record there yet' }])
    await verify()
    const verified = domainSchema.parse((await ask('GET', path)).json)
    expect(verified).toMatchObject({ state: 'verified', findings: [], verifiedAt: t.clock.now() })
  })

  test('of its certificate it tells the way from the wish to the end of its life, and each failure', async () => {
    const { clock } = t
    const issuer = new SmallIssuer({ clock })
    const control = { ...t.control, certificates: { issuers: [issuer], caa: async () => [] } }
    const told = async () =>
      domainSchema.parse((await describeDomains(control, [await readDomain(control, t.owner, host)]))[0])
        .certificate
    const host = 'app.example.com'
    await add({ host })
    expect(await told()).toBeUndefined()
    await verify()
    expect(await told()).toEqual({ state: 'none' })
    await ensureCertificate(control, host)
    expect(await told()).toEqual({ state: 'ordering' })
    const step = async () => {
      clock.advance(86_400_000)
      await makeWorker(control, 4).take([`certificates.keep:${host}`])
    }
    issuer.isConvinced = false
    await step()
    const failed = await told()
    expect(failed).toMatchObject({ state: 'failing', problem: { code: 'PT-2604' } })
    expect(failed?.triedAgainAt).toBeGreaterThan(clock.now())
    issuer.isConvinced = true
    await step()
    const valid = await told()
    expect(valid).toMatchObject({ state: 'valid', issuer: 'small' })
    expect(valid?.validUntil).toBeGreaterThan(valid?.renewsAt ?? Number.MAX_SAFE_INTEGER)
    clock.advance(100 * 86_400_000)
    expect((await told())?.state).toBe('ordering')
    // Where nobody orders any, nothing is promised.
    const [silent] = await describeDomains(t.control, [await readDomain(control, t.owner, host)])
    expect(silent?.certificate).toBeUndefined()
  })

  test('a tunnel is given and taken, and the revision guards it', async () => {
    const made = await ask('POST', '/v1/tunnels', { json: { name: 'web', kind: 'http' } })
    const { id } = made.json as { id: string }
    await add({ host: 'app.example.com', tunnel: id })
    await verify()
    const tunnel = { id, name: 'web' }
    expect(domainSchema.parse((await ask('GET', path)).json).tunnel).toEqual(tunnel)
    expect(
      (await ask('PATCH', path, { json: { tunnel: null }, headers: { 'if-match': '"7"' } })).status,
    ).toBe(412)
    const given = await ask('PATCH', path, { json: { tunnel: null }, headers: { 'if-match': '"1"' } })
    expect([given.status, given.headers.get('etag')]).toEqual([200, '"2"'])
    expect(domainSchema.parse(given.json).tunnel).toBeUndefined()
    expect((await ask('PATCH', path, { json: { tunnel: id } })).status).toBe(200)
  })

  test('a repeated request is the first one, and asking again is paced', async () => {
    const headers = { 'idempotency-key': 'one' }
    const first = await add({ host: 'app.example.com' }, { headers })
    expect((await add({ host: 'app.example.com' }, { headers })).json).toEqual(first.json)
    expect(await codeOf(add({ host: 'b.example.com' }, { headers }))).toBe('PT-0004')
    const soon = await ask('POST', `${path}/check`)
    expect([soon.status, soon.headers.get('retry-after')]).toEqual([429, '5'])
    t.clock.advance(5_000)
    expect((await ask('POST', `${path}/check`)).status).toBe(202)
  })

  test('it is removed, and the audit has all of it', async () => {
    await add({ host: 'app.example.com' })
    await verify()
    t.clock.advance(1_000)
    expect((await ask('DELETE', path)).status).toBe(204)
    expect((await ask('DELETE', path)).status).toBe(404)
    expect((await ask('GET', path)).status).toBe(404)
    const where = { account: t.owner.account, target: 'app.example.com' }
    const { items } = await t.control.store.query(queries.auditByTarget, { where, limit: 10 })
    expect(items.map(({ data }) => data.action)).toEqual([
      'domain.removed',
      'domain.verified',
      'domain.added',
    ])
  })
})

test.each([
  ['', 'PT-2406'],
  ['co.uk', 'PT-2411'],
  ['github.io', 'PT-2411'],
  ['localhost', 'PT-2411'],
  ['app.internal', 'PT-2411'],
  ['192.0.2.1', 'PT-2408'],
  ['0x7f.1', 'PT-2408'],
  ['[::1]', 'PT-2408'],
  ['*', 'PT-2410'],
  ['*.com', 'PT-2411'],
  ['*.co.uk', 'PT-2411'],
  ['**.example.com', 'PT-2410'],
  ['*a.example.com', 'PT-2410'],
  ['*.*.example.com', 'PT-2410'],
  ['%2a.example.com', 'PT-2405'],
  ['*.tunnel.example.com', 'PT-2519'],
  ['*.x.tunnel.example.com', 'PT-2519'],
  // It would stand for our own name.
  ['*.example.com', 'PT-2519'],
  ['a.*.example.com', 'PT-2410'],
  ['_ptun.example.com', 'PT-2405'],
  ['%41.example.com', 'PT-2405'],
  ['app example.com', 'PT-2405'],
  ['https://example.com', 'PT-2405'],
  ['app.example.com/', 'PT-2405'],
  ['app..example.com', 'PT-2406'],
  [`${'a'.repeat(64)}.example.com`, 'PT-2406'],
  [`${'a.'.repeat(70)}example.com`, 'PT-2406'],
  ['xn--a.example.com', 'PT-2409'],
  ['xn--80ak6aa92e.com', 'PT-2409'],
  ['p\u0430ypal.com', 'PT-2409'],
  ['-app.example.com', 'PT-2407'],
  ['tunnel.example.com', 'PT-2519'],
  ['x.to.tunnel.example.com', 'PT-2519'],
  ['SHOP.Tunnel.Example.com.', 'PT-2519'],
])('a hostile name is refused with its code: %s', async (host, code) => {
  expect(await codeOf(add({ host }))).toBe(code)
  expect((await ask('GET', '/v1/domains')).json).toEqual({ items: [] })
})
