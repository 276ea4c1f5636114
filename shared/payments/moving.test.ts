import { afterEach, beforeEach, expect, test } from 'vitest'
import { builtInCatalogue } from '../control/money/built-in.ts'
import { openPayerStage, type PayerStage } from '../testing/payer-stage.ts'

const dayMs = 24 * 3_600_000
const { pro, team } = builtInCatalogue.plans
const dearer = (version: number, price = '11.00') => ({
  ...builtInCatalogue,
  version,
  plans: {
    ...builtInCatalogue.plans,
    pro: {
      ...pro,
      includedGB: 40,
      limits: { ...pro?.limits, tunnelsOnline: 12 },
      prices: { month: { usd: price }, year: { usd: '110.00' } },
    },
    team: { ...team, prices: { month: { usd: '41.00' }, year: { usd: '410.00' } } },
  },
})

let stage: PayerStage
beforeEach(async () => {
  stage = await openPayerStage()
  await stage.buy()
  await stage.pass(18 * dayMs)
})
afterEach(() => stage.close())

const offer = async (file: object) => {
  await stage.act('plans.apply', { file })
  await stage.act('billing.sync', { apply: true })
}
const migrate = async (input: object = { apply: true }) => {
  const said = await stage.act('plans.migrate', input)
  await stage.settle()
  await stage.settle()
  return said
}
const told = () => stage.t.mails.map(({ subject }) => subject).filter((one) => /will change/.test(one))
const renew = async () => stage.pass((await stage.doc()).periodEnd - stage.t.clock.now() + 7 * 3_600_000)

test('an account that pays is told, pays what it bought until its first renewal after the notice, and then the new price', async () => {
  await offer(dearer(2))
  const changes = [
    'price a month 9.00 USD -> 11.00 USD',
    'tunnelsOnline 10 -> 12',
    'transferBytesMonth 50000000000 -> 40000000000',
  ]
  const group = { plan: 'pro', from: 1, accounts: 1, atRenewal: true, changes }
  const dry = { to: 2, groups: [group], kept: 0, waiting: 0, told: 0, moved: 0, more: false }
  expect(await migrate({})).toEqual(dry)
  expect(told(), 'a dry run tells nobody').toEqual([])
  expect(await migrate()).toEqual({ ...dry, waiting: 1, told: 1 })
  expect(await migrate(), 'once').toEqual({ ...dry, groups: [], waiting: 1 })
  expect(told()).toEqual(['The plan of "ada" will change'])
  const toldAt = stage.t.clock.now()
  expect((await stage.doc()).next, 'this renewal is too soon').toBeUndefined()
  await renew()
  expect(stage.totals()[0]).toBe(900)
  const { next, periodEnd } = await stage.doc()
  expect(next).toMatchObject({ plan: 'pro', interval: 'month', seats: 1, at: periodEnd })
  expect(periodEnd).toBeGreaterThan(toldAt + 30 * dayMs)
  expect(await stage.rights()).toMatchObject({ tunnelsOnline: 10 })
  await stage.pass(10 * dayMs)
  expect(await stage.doc(), 'never within a period').toMatchObject({ version: 1 })
  await renew()
  expect(stage.totals()[0]).toBe(1_100)
  expect(await stage.doc()).toMatchObject({ version: 2, plan: 'pro', state: 'active' })
  expect(await stage.doc()).not.toHaveProperty('moving')
  expect(await stage.rights()).toMatchObject({ tunnelsOnline: 12 })
  expect(await stage.act('billing.drift', { account: stage.ada.account })).toMatchObject({ drift: [] })
  expect(await migrate()).toMatchObject({ groups: [], waiting: 0, told: 0 })
  expect(told()).toHaveLength(1)
})

/** What the owner does, before the move is noted or after, and what is paid in the end. */
const meanwhile = [
  ['adds seats before', { plan: 'team', seats: 5 }, { plan: 'team', version: 2, seats: 5 }, 4_100 + 2 * 900],
  ['goes up after', { plan: 'team', seats: 3 }, { plan: 'team', version: 2, seats: 3 }, 4_100],
  ['takes the present choice again after', { plan: 'pro' }, { plan: 'pro', version: 2 }, 1_100],
  ['ends it before', { plan: 'free' }, { plan: 'pro', state: 'free' }, 900],
  ['ends it after', { plan: 'free' }, { plan: 'pro', state: 'free' }, 900],
] as const
test.each(meanwhile)(
  'an owner who %s that is noted has what they chose, on the new terms',
  async (when, choice, end, total) => {
    const isBefore = when.endsWith('before')
    if (isBefore) await stage.change(choice)
    await offer(dearer(2))
    await migrate()
    await renew()
    if (!isBefore) await stage.change(choice)
    for (let month = 0; month < 2; month++) await renew()
    expect(await stage.doc()).toMatchObject(end)
    expect(stage.totals()[0]).toBe(total)
  },
)

test('while Stripe is away nothing is lost, and nobody is told twice', async () => {
  await offer(dearer(2))
  stage.stripe.faults.plan({ kind: 'unreachable', times: 100 })
  await migrate()
  stage.stripe.faults.clear()
  await stage.pass(2 * 3_600_000)
  await renew()
  await renew()
  expect(stage.totals()[0]).toBe(1_100)
  expect(told()).toHaveLength(1)
})

test('a later version is told again, and what is not sold any more stays as it is', async () => {
  await offer(dearer(2))
  await migrate()
  await offer(dearer(3, '12.00'))
  expect(await migrate()).toMatchObject({ told: 1 })
  expect(told()).toHaveLength(2)
  await renew()
  await renew()
  await renew()
  expect(stage.totals()[0]).toBe(1_200)
  const { pro: _, ...others } = dearer(4).plans
  await offer({ ...dearer(4), plans: others })
  expect(await migrate()).toMatchObject({ kept: 1, told: 0 })
})
