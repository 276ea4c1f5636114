import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestApi, type TestApi } from '../../standalone/testing/api.ts'
import { users } from '../control/documents.ts'
import { addressRef } from '../control/mail/addresses.ts'
import { listKeptMails, readKeptMail } from '../control/operator/kept-mails.ts'
import { operators } from '../control/operator/operator-documents.ts'
import { queries } from '../control/query-table.ts'
import { expectFailure } from '../testing/store.contract.ts'

let t: TestApi
beforeEach(async () => {
  t = await makeTestApi()
})
afterEach(() => t.close())

const email = 'ada@example.com'
const offOf = async () => (await t.control.store.get(addressRef(email)))?.data.off ?? []
const path = async () => `/v1/mails/off/${await t.control.offLinks.write(email, 'domains')}`

test('mails: looking at the page changes nothing, and its button turns the mails off', async () => {
  const page = await t.call('GET', await path())
  expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
  expect(page.headers.get('cache-control')).toBe('no-store')
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
  const html = await page.text()
  expect(html).toContain('<form method="post">')
  expect(html).not.toContain(email)
  expect(await offOf()).toEqual([])
  expect((await t.call('POST', await path())).status).toBe(200)
  expect(await offOf()).toEqual(['domains'])
})

// RFC 8058, section 3.2: the body comes in either form, from a program without cookies, and nothing redirects it.
test.each(['application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])(
  'mails: one click of a mail program turns them off, sent as %s',
  async (type) => {
    const headers = { 'content-type': type, origin: 'https://mail.example' }
    const answer = await t.call('POST', await path(), { body: 'List-Unsubscribe=One-Click', headers })
    expect(answer.status).toBe(200)
    expect(await offOf()).toEqual(['domains'])
  },
)

test('mails: a link that we did not sign turns nothing off', async () => {
  const good = await t.control.offLinks.write(email, 'domains')
  const [, id = '', signature = ''] = good.split('.')
  const others = await t.control.offLinks.write('eve@example.com', 'domains')
  const bad = [
    'x',
    `domains.${id}`,
    `domains.${id}.${others.split('.')[2]}`,
    `essential.${id}.${signature}`,
    await t.control.offLinks.write(email, 'essential'),
    `${good}x`,
    `domains.${id.toUpperCase()}.${signature}`,
    `unknown.${id}.${signature}`,
  ]
  for (const token of bad)
    for (const method of ['GET', 'POST'])
      expect([token, (await t.call(method, `/v1/mails/off/${token}`)).status]).toEqual([token, 400])
  expect(await offOf()).toEqual([])
})

const id = '2026-01-01T00-00-00.000Z-01234567'

test('mails: an operator who signed in just now reads what the server keeps, and the audit has it', async () => {
  const mail = { id, at: 1, to: email, subject: 'Hello' }
  Object.assign(t.control.mail, {
    kept: {
      list: async () => [mail],
      read: async (asked: string) =>
        asked === id ? { ...mail, text: 'a link', html: '<p>a link</p>' } : undefined,
    },
  })
  const ask = async (path: string) => {
    const answer = await t.call('GET', path, { token: t.ada })
    return [answer.status, await answer.json()] as const
  }
  expect((await ask('/v1/mails'))[1]).toMatchObject({ code: 'PT-1101' })
  const { store } = t.control
  await store.create(operators.ref(t.owner.member), { state: 'active', since: 1, by: 'operator:grace' })
  expect((await ask('/v1/mails'))[1], 'an address that nobody has proven').toMatchObject({ code: 'PT-1101' })
  await store.update(users.ref(t.owner.member), { emailVerified: true })
  t.clock.advance(31_000)
  expect(await ask('/v1/mails')).toEqual([200, { items: [mail] }])
  expect((await ask('/v1/me'))[1]).toMatchObject({ operator: true })
  expect(await ask(`/v1/mails/${id}`)).toMatchObject([200, { text: 'a link', html: '<p>a link</p>' }])
  expect((await ask(`/v1/mails/${id.replace(/7$/, '8')}`))[0]).toBe(404)
  expect((await ask('/v1/mails/..%2Fmaster'))[0]).toBe(400)
  const entries = { where: { account: '', action: 'mail.read' }, limit: 10 }
  expect((await store.query(queries.auditByAction, entries)).items).toMatchObject([
    { data: { target: id, actor: `operator:${t.owner.member}` } },
  ])
})

test('mails: a server with a mail server keeps none', async () => {
  const { store } = t.control
  await store.create(operators.ref(t.owner.member), { state: 'active', since: 1, by: 'operator:grace' })
  await store.update(users.ref(t.owner.member), { emailVerified: true })
  t.clock.advance(31_000)
  expect((await t.call('GET', '/v1/mails', { token: t.ada })).status).toBe(404)
})

test('mails: an old sign-in lists mails, but reads none', async () => {
  const person = { id: t.owner.member, email, emailVerified: true, authTimeMs: t.clock.now() }
  const kept = { list: async () => [], read: async () => ({ id, at: 1, to: '', subject: '', text: '' }) }
  const control = { ...t.control, mail: { ...t.control.mail, kept } }
  await t.control.store.create(operators.ref(person.id), { state: 'active', since: 1, by: 'operator:grace' })
  await readKeptMail(control, person, id)
  t.clock.advance(31 * 60_000)
  expect(await listKeptMails(control, person)).toEqual([])
  await expectFailure(readKeptMail(control, person, id), 'auth.stale')
})

test('mails: their reader turns them on again, and what an account depends on stays on', async () => {
  const wish = async (purpose: string, off: boolean) =>
    t.call('PATCH', `/v1/person/mails/${purpose}`, { token: t.ada, json: { off } })
  const refused = async (answer: Promise<Response>) =>
    ((await (await answer).json()) as { code: string }).code
  expect(await refused(wish('team', true)), 'somebody else may have the address').toBe('PT-1010')
  await t.control.store.update(users.ref(t.owner.member), { emailVerified: true })
  t.clock.advance(31_000)
  await t.call('POST', await path())
  const read = async () => (await t.call('GET', '/v1/person/mails', { token: t.ada })).json()
  const domains = (off: boolean) => ({
    refused: false,
    items: expect.arrayContaining([
      expect.objectContaining({ purpose: 'domains', off, essential: false }),
      expect.objectContaining({ purpose: 'essential', off: false, essential: true }),
    ]),
  })
  expect(await read()).toEqual(domains(true))
  for (let n = 0; n < 2; n++) expect(await (await wish('domains', false)).json()).toEqual(domains(false))
  expect(await t.control.store.get(addressRef(email)), 'nothing is left to remember').toBeUndefined()
  const where = { account: t.owner.account, action: 'person.mails' }
  const { items } = await t.control.store.query(queries.auditByAction, { where, limit: 10 })
  expect(items).toHaveLength(1)
  expect(await refused(wish('essential', true))).toBe('PT-1152')
  expect(await refused(wish('nothing', true))).toBe('PT-0002')
})
