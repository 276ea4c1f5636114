/** From a visitor's report, by a form without script, to what an operator decides about it and what both are told. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestApi, signInOperator, type TestApi } from '../../standalone/testing/api.ts'
import { newId } from '../base/ids.ts'
import { abuseCases } from '../control/abuse/abuse-documents.ts'
import { caseKeptMs } from '../control/abuse/reporting.ts'
import { claimLeases } from '../control/claims.ts'
import { runAct } from '../control/operator/acts.ts'
import { deleteTunnel } from '../control/tunnels.ts'
import { pageSchema } from './schemas/common.ts'
import * as schemas from './schemas/operator-abuse.ts'

const email = 'mallory@example.org'
const shop = 'shop.tunnel.example.com'
const because = { reason: 'A false sign-in page.' }
let t: TestApi
let token: string
let tunnel: string
beforeEach(async () => {
  t = await makeTestApi()
  token = (await signInOperator(t)).token
  tunnel = await serve('shop')
})
afterEach(() => t.close())

const act = (name: string, input: object) =>
  runAct({ control: t.control, enrolment: t.relayIdentity }, { act: name, input, operator: 'test' })

/** @returns the id of the tunnel */
async function serve(name: string): Promise<string> {
  const asked = { agent: newId('agt', 1), tunnels: [{ name, kind: 'http' as const }], takeover: false }
  const [result] = (await claimLeases(t.control, t.owner, asked)).results
  if (!result || 'problem' in result) throw new Error('no lease')
  return result.lease.tunnel
}

/** @returns status and text of the page */
async function report(fields: Record<string, string> = {}, from = '192.0.2.7') {
  const form = {
    address: `https://${shop}/login`,
    kind: 'phishing',
    text: 'It asks for my PIN.',
    email: '',
    ...fields,
  }
  const answer = await t.app.request('/v1/report', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-test-from': from },
    body: new URLSearchParams(form).toString(),
  })
  return { status: answer.status, page: await answer.text() }
}

async function list(query = '') {
  const answer = await t.call('GET', `/v1/operator/reports${query}`, { token })
  expect(answer.status).toBe(200)
  return pageSchema(schemas.reportSchema).parse(await answer.json()).items
}

async function only() {
  const [found, ...others] = await list()
  if (!found || others.length > 0) throw new Error('not one report')
  return found
}

async function show(id: string) {
  return schemas.reportPageSchema.parse(
    await (await t.call('GET', `/v1/operator/reports/${id}`, { token })).json(),
  )
}

const decide = async (id: string, decision: string) => {
  const json = { decision, ...because }
  return (await t.call('POST', `/v1/operator/reports/${id}/decide`, { token, json })).status
}
const mailsTo = (who: string) => t.mails.filter(({ to }) => to === who).map(({ subject }) => subject)

describe('report', () => {
  test('the form is a page without script, with the address filled in and escaped', async () => {
    const answer = await t.app.request(`/v1/report?host=${encodeURIComponent(`${shop}"><script>`)}`)
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'")
    const page = await answer.text()
    expect(page).toContain(`value="${shop}&quot;&gt;&lt;script&gt;"`)
    expect(page).not.toContain('<script')
  })

  test('whoever reports hears the same for a tunnel, none, and one of another person', async () => {
    const pages = [
      await report(),
      await report({ address: 'nobody.tunnel.example.com' }),
      await report({ address: `http://${shop}:8080/other` }),
    ]
    expect(pages.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(new Set(pages.map(({ page }) => page)).size).toBe(1)
    expect(pages[0]?.page).not.toContain(t.owner.account)
  })

  test.each([
    ['no address', { address: 'somebody stole my account' }, 'PT-2861'],
    ['of another service', { address: 'https://www.example.org' }, 'PT-2861'],
    ['no mail address', { email: 'a@b' }, 'PT-2862'],
  ])('%s: the page says what is wrong, and keeps what was typed', async (_name, fields, code) => {
    const { status, page } = await report({ text: 'It <b>asks</b>', ...fields })
    expect(status).toBe(400)
    expect(page).toContain('role="alert"')
    expect(page).toContain('It &lt;b&gt;asks&lt;/b&gt;</textarea>')
    expect(page).toContain(code)
    expect(await list()).toEqual([])
  })

  test('a network that floods is refused, and others are not', async () => {
    for (let n = 0; n < 10; n++) expect((await report({ text: `${n}` })).status).toBe(200)
    expect((await report()).status).toBe(429)
    expect((await report({}, '198.51.100.1')).status).toBe(200)
  })
})

describe('queue', () => {
  test('reports of one tunnel are one case with all that helps to decide it', async () => {
    await report({ email })
    await report({ email })
    await report({ address: `http://${shop}:8080`, kind: 'spam', text: 'By mail.' })
    const found = await only()
    expect(found).toMatchObject({ address: `${shop}:443`, kinds: ['phishing', 'spam'], count: 3, tunnel })
    const page = await show(found.id)
    expect(page.reports.map(({ kind, wantsAnswer }) => [kind, wantsAnswer])).toEqual([
      ['phishing', true],
      ['spam', false],
    ])
    expect(JSON.stringify(page), 'nobody learns who it was').not.toContain(email)
    expect(page.owner).toMatchObject({
      id: t.owner.account,
      plan: 'pro',
      online: 1,
      owners: ['ada@example.com'],
    })
    expect(page.tunnelNow).toMatchObject({ id: tunnel, name: 'shop', accountStatus: 'active' })
    expect(page.earlier).toEqual([])
  })

  test('a flood keeps the newest texts and counts the rest', async () => {
    for (let n = 0; n < 25; n++) await report({ text: `text ${n}` }, `198.51.${n}.1`)
    const page = await show((await only()).id)
    expect([page.count, page.reports.length, page.reports.at(-1)?.text]).toEqual([25, 20, 'text 24'])
  })

  test('a tunnel that was deleted before anybody looked is still known by its account', async () => {
    await deleteTunnel(t.of(t.owner), t.owner, { id: tunnel })
    await report()
    const page = await show((await only()).id)
    expect(page.owner).toMatchObject({ id: t.owner.account })
    expect(page.tunnelNow).toBeUndefined()
    expect(await decide(page.id, 'taken_down')).toBe(404)
    expect(await decide(page.id, 'suspended')).toBe(204)
  })

  test('taken down: the tunnel is, owners hear why, the reporter gets one answer, and the address is gone', async () => {
    await report({ email })
    await report({ email, text: 'Again.' })
    const { id } = await only()
    expect(await decide(id, 'taken_down')).toBe(204)
    expect(await decide(id, 'dismissed'), 'a second operator').toBe(409)
    await t.runJobs()
    expect(mailsTo('ada@example.com')).toContain('Your tunnel "shop" was taken down')
    expect(mailsTo(email)).toEqual([`Your report about ${shop}:443`])
    const [answer] = t.mails.filter(({ to }) => to === email)
    expect(answer?.text).toContain('acted on it')
    for (const secret of ['ada', t.owner.account, because.reason]) expect(answer?.text).not.toContain(secret)
    expect(JSON.stringify((await t.control.store.get(abuseCases.ref(id)))?.data)).not.toContain(email)
    expect((await show(id)).tunnelNow).toMatchObject({ ...because })
    expect(await list()).toEqual([])
    expect(await list('?state=taken_down')).toMatchObject([{ id }])
  })

  test('warned: the tunnel goes on; dismissed: only the reporter hears of it', async () => {
    await report()
    const first = await only()
    expect(await decide(first.id, 'warned')).toBe(204)
    await report({ email })
    const second = await only()
    expect(await decide(second.id, 'dismissed')).toBe(204)
    await t.runJobs()
    const told = mailsTo('ada@example.com').filter((subject) => subject.includes('shop'))
    expect(told).toEqual(['Your tunnel "shop" was reported for abuse'])
    expect(t.mails.find(({ to }) => to === email)?.text).toContain('found nothing there')
    expect((await t.call('GET', `/v1/tunnels/${tunnel}`, { token: t.ada })).status).toBe(200)
  })

  test('who is reported again and again is seen at each case, and in a list', async () => {
    await report()
    await decide((await only()).id, 'warned')
    t.clock.advance(1)
    await serve('parcel')
    await report({ address: 'parcel.tunnel.example.com' })
    const { id } = await only()
    expect((await show(id)).earlier).toMatchObject([{ state: 'warned', ...because }])
    const all = await list(`?account=${t.owner.account}`)
    expect(all.map(({ state }) => state)).toEqual(['open', 'warned'])
  })

  test('ptunctl lists, shows and decides the same, and the audit log of the account has it', async () => {
    await report()
    const [row] = (await act('reports.list', {})) as { id: string }[]
    expect(row).toMatchObject({ kinds: ['Phishing'], count: 1 })
    expect(await act('reports.show', { id: row?.id })).toMatchObject({ owner: { id: t.owner.account } })
    await act('reports.decide', { id: row?.id, decision: 'suspended', ...because })
    const log = t.documents().filter(({ collection }) => collection === 'audit')
    const decided = log.filter(({ body }) => body.includes('report.decided'))
    expect(decided.map(({ body }) => body.includes(t.owner.account))).toEqual([true])
    expect(await act('reports.list', { state: 'suspended' })).toHaveLength(1)
  })

  test('operators get one mail for what begins within minutes, and none for what is decided', async () => {
    await report()
    await report({ address: 'nobody.tunnel.example.com' })
    await t.runJobs()
    expect(mailsTo('grace@example.com'), 'more may come').toEqual([])
    t.clock.advance(5 * 60_000)
    await t.runJobs()
    expect(mailsTo('grace@example.com')).toEqual(['2 addresses are reported for abuse'])
    await report()
    t.clock.advance(5 * 60_000)
    await t.runJobs()
    const told = mailsTo('grace@example.com').filter((subject) => subject.includes('reported for abuse'))
    expect(told, 'of a case that is known').toHaveLength(1)
  })

  test('a case says when it goes', async () => {
    await report()
    const { id, lastAt } = await only()
    expect((await t.control.store.get(abuseCases.ref(id)))?.data.ttl).toEqual(new Date(lastAt + caseKeptMs))
  })
})
