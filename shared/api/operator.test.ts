/** The operator's desk: a search by the beginning, in pages; suspensions; and notes that go with their subject. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { makeTestApi, signInOperator, type TestApi } from '../../standalone/testing/api.ts'
import { setAccountStatus } from '../control/accounts.ts'

const day = 24 * 3_600_000
const password = 'correct horse battery'
let t: TestApi
let token: string
beforeEach(async () => {
  t = await makeTestApi()
  token = (await signInOperator(t)).token
})
afterEach(() => t.close())

const pageSchema = z.object({
  items: z.array(z.object({ id: z.string(), email: z.string() })),
  next: z.string().optional(),
})
const codeSchema = z.object({ code: z.string() })
const search = async (query: string) =>
  pageSchema.parse(await (await t.call('GET', `/v1/operator/people?${query}`, { token })).json())
const post = async (path: string, json: object = {}) =>
  (await t.call('POST', `/v1/operator/${path}`, { token, json })).status

test('people are found by the beginning of their address, page by page, and by id', async () => {
  for (const n of [1, 2, 3])
    await t.identity.register({ email: `eve${n}@example.com`, password }, { from: '' })
  const emails: string[] = []
  let cursor = ''
  for (let pages = 0; pages < 3; pages++) {
    const { items, next } = await search(`who=EVE&limit=2${cursor}`)
    emails.push(...items.map(({ email }) => email))
    if (!next) break
    cursor = `&cursor=${next}`
  }
  expect(emails).toEqual(['eve1@example.com', 'eve2@example.com', 'eve3@example.com', 'eve@example.com'])
  expect((await search(`who=${t.owner.member}`)).items).toMatchObject([{ email: 'ada@example.com' }])
  for (const who of ['nobody', 'usr_nobody', '%25']) expect((await search(`who=${who}`)).items).toEqual([])
  const first = await search('who=eve&limit=2')
  const other = await t.call('GET', `/v1/operator/people?who=ada&cursor=${first.next}`, { token })
  expect(codeSchema.parse(await other.json()).code, 'a cursor of another search').toBe('PT-0030')
})

test('an account is shown, suspended with a reason, and resumed; so is a person', async () => {
  const { account, member } = t.owner
  const shown = await (await t.call('GET', `/v1/operator/accounts/${account}`, { token })).json()
  expect(shown).toMatchObject({ id: account, status: 'active', members: [{ email: 'ada@example.com' }] })
  expect(await post(`accounts/${account}/suspend`, { reason: 'x' }), 'no reason').toBe(400)
  expect(await post(`accounts/${account}/suspend`, { reason: 'abuse of it' })).toBe(204)
  expect((await t.call('GET', '/v1/me', { token: t.ada })).status).toBe(403)
  expect(await post(`accounts/${account}/resume`)).toBe(204)
  expect((await t.call('GET', '/v1/me', { token: t.ada })).status).toBe(200)
  expect(await post(`people/${member}/disable`, { reason: 'abuse of it' })).toBe(204)
  expect((await t.call('GET', '/v1/me', { token: t.ada })).status).toBe(403)
  expect(await post(`people/${member}/enable`)).toBe(204)
  const { items } = z
    .object({ items: z.array(z.object({ action: z.string(), actor: z.string() })) })
    .parse(await (await t.call('GET', '/v1/audit', { token: t.readKey })).json())
  expect(items.map(({ action }) => action)).toEqual(
    expect.arrayContaining(['account.suspended', 'account.resumed', 'member.changed']),
  )
})

test('notes are listed, bounded, exported with their subject and erased with it', async () => {
  const { account, member } = t.owner
  const notesOf = async (about: string) =>
    z
      .object({ items: z.array(z.object({ id: z.string(), text: z.string() })) })
      .parse(await (await t.call('GET', `/v1/operator/notes?about=${about}`, { token })).json()).items
  expect(await post('notes', { about: account, text: 'Called us.' })).toBe(204)
  expect(await post('notes', { about: member, text: 'Friendly.' })).toBe(204)
  expect(await post('notes', { about: `acc_${'0'.repeat(26)}`, text: 'Nobody.' })).toBe(404)
  const exported = async (path: string) => (await t.call('POST', path, { token: t.ada })).text()
  expect(await exported('/v1/account/export')).toContain('Called us.')
  const own = JSON.parse(await exported('/v1/person/export'))
  expect(own.operatorNotes).toEqual([
    { id: expect.any(String), about: member, text: 'Friendly.', at: expect.any(Number) },
  ])
  for (let n = 1; n < 50; n++) await post('notes', { about: account, text: `Note ${n}` })
  expect(await post('notes', { about: account, text: 'One too many.' })).toBe(409)
  const [newest] = await notesOf(account)
  expect((await t.call('DELETE', `/v1/operator/notes/${newest?.id}`, { token })).status).toBe(204)
  expect(await notesOf(account)).toHaveLength(49)
  t.clock.advance(day / 24)
  const stale = await t.call('POST', '/v1/operator/notes', {
    token: token,
    json: { about: account, text: 'x' },
  })
  expect(stale.status, 'an hour after the sign-in').toBeGreaterThanOrEqual(401)
  await setAccountStatus(t.control, account, 'closed')
  for (let days = 0; days < 4; days++) {
    t.clock.advance(10 * day)
    for (let round = 0; round < 3; round++) {
      await t.runJobs()
      t.clock.advance(120_000)
    }
  }
  token = (await t.identity.login({ email: 'grace@example.com', password }, { from: '' })).tokens.accessToken
  expect([await notesOf(account), await notesOf(member)]).toEqual([[], []])
})
