/** Exports are complete, hold nothing secret and nothing of others, and are written no faster than they are read. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { makeTestApi, type TestApi } from '../../../standalone/testing/api.ts'
import { collectionsIn } from '../../testing/collections.ts'
import { sendFeedback } from '../feedback.ts'
import { addressId, turnOff } from '../mail/addresses.ts'
import { addMember } from '../members.ts'
import { runAct } from '../operator/acts.ts'
import type { Store } from '../platform.ts'
import { type UsageHourDoc, usageHours } from '../usage-documents.ts'
import { exportAccount, exportPerson } from './export.ts'
import { notExported } from './not-exported.ts'
import { partsOfAccounts } from './of-accounts.ts'
import { partsOfPeople } from './of-people.ts'

const root = join(import.meta.dirname, '..', '..', '..')
const rowSchema = z.record(z.string(), z.unknown())
const exportSchema = z
  .looseObject({ of: z.string(), complete: z.literal(true) })
  .transform(
    ({ format: _, of: __, at: ___, complete: ____, ...parts }) =>
      new Map(Object.entries(parts).map(([name, rows]) => [name, z.array(rowSchema).parse(rows)])),
  )

test('every collection is exported, for people and for accounts, or says why not', () => {
  const files = globSync('{shared,standalone,functions}/**/*.ts', {
    cwd: root,
    exclude: ['**/node_modules/**', '**/*.test.ts', '**/testing/**'],
  })
  const declared = collectionsIn(files.map((path) => readFileSync(join(root, path), 'utf8')))
  expect(declared.length).toBeGreaterThan(40)
  for (const side of ['person', 'account'] as const) {
    const parts = side === 'person' ? partsOfPeople : partsOfAccounts
    const exported = parts.map(({ name }) => name)
    const explained = Object.entries(notExported).flatMap(([name, why]) =>
      typeof why === 'string' || side in why ? [name] : [],
    )
    expect([...exported, ...explained].toSorted(), side).toEqual(declared)
  }
})

describe('exports', () => {
  let t: TestApi
  beforeEach(async () => {
    t = await makeTestApi({}, { plan: 'unlimited' })
  })
  afterEach(() => t.close())

  const take = async (path: string, token: string) => {
    const answer = await t.call('POST', path, { token })
    const text = await answer.text()
    return { status: answer.status, text, headers: answer.headers }
  }
  const partsOf = ({ text }: { text: string }) => exportSchema.parse(JSON.parse(text))

  test('a person gets what is about them in every account, and nothing of anybody else', async () => {
    const eve = (await t.principals.authenticate(t.eve, '')).member
    await addMember(t.of(t.owner), { user: eve, role: 'developer', actor: t.owner.actor })
    t.clock.advance(31_000)
    const account = t.owner.account
    const key = await t.call('POST', '/v1/keys', {
      token: t.eve,
      json: { name: "Eve's", scopes: ['read'] },
      headers: { 'porttunneler-account': account },
    })
    const { secret } = z.object({ secret: z.string() }).parse(await key.json())
    await sendFeedback(t.control, { account, actor: eve }, { text: 'Good.', attached: {} })
    await sendFeedback(t.control, t.owner, { text: 'Not hers.', attached: {} })
    await turnOff(t.control, addressId('eve@example.com'), 'team')
    const hold = { about: eve, until: t.clock.now() + 1e9, reason: 'case 12, of which she must not learn' }
    const office = { control: t.control, enrolment: t.relayIdentity }
    await runAct(office, { act: 'holds.set', input: hold, operator: 'grace' })
    const file = await take('/v1/person/export', t.eve)
    expect(file.text).not.toMatch(/case 12|hold\./)
    expect(file.headers.get('content-disposition')).toContain('attachment')
    const parts = partsOf(file)
    expect(parts.get('users')).toMatchObject([{ id: eve, email: 'eve@example.com' }])
    expect(parts.get('identities')).toEqual([{ id: `local:${eve}` }])
    expect(parts.get('members')).toHaveLength(2)
    expect(parts.get('members')).toContainEqual(expect.objectContaining({ account, role: 'developer' }))
    expect(parts.get('keys')).toMatchObject([{ name: "Eve's", account }])
    expect(parts.get('feedback')).toMatchObject([{ text: 'Good.' }])
    expect(parts.get('mailAddresses')).toMatchObject([{ off: ['team'] }])
    const actions = parts.get('audit')?.map(({ action }) => action)
    expect(actions).toEqual(expect.arrayContaining(['account.created', 'key.created', 'person.exported']))
    // Ada did this to her: that counts, and where Ada was does not.
    expect(parts.get('audit')).toContainEqual(
      expect.objectContaining({ action: 'member.added', actor: t.owner.actor, from: '' }),
    )
    for (const hidden of ['ada@example.com', 'Not hers.', secret]) expect(file.text).not.toContain(hidden)
    expect(file.text).not.toMatch(/[0-9a-f]{64}|scrypt|pts_/)
  })

  test('an owner gets all of the account, and no secret of it', async () => {
    await t.call('POST', '/v1/tunnels', { token: t.ada, json: { name: 'db', kind: 'tcp' } })
    await t.call('POST', '/v1/domains', { token: t.ada, json: { host: 'app.example.com' } })
    await t.call('POST', '/v1/invitations', {
      token: t.ada,
      json: { email: 'bob@example.com', role: 'viewer' },
    })
    const parts = partsOf(await take('/v1/account/export', t.ada))
    expect(parts.get('accounts')).toMatchObject([{ id: t.owner.account, name: 'ada' }])
    expect(parts.get('tunnels')).toMatchObject([{ name: 'db' }])
    expect(parts.get('domains')).toMatchObject([{ host: 'app.example.com' }])
    expect(parts.get('invitations')).toMatchObject([{ email: 'bob@example.com' }])
    expect(parts.get('keys')).toHaveLength(3)
    const text = JSON.stringify([...parts])
    for (const secret of [t.readKey, t.adminKey, t.tunnelsKey]) expect(text).not.toContain(secret)
    expect(text).not.toMatch(/"(secret|proof|wrappedKey|salt|claim)"/)
  })

  test('five a day, and each is in the audit', async () => {
    for (let n = 0; n < 5; n++) expect((await take('/v1/person/export', t.ada)).status).toBe(200)
    expect((await take('/v1/person/export', t.ada)).status).toBe(429)
    // Others have their own five.
    expect((await take('/v1/person/export', t.eve)).status).toBe(200)
    t.clock.advance(24 * 3_600_000)
    const { tokens } = await t.identity.login(
      { email: 'ada@example.com', password: 'correct horse battery' },
      { from: '' },
    )
    const parts = partsOf(await take('/v1/person/export', tokens.accessToken))
    expect(parts.get('audit')?.filter(({ action }) => action === 'person.exported')).toHaveLength(6)
  })

  test('it reads on only when the reader wants more, and what breaks off is no JSON', async () => {
    const nowMs = t.clock.now()
    const { account } = t.owner
    const row = (n: number): UsageHourDoc => ({
      account,
      tunnel: `tun_${n}`,
      cell: 'home',
      hour: nowMs,
      in: n,
      out: 0,
      opened: 1,
      refused: 0,
      minutes: 'x'.repeat(400),
      updatedAt: nowMs,
      ttl: new Date(nowMs),
    })
    for (let n = 0; n < 1_000; n++) await t.control.store.set(usageHours.ref(`tun_${n}:1:b`), row(n))
    let pages = 0
    let isBroken = false
    const query: typeof t.control.store.query = async (asked, options) => {
      if (asked.name === 'usageOfAccount') pages++
      if (isBroken) throw new Error('the store is away')
      return t.control.store.query(asked, options)
    }
    const store = new Proxy(t.control.store, {
      get: (whole, name: keyof Store) => (name === 'query' ? query : whole[name].bind(whole)),
    })
    const control = { ...t.control, store }
    const text = await exportAccount(control, t.owner)
    const first = (await text.next()).value ?? ''
    expect(first.length).toBeLessThan(64 * 1024)
    expect(pages).toBe(1)
    isBroken = true
    await expect(async () => {
      for await (const _ of text);
    }).rejects.toThrow('the store is away')
    expect(() => JSON.parse(first)).toThrow()
    isBroken = false
    let all = ''
    for await (const piece of await exportAccount(control, t.owner)) all += piece
    expect(partsOf({ text: all }).get('usageHours')).toHaveLength(1_000)
  })

  test('nobody but the person and the owners: a key exports nothing', async () => {
    for (const path of ['/v1/person/export', '/v1/account/export'])
      expect((await take(path, t.adminKey)).status).toBe(403)
    const stranger = exportPerson(t.control, { id: 'usr_x', email: '' }, { from: '' })
    let all = ''
    for await (const piece of await stranger) all += piece
    expect([...partsOf({ text: all })].filter(([, rows]) => rows.length > 0).map(([name]) => name)).toEqual([
      'audit',
    ])
  })
})
