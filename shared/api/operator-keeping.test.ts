/** What operators see and do about what is kept: terms, legal holds, and the report for auditors. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestApi, signInOperator, type TestApi } from '../../standalone/testing/api.ts'
import { newId } from '../base/ids.ts'
import { runAct } from '../control/operator/acts.ts'
import * as schemas from './schemas/operator-keeping.ts'

const dayMs = 24 * 3_600_000
let t: TestApi
let token: string
beforeEach(async () => {
  t = await makeTestApi()
  token = (await signInOperator(t)).token
})
afterEach(() => t.close())

const ask = (method: string, path: string, json?: object) =>
  t.call(method, `/v1/operator/${path}`, { token, ...(json && { json }) })
const holds = async () => schemas.holdsSchema.parse(await (await ask('GET', 'holds')).json()).items
async function audited() {
  const office = { control: t.control, enrolment: t.relayIdentity }
  const found = await runAct(office, { act: 'audit.list', input: {}, operator: 'test' })
  return (found as { action: string; target: string; details: object }[]).map(
    ({ action, target, details }) => ({
      action,
      target,
      details,
    }),
  )
}

test('what is kept is listed with its time and its end, and what went by month', async () => {
  const { kept, gone } = schemas.retentionSchema.parse(await (await ask('GET', 'retention')).json())
  expect(kept).toContainEqual(expect.objectContaining({ name: 'audit', endsBy: 'ttl', isHeld: true }))
  expect(kept.length).toBeGreaterThan(70)
  expect(gone).toEqual([])
})

test('a hold is placed by id or address with a reason and an end, changed, listed, released, and audited', async () => {
  const { account } = t.owner
  const eve = (await t.principals.authenticate(t.eve, '')).member
  const until = t.clock.now() + 30 * dayMs
  const place = async (json: object) => (await ask('POST', 'holds', json)).status
  expect(await place({ about: account, until, reason: 'case 12' })).toBe(204)
  t.clock.advance(1_000)
  expect(await place({ about: 'eve@example.com', until, reason: 'case 13' })).toBe(204)
  expect(await place({ about: account, until: until + dayMs, reason: 'case 12, later' })).toBe(204)
  expect(await holds()).toMatchObject([
    { about: eve, state: 'on', reason: 'case 13', until },
    { about: account, state: 'on', reason: 'case 12, later', until: until + dayMs },
  ])
  expect(await place({ about: newId('acc', 1), until, reason: 'nobody' })).toBe(404)
  expect(await place({ about: account, until: t.clock.now() - 1, reason: 'it is over' })).toBe(400)
  expect(await place({ about: account, until, reason: '' })).toBe(400)
  const release = async (id: string) =>
    (await ask('POST', `holds/${id}/release`, { reason: 'settled' })).status
  expect(await release(eve)).toBe(204)
  expect(await release(newId('usr', 1))).toBe(404)
  await t.runJobs()
  expect((await holds()).map(({ about }) => about)).toEqual([account])
  expect(await audited()).toEqual(
    expect.arrayContaining([
      { action: 'hold.set', target: account, details: expect.objectContaining({ reason: 'case 12' }) },
      { action: 'hold.released', target: eve, details: { reason: 'settled' } },
    ]),
  )
})

test('the report is made for a span, as JSON and as a page that runs nothing, and each is audited', async () => {
  const to = t.clock.now()
  const from = to - dayMs
  const answer = await ask('GET', `compliance?from=${from}&to=${to}`)
  const told: unknown = await answer.json()
  const report = schemas.complianceReportSchema.parse(told)
  // The description has every field.
  expect(report).toEqual(told)
  expect(report).toMatchObject({
    span: { from, to },
    access: { operators: [{ email: 'grace@example.com' }] },
  })
  const page = await ask('GET', `compliance/page?from=${from}&to=${to}`)
  expect(page.headers.get('content-type')).toContain('text/html')
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
  expect(page.headers.get('content-disposition')).toContain('attachment')
  const html = await page.text()
  expect(html).toContain('grace@example.com')
  expect(html).not.toMatch(/<script|onload|src=/)
  expect((await audited()).filter(({ action }) => action === 'compliance.read')).toHaveLength(2)
  expect((await ask('GET', `compliance?from=${to}&to=${from}`)).status).toBe(400)
})
