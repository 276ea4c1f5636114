import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, quietSync, type TestControl } from '../../standalone/testing/control.ts'
import { newId } from '../base/ids.ts'
import { Secret } from '../base/secret.ts'
import { setAccountStatus } from '../control/accounts.ts'
import { accounts, deletedTunnels } from '../control/documents.ts'
import { keepAccount, leaveAccount } from '../control/leaving/accounts.ts'
import { subscriptions } from '../control/money/billing-documents.ts'
import { readBillingPeriod } from '../control/money/billing-period.ts'
import { setCap } from '../control/money/capping.ts'
import { flushTransfer } from '../control/money/meters.ts'
import { changePlan, invoicesOf, openPortal, startCheckout } from '../control/money/selling.ts'
import { mayTry } from '../control/money/trials.ts'
import { runAct } from '../control/operator/acts.ts'
import { limitsOf } from '../control/plans.ts'
import { queries } from '../control/query-table.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { sdkOf } from '../testing/stripe/sdk.ts'
import { startStripe } from '../testing/stripe/server.ts'
import { openPayments } from './open.ts'
import { takeWebhook } from './webhook.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const tunnel = newId('tun', 1)
type Asking = Awaited<ReturnType<TestControl['caller']>>

let stripe: Awaited<ReturnType<typeof startStripe>>
let clock: FakeClock
let t: TestControl
let ada: Asking
let secret: Secret

beforeEach(async () => {
  clock = new FakeClock()
  const send = async ({
    url,
    body,
    headers,
  }: {
    url: string
    body: string
    headers: Record<string, string>
  }) => (await takeWebhook(t.control, new Request(url, { method: 'POST', body, headers }), [secret])).status
  stripe = await startStripe({ clock, send, settings: { cardsAre: 'numbers' } })
  t = makeTestControl({
    plan: 'free',
    payments: openPayments({ key: new Secret(stripe.key), server: stripe.sdk }),
  })
  clock.advance(t.clock.now() - clock.now())
  await t.openCell()
  const made = await t.caller('ada@example.com')
  ada = { ...made, ...(made.user && { user: { ...made.user, emailVerified: true } }) }
  const synced = await runAct(
    { control: t.control, enrolment: t.relayIdentity },
    { act: 'billing.sync', input: { apply: true }, operator: 'grace' },
  )
  secret = new Secret(String((synced as { webhookSecret?: string }).webhookSecret))
})
afterEach(async () => {
  await t.close()
  await stripe.close()
})

const advance = (ms: number) => {
  clock.advance(ms)
  t.clock.advance(ms)
}
/** Webhooks in any order, some twice, and then the jobs that they asked for. */
const settle = async () => {
  stripe.catchUp()
  await stripe.deliver({ random: Math.random, twice: () => Math.random() < 0.3 })
  await t.runJobs()
}
const buy = async (
  choice: Partial<Parameters<typeof startCheckout>[3]> = {},
  number = '4242424242424242',
) => {
  const wanted = { plan: 'team', interval: 'month', seats: 3, currency: 'usd', ...choice } as const
  const { url } = await startCheckout(t.control, t.of(ada), ada, wanted)
  const form = { email: 'ada@example.com', name: 'Ada', country: 'US', number }
  const paid = await fetch(url, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' })
  await settle()
  return paid.status
}
const change = async (plan: string, seats = 1, isDry = false, interval: 'month' | 'year' = 'month') => {
  const outcome = await changePlan(t.control, t.of(ada), ada, { plan, interval, seats, isDry })
  if (!isDry) await settle()
  return outcome
}
const rights = async () => {
  const found = (await t.control.store.get(accounts.ref(ada.account)))?.data
  if (!found) return expect.fail('an account')
  const { tunnelsOnline, seats } = limitsOf(found)
  return { plan: found.plan, tunnelsOnline, seats }
}
const doc = async () =>
  (await t.control.store.get(subscriptions.ref(ada.account)))?.data ?? expect.fail('a subscription')
const reportedHours = async () => {
  const where = { account: ada.account }
  const { items } = await t.control.store.query(queries.meterReportsOfAccount, { where, limit: 100 })
  return items.map(({ data }) => data)
}
const transferBilled = async () =>
  stripe.world
    .all('invoices')
    .flatMap(({ lines }) => lines.data)
    .filter(({ description }) => /per MB/.test(description ?? ''))
    .map(({ quantity, amount }) => ({ quantity, amount }))
    .filter(({ quantity }) => quantity !== 0)
// The job of the account asks for the one of the customer.
const leave = async () => {
  await leaveAccount(t.of(ada), ada)
  await settle()
  await settle()
}
const keep = async () => {
  await keepAccount(t.of(ada), ada)
  await settle()
  await settle()
}
const relay = async (hour: number, gigabytes: number) => {
  const ttl = new Date(t.clock.now() + 1_000 * dayMs)
  const gone = { account: ada.account, cell: 'home', deletedAt: 0, ttl }
  await t.control.store.set(deletedTunnels.ref(tunnel), gone)
  const bytes = { in: 0, out: gigabytes * 1_000_000_000 }
  const row = { tunnel, account: ada.account, boot: quietSync.boot.boot, hour, opened: 1, refused: 0 }
  await t.sync({ usage: [{ ...row, ...bytes }] })
}
const hourOf = (ms: number) => Math.floor(ms / hourMs) * hourMs
const carry = async (gigabytes: number) => {
  advance(3 * hourMs)
  await relay(hourOf(t.clock.now()) - hourMs, gigabytes)
  advance(hourMs)
  await settle()
  // Reports may have run beside the books that count the hour; then they go out an hour and 25 min later.
  advance(2 * hourMs)
  await settle()
}
/** Pro by the month, paid, with a cap. */
const buyTransfer = async () => {
  await buy({ plan: 'pro', seats: 1 })
  advance(14 * dayMs + 7 * hourMs)
  await settle()
  await setCap(t.control, t.of(ada), ada, '5.00')
  await settle()
}
/** The books have counted it, and it is not reported: that is due two minutes later. */
const carryUnreported = async (gigabytes: number) => {
  const hour = hourOf(t.clock.now()) + 2 * hourMs
  advance(hour + 40 * 60_000 - t.clock.now())
  await settle()
  await relay(hour, gigabytes)
  advance(hour + hourMs + 23 * 60_000 - t.clock.now())
  await settle()
  expect(await reportedHours()).toEqual([])
}
const totals = async () => (await invoicesOf(t.control, t.of(ada))).map(({ total }) => total)

describe('selling by Stripe', () => {
  test('a trial begins with the page, turns into a paid month, and its invoice is ours', async () => {
    await buy()
    expect(await rights()).toEqual({ plan: 'team', tunnelsOnline: 50, seats: 3 })
    expect(await doc()).toMatchObject({ state: 'trial' })
    advance(14 * dayMs + 3_600_000 * 7)
    await settle()
    expect(await doc()).toMatchObject({ state: 'active' })
    expect(await totals()).toEqual([3_900, 0])
    const { soFar } = await readBillingPeriod(t.of(ada))
    expect(soFar.lines.map(({ kind, amount }) => [kind, amount])).toEqual([['plan', 3_900n]])
  })

  test('more is charged now as the preview says, less waits, and the end waits too', async () => {
    await buy({ plan: 'pro', seats: 1 })
    advance(14 * dayMs + 3_600_000 * 7)
    await settle()
    advance(10 * dayMs)
    const told = await change('team', 4, true)
    expect(told).toMatchObject({ when: 'now' })
    expect(await rights()).toMatchObject({ plan: 'pro' })
    await change('team', 4)
    expect(await rights()).toEqual({ plan: 'team', tunnelsOnline: 50, seats: 4 })
    expect((await totals())[0]).toBe(told.due)
    const { soFar } = await readBillingPeriod(t.of(ada))
    const prorated = soFar.lines.filter(({ isProration }) => isProration)
    expect(Number(prorated.reduce((sum, { amount }) => sum + amount, 0n))).toBe(told.due)

    expect(await change('pro')).toMatchObject({ when: 'later' })
    expect(await doc()).toMatchObject({ plan: 'team', next: { plan: 'pro', seats: 1 } })
    expect(await change('team', 4)).toMatchObject({ when: 'kept' })
    expect((await doc()).next).toBeUndefined()
    await change('pro')
    advance(21 * dayMs)
    await settle()
    expect(await rights()).toMatchObject({ plan: 'pro', tunnelsOnline: 10 })

    expect(await change('free')).toMatchObject({ when: 'end' })
    expect((await doc()).cancelAt).toBeGreaterThan(t.clock.now())
    advance(32 * dayMs)
    await settle()
    expect(await rights()).toMatchObject({ plan: 'free', tunnelsOnline: 3 })
  })

  test('a card that the bank declines buys nothing', async () => {
    expect(await buy({}, '4000000000000002')).toBe(402)
    expect(await rights()).toMatchObject({ plan: 'free' })
  })

  test('a second payment for the same account is refused before it begins', async () => {
    await buy()
    await expect(buy()).rejects.toMatchObject({ key: 'billing.twice' })
    expect(await openPortal(t.control, t.of(ada), ada)).toHaveProperty('url')
    await setCap(t.control, t.of(ada), ada, '20.00')
    expect(await doc()).toMatchObject({ cap: 2_000, capNow: 0 })
  })

  test('transfer beyond the plan is reported once, up to the cap, and invoiced as bill() says', async () => {
    await buyTransfer()
    await carry(60)
    const transfer = async () =>
      (await readBillingPeriod(t.of(ada))).soFar.lines.find(({ kind }) => kind === 'transfer')
    // 10 GB beyond the plan's 50, at 12 cents a GB.
    expect(await transfer()).toMatchObject({ quantity: 10_000n, amount: 120n })
    await carry(100)
    const sold = await transfer()
    // 5.00 USD buy 41,666 MB, whatever was carried.
    expect(sold).toMatchObject({ quantity: 41_666n, amount: 500n })
    // Both are due at once here: where the report was made before the books had counted, the next hour's has it.
    advance(2 * hourMs)
    await settle()
    const reports = await reportedHours()
    expect(reports.reduce((sum, { megabytes }) => sum + megabytes, 0)).toBe(41_666)
    await settle()
    expect(await reportedHours(), 'a further hour sends nothing again').toEqual(reports)
    for (let day = 0; day < 32; day++) {
      advance(dayMs)
      await settle()
    }
    expect((await totals())[0]).toBe(900 + Number(sold?.amount ?? 0n))
  })

  test('an account that is being deleted does not renew, and a taken back deletion takes that back', async () => {
    await buy({ plan: 'team', seats: 3 })
    advance(14 * dayMs + 7 * hourMs)
    await settle()
    await change('pro')
    const planned = (await doc()).next
    expect(planned).toMatchObject({ plan: 'pro' })
    await leave()
    expect(await doc()).toMatchObject({ cancelAt: (await doc()).periodEnd, closing: { items: [{}, {}] } })
    expect((await doc()).next).toBeUndefined()
    await keep()
    expect(await doc()).toMatchObject({ cancelAt: 0, next: planned })
    expect(await doc()).not.toHaveProperty('closing')

    // An end that its owner asked for stays.
    await change('free')
    await leave()
    expect(await doc()).not.toHaveProperty('closing')
    await keep()
    expect((await doc()).cancelAt).toBeGreaterThan(t.clock.now())
    await change('team', 3)
    expect(await doc()).toMatchObject({ cancelAt: 0 })

    const paid = await totals()
    advance((await doc()).periodEnd - t.clock.now() - 10 * dayMs)
    await leave()
    advance(11 * dayMs)
    await settle()
    expect(await doc()).toMatchObject({ state: 'free', subscription: '' })
    expect(await totals(), 'no further month').toEqual(paid)
  })

  test('a second trial of a card is ended before it begins, and the plan is paid from its first day', async () => {
    await buy({ plan: 'pro', seats: 1 })
    expect(await doc()).toMatchObject({ state: 'trial' })
    const made = await t.caller('eve@example.com')
    ada = { ...made, ...(made.user && { user: { ...made.user, emailVerified: true } }) }
    await buy({ plan: 'pro', seats: 1 })
    expect(await doc()).toMatchObject({ state: 'free', hadTrial: true })
    expect(await rights()).toMatchObject({ plan: 'free' })
    expect(await totals(), 'nothing was charged').toEqual([0])
    await buy({ plan: 'pro', seats: 1 })
    expect(await doc()).toMatchObject({ state: 'active' })
    expect(await totals()).toEqual([900, 0])
  })

  test('a mailbox has one trial, whatever its address is written like', async () => {
    await buy({ plan: 'pro', seats: 1 })
    const made = await t.caller('eve@example.com')
    const email = 'Ada+2@example.com'
    ada = { ...made, ...(made.user && { user: { ...made.user, email, emailVerified: true } }) }
    await buy({ plan: 'pro', seats: 1 }, '5555555555554444')
    expect(await doc()).toMatchObject({ state: 'active' })
    // After 400 days nothing is known of it.
    advance(401 * dayMs)
    expect(await mayTry(t.control, { account: 'acc_new', email: 'Ada@example.com' })).toBe(true)
  })

  test('an account has one open payment page, and few in a day', async () => {
    const open = (plan: string) =>
      startCheckout(t.control, t.of(ada), ada, { plan, interval: 'month', seats: 1, currency: 'usd' })
    const pages = () =>
      [...stripe.world.tables.sessions.values()]
        .filter(({ status }) => status === 'open')
        .map(({ url }) => url)
    const first = await open('pro')
    expect(await open('pro')).toEqual(first)
    const second = await open('team')
    expect(pages()).toEqual([second.url])
    await expect(open('pro'), 'on its first day').rejects.toMatchObject({ key: 'billing.limit' })
    advance(dayMs)
    const third = await open('pro')
    expect(third).not.toEqual(first)
    await open('team')
    // The first page for it is closed: this is another.
    const last = await open('pro')
    expect(last).not.toEqual(third)
    expect(pages()).toEqual([last.url])
  })

  test('a dispute that we win holds nothing back any more', async () => {
    await buy({}, '4000000000000259')
    advance(14 * dayMs + 7 * hourMs)
    await settle()
    expect(await doc()).toMatchObject({ isDisputed: true })
    await expect(change('team', 5)).rejects.toMatchObject({ key: 'billing.disputed' })
    const sdk = sdkOf(stripe)
    for (const { id } of stripe.world.all('disputes'))
      await sdk.disputes.update(id, { evidence: { uncategorized_text: 'winning_evidence' } })
    await settle()
    expect(await doc()).toMatchObject({ isDisputed: false })
    await change('team', 5)
    expect(await rights()).toMatchObject({ seats: 5 })
  })

  test('a dispute that we lose ends what was paid so, charges nothing more, and sells nothing more', async () => {
    await buy({}, '4000000000000259')
    advance(14 * dayMs + 7 * hourMs)
    await settle()
    const paid = await totals()
    const sdk = sdkOf(stripe)
    for (const { id } of stripe.world.all('disputes'))
      await sdk.disputes.update(id, { evidence: { uncategorized_text: 'losing_evidence' } })
    await settle()
    expect(await doc()).toMatchObject({ state: 'free', subscription: '', isDisputed: true })
    expect(await rights()).toMatchObject({ plan: 'free' })
    advance(40 * dayMs)
    await settle()
    expect(await totals()).toEqual(paid)
    const heard = t.mails.filter(({ subject }) => subject === 'The subscription of "ada" has ended')
    expect(heard, 'once').toHaveLength(1)
    expect(heard[0]?.text).toContain('they can let the account buy again')
    await expect(buy({ plan: 'pro', seats: 1 })).rejects.toMatchObject({ key: 'billing.disputed' })
    // An operator who trusts them says so at Stripe; what they buy then stays.
    await sdk.customers.update((await doc()).customer, { metadata: { disputed: 'false' } })
    await settle()
    await buy({ plan: 'pro', seats: 1 })
    expect(await doc()).toMatchObject({ state: 'active', plan: 'pro', isDisputed: false })
  })

  test('people hear before a trial ends, and of a second one that was ended', async () => {
    const heard = () => t.mails.map(({ subject }) => subject).filter((one) => /trial/i.test(one))
    await buy({ plan: 'pro', seats: 1 })
    advance(10 * dayMs)
    await settle()
    expect(heard()).toEqual([])
    for (let day = 0; day < 2; day++) {
      advance(dayMs)
      for (let round = 0; round < 3; round++) await settle()
    }
    expect(heard()).toEqual([expect.stringMatching(/^The trial of "ada" ends on \d{4}-\d\d-\d\d$/)])
    const made = await t.caller('eve@example.com')
    ada = { ...made, ...(made.user && { user: { ...made.user, emailVerified: true } }) }
    await buy({ plan: 'pro', seats: 1 })
    for (let round = 0; round < 3; round++) await settle()
    expect(heard().slice(1)).toEqual(['No second trial for "eve"'])
  })

  test('what was carried is charged with the change to a year, also what was not reported yet', async () => {
    await buyTransfer()
    await carryUnreported(60)
    const [before] = await totals()
    await change('pro', 1, false, 'year')
    expect(await doc()).toMatchObject({ interval: 'year', capNow: 0 })
    // 10 GB beyond the month's 50, though most of the month is given back.
    expect(await transferBilled()).toEqual([{ quantity: 10_000, amount: 120 }])
    expect(await totals()).toHaveLength(3)
    expect(before).toBe(900)
    const { lastPeriod } = await doc()
    expect(lastPeriod?.cutAt, 'the month knows where the year began').toBe((await doc()).periodStart)
    advance(2 * hourMs)
    await settle()
    expect((await reportedHours()).map(({ megabytes }) => megabytes)).toEqual([10_000])
  })

  test('usage that comes days late is shown once and reported, though nothing came since', async () => {
    await buyTransfer()
    await carry(1)
    advance(3 * dayMs)
    await settle()
    await relay(hourOf(t.clock.now()) - dayMs, 60)
    await settle()
    expect((await readBillingPeriod(t.of(ada))).usedMB).toBe(61_000n)
    advance(2 * hourMs)
    await settle()
    expect((await reportedHours()).map(({ megabytes }) => megabytes)).toEqual([11_000])
  })

  test('what was carried is charged with the end of the account', async () => {
    await buyTransfer()
    await carryUnreported(60)
    await setAccountStatus(t.control, ada.account, 'closed')
    await settle()
    expect(await transferBilled()).toEqual([{ quantity: 10_000, amount: 120 }])
    const [last] = stripe.world.all('invoices').slice(-1)
    expect(last).toMatchObject({ status: 'paid', total: 120 })
  })

  test('a flush beside the job that reports sends each figure once', async () => {
    await buyTransfer()
    await carryUnreported(60)
    const signal = AbortSignal.timeout(10_000)
    await Promise.all([1, 2, 3].map(() => flushTransfer(t.of(ada), signal)))
    expect(await reportedHours()).toMatchObject([{ megabytes: 10_000, revision: 1, sent: 1 }])
  })

  test('a closed account ends what it pays', async () => {
    await buy()
    await setAccountStatus(t.control, ada.account, 'closed')
    await settle()
    expect(await t.control.store.get(subscriptions.ref(ada.account))).toBeUndefined()
    expect([...stripe.world.tables.subscriptions.values()].map(({ status }) => status)).toEqual(['canceled'])
  })
})
