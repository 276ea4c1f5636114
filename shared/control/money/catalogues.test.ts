import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../../standalone/testing/control.ts'
import { fail } from '../../base/errors.ts'
import { newId } from '../../base/ids.ts'
import { claimLeases } from '../claims.ts'
import { accounts } from '../documents.ts'
import { runAct } from '../operator/acts.ts'
import { limitsOf } from '../plans.ts'
import { builtInCatalogue } from './built-in.ts'
import { Catalogues } from './catalogues.ts'
import { beyond, howToLift } from './lifting.ts'

let t: TestControl
beforeEach(async () => {
  t = makeTestControl({ plan: 'free' })
  await t.openCell()
})
afterEach(() => t.close())

const { free, pro } = builtInCatalogue.plans
/** The built-in one as version `version`, with one tunnel for free accounts, and without the plan `team`. */
const catalogue = (version: number, tunnelsOnline = 1) => ({
  ...builtInCatalogue,
  version,
  plans: {
    free: { ...free, limits: { ...free?.limits, tunnelsOnline } },
    pro,
    plus: { ...pro, title: 'Plus' },
  },
})
const apply = (file: object, more: object = {}) =>
  runAct(
    { control: t.control, enrolment: t.relayIdentity },
    { act: 'plans.apply', input: { file, ...more }, operator: 'grace' },
  )
const limitsIn = async (account: string) => {
  const found = await t.control.store.get(accounts.ref(account))
  return found && { plan: found.data.plan, online: limitsOf(found.data).tunnelsOnline }
}

test('plans: a migration says what changes, then moves those who keep an earlier version', async () => {
  const { account } = await t.caller('ada@example.com')
  await apply(catalogue(2))
  const migrate = (input: object) =>
    runAct(
      { control: t.control, enrolment: t.relayIdentity },
      { act: 'plans.migrate', input, operator: 'grace' },
    )
  const group = { plan: 'free', from: 1, accounts: 1, atRenewal: false, changes: ['tunnelsOnline 3 -> 1'] }
  const told = { to: 2, groups: [group], kept: 0, waiting: 0, told: 0, moved: 0, more: false }
  expect(await migrate({})).toEqual(told)
  expect(await limitsIn(account), 'a dry run changes nothing').toEqual({ plan: 'free', online: 3 })
  expect(await migrate({ apply: true, plan: 'pro' })).toMatchObject({ groups: [], moved: 0 })
  expect(await migrate({ apply: true })).toEqual({ ...told, moved: 1 })
  expect(await limitsIn(account)).toEqual({ plan: 'free', online: 1 })
  expect(await migrate({ apply: true }), 'once').toMatchObject({ groups: [], moved: 0 })
})

test('plans: accounts keep what they were granted, and later ones get what is in force', async () => {
  const before = await t.caller('ada@example.com')
  expect(await apply(catalogue(2))).toEqual({
    version: 2,
    applied: true,
    changes: [
      'free: limits; accounts that have it keep what they have',
      'team: gone; accounts that have it keep it',
      'unlimited: gone; accounts that have it keep it',
      'plus: new',
    ],
  })
  const after = await t.control.catalogues.newest().then(() => t.caller('bob@example.com', {}))
  expect(await limitsIn(before.account)).toEqual({ plan: 'free', online: 3 })
  expect(await limitsIn(after.account)).toEqual({ plan: 'free', online: 1 })
  expect((await t.control.catalogues.of(1)).plans.team).toBeDefined()
  expect((await t.control.catalogues.of(2)).plans.team).toBeUndefined()
  await expect(t.control.catalogues.of(3)).rejects.toMatchObject({ key: 'plan.unknown' })
})

test('plans: a version never changes, and none comes before the one in force', async () => {
  await apply(catalogue(5))
  expect(await apply(catalogue(5))).toMatchObject({ changes: [] })
  await expect(apply(catalogue(5, 2))).rejects.toMatchObject({ key: 'plan.version' })
  await expect(apply(catalogue(4))).rejects.toMatchObject({ key: 'plan.version' })
  await expect(apply({ ...catalogue(6), plans: {} })).rejects.toMatchObject({ key: 'plan.catalogue' })
  expect((await t.control.catalogues.newest()).version).toBe(5)
})

test('plans: a dry run says what would change, and changes nothing', async () => {
  expect(await apply(catalogue(2), { dryRun: true })).toMatchObject({
    applied: false,
    changes: { length: 4 },
  })
  expect((await t.control.catalogues.newest()).version).toBe(1)
})

test('plans: two operators at once, and one catalogue is in force', async () => {
  const tried = await Promise.allSettled([apply(catalogue(2, 1)), apply(catalogue(2, 2))])
  expect(tried.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
})

test('plans: another process knows of it within 30 s, and goes on while the database is away', async () => {
  let isAway = false
  const store = {
    get: ((ref) => {
      if (isAway) throw new Error('away')
      return t.control.store.get(ref)
    }) as typeof t.control.store.get,
  }
  const other = new Catalogues({ store, clock: t.clock, log: t.control.log })
  expect((await other.newest()).version).toBe(1)
  await apply(catalogue(2))
  isAway = true
  t.clock.advance(30_001)
  expect((await other.newest()).version).toBe(1)
  isAway = false
  t.clock.advance(5_001)
  expect((await other.newest()).version).toBe(2)
})

test('plans: an operator gives an account a plan as it is now, also the one that it has', async () => {
  const { account } = await t.caller('ada@example.com')
  await apply(catalogue(2))
  const plan = (name: string) =>
    runAct(
      { control: t.control, enrolment: t.relayIdentity },
      { act: 'accounts.plan', input: { id: account, plan: name }, operator: 'grace' },
    )
  expect(await plan('free')).toMatchObject({ plan: 'free', limits: { tunnelsOnline: 1 } })
  expect(await plan('plus')).toMatchObject({ plan: 'plus', limits: { tunnelsOnline: 10 } })
  await expect(plan('team')).rejects.toMatchObject({ key: 'plan.unknown' })
  await expect(plan('constructor')).rejects.toMatchObject({ key: 'plan.unknown' })
})

test('plans: a refusal by a number names the plan that has room for more, and where to get it', async () => {
  const ada = await t.caller('ada@example.com')
  const cure = (limit: 'tunnelsOnline' | 'domains', has: number) =>
    howToLift(t.control, fail('quota.tunnels', undefined, { fields: beyond(limit, has) }))
  expect(await cure('tunnelsOnline', ada.limits.tunnelsOnline)).toBe(
    'The plan Pro has room for 10: https://tunnel.example.com/plans',
  )
  expect(await cure('domains', 10)).toBe('The plan Team has room for 100: https://tunnel.example.com/plans')
  expect(await cure('domains', 100)).toBe(
    'No plan has more; whoever runs this service can lift it for your account.',
  )
  expect(await howToLift(t.control, fail('lease.held'))).toBe('')
  const tunnels = ['a', 'b', 'c', 'd'].map((name) => ({ name, kind: 'tcp' as const }))
  const { results } = await claimLeases(t.control, ada, { agent: newId('agt', 1), tunnels, takeover: false })
  expect(results[3]).toMatchObject({
    problem: { code: 'PT-2201', cure: expect.stringContaining('The plan Pro has room for 10: https://') },
  })
})
