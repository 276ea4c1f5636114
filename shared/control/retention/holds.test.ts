/** A hold keeps an account and a person through erasure and expiry, and its end lets both go on. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestApi, type TestApi } from '../../../standalone/testing/api.ts'
import { certificates, noCertificate } from '../certificate-documents.ts'
import { accounts, users } from '../documents.ts'
import { addDomain } from '../domains/domains.ts'
import { sendFeedback } from '../feedback.ts'
import { freshJob, jobRef } from '../jobs/jobs.ts'
import { runAct } from '../operator/acts.ts'
import { heldShiftMs } from './holds.ts'
import { holds } from './retention-documents.ts'

const dayMs = 24 * 3_600_000

let t: TestApi
beforeEach(async () => {
  t = await makeTestApi()
})
afterEach(() => t.close())

const order = (act: string, input: object) =>
  runAct({ control: t.control, enrolment: t.relayIdentity }, { act, input, operator: 'ada' })

async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 5 * dayMs) {
    t.clock.advance(Math.min(left, 5 * dayMs))
    for (let round = 0; round < 6; round++) {
      await t.runJobs()
      t.clock.advance(1_000)
    }
  }
}

/** With one round of all jobs at its end. */
async function once(ms: number): Promise<void> {
  t.clock.advance(ms)
  await t.runJobs()
}

const hasName = (name: string) => (one: { readonly collection: string }) => one.collection === name
const ttls = (collection: string) =>
  t.documents().flatMap((one) => (one.collection === collection && one.ttl !== null ? [one.ttl] : []))

test('a held account is not erased and does not expire; released, both go on', async () => {
  const { account } = t.owner
  await sendFeedback(t.control, t.owner, { text: 'Good.', attached: {} })
  const [before = 0] = ttls('feedback')
  const until = t.clock.now() + 200 * dayMs
  await order('holds.set', { about: account, until, reason: 'case 12' })
  await t.runJobs()
  expect(ttls('feedback')).toEqual([before + heldShiftMs])
  expect((await t.call('DELETE', '/v1/account', { token: t.ada })).status).toBe(204)
  await pass(20 * dayMs)
  expect((await t.control.store.get(accounts.ref(account)))?.data.name).toBe('ada')
  expect(await order('holds.list', {})).toMatchObject([
    { about: account, state: 'on', erasureWaitsAt: expect.any(Number) },
  ])
  // Walked again, nothing moves twice.
  expect(ttls('feedback')).toEqual([before + heldShiftMs])
  await order('holds.release', { about: account, reason: 'settled' })
  await pass(dayMs)
  expect(await t.control.store.get(holds.ref(account))).toBeUndefined()
  const nameNow = async () => (await t.control.store.get(accounts.ref(account)))?.data.name
  // How many rounds an erasure takes depends on the order of its jobs, which is drawn.
  for (let day = 0; day < 20 && (await nameNow()) !== ''; day++) await pass(dayMs)
  expect(await nameNow()).toBe('')
  const { gone } = (await order('retention.show', {})) as {
    gone: readonly { collections: readonly object[] }[]
  }
  expect(gone.flatMap(({ collections }) => collections)).toContainEqual({ collection: 'feedback', count: 1 })
})

test('what was not erased has its time back, and a hold ends by itself', async () => {
  await sendFeedback(t.control, t.owner, { text: 'Good.', attached: {} })
  const [before = 0] = ttls('feedback')
  const until = t.clock.now() + 10 * dayMs
  await order('holds.set', { about: t.owner.account, until, reason: 'case 12' })
  await t.runJobs()
  await pass(15 * dayMs)
  expect(ttls('feedback')).toEqual([before])
  expect(await order('holds.list', {})).toEqual([])
})

test('on hold, no job deletes what nobody asked to delete; released, they do', async () => {
  const { account } = t.owner
  const host = 'app.example.com'
  // Never proven: its claim is over after a week. Never ordered: nobody wants this certificate.
  await addDomain(t.control, t.owner, { host })
  await t.control.store.create(certificates.ref(host), noCertificate(account, [host]))
  const kind = 'certificates.keep'
  const wish = { kind, subject: host, account, dueAt: t.clock.now() }
  await t.control.store.create(jobRef(kind, host), freshJob(wish, t.clock.now()))
  const left = () => ['domains', 'certificates'].filter((name) => t.documents().some(hasName(name)))
  await order('holds.set', { about: account, until: t.clock.now() + 200 * dayMs, reason: 'case 12' })
  await once(20 * dayMs)
  expect(left()).toEqual(['domains', 'certificates'])
  await order('holds.release', { about: account, reason: 'settled' })
  await once(2 * dayMs)
  expect(left()).toEqual([])
})

test('a person waits for their own hold', async () => {
  const { member } = await t.principals.authenticate(t.eve, '')
  const until = t.clock.now() + 100 * dayMs
  await order('holds.set', { about: 'eve@example.com', until, reason: 'case 13' })
  expect((await t.call('DELETE', '/v1/person', { token: t.eve })).status).toBe(204)
  await pass(20 * dayMs)
  expect((await t.control.store.get(users.ref(member)))?.data.email).toBe('eve@example.com')
  await order('holds.release', { about: member, reason: 'settled' })
  await pass(15 * dayMs)
  expect(await t.control.store.get(users.ref(member))).toBeUndefined()
})

test('a hold needs somebody who is there, and an end within ten years', async () => {
  const day = t.clock.now() + dayMs
  const wrong = [
    [{ about: 'acc_x', until: day }, 'PT-5303'],
    [{ about: t.owner.account, until: t.clock.now() }, 'PT-5301'],
    [{ about: t.owner.account, until: day + 4_000 * dayMs }, 'PT-5301'],
  ] as const
  for (const [input, code] of wrong)
    await expect(order('holds.set', { ...input, reason: 'why' })).rejects.toMatchObject({ code })
  await expect(order('holds.release', { about: t.owner.account, reason: 'why' })).rejects.toMatchObject({
    code: 'PT-5303',
  })
})
