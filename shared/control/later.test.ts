/** Work that jobs do later: sweeping, erasing a closed account, forgetting relays; each with crashes. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../standalone/testing/control.ts'
import { newId } from '../base/ids.ts'
import { countingStore } from '../testing/counting-store.ts'
import { bound, dyingAt } from '../testing/dying-store.ts'
import { eraseAfterMs, setAccountStatus } from './accounts.ts'
import { verifyAudit } from './audit/verify.ts'
import { lateMaxMs } from './books/calendar.ts'
import type { Caller } from './caller.ts'
import { claimLeases } from './claims.ts'
import {
  accounts,
  deletedTunnels,
  endpoints,
  identities,
  jobs,
  members,
  relays,
  tunnels,
  users,
} from './documents.ts'
import { relayKeptMs } from './forgetting.ts'
import { makeWorker } from './jobs/kinds.ts'
import { createKey } from './keys.ts'
import { addMember, createService } from './members.ts'
import { names } from './name-documents.ts'
import { runAct } from './operator/acts.ts'
import { queries } from './query-table.ts'
import { freshQuota } from './quota.ts'
import { quotas } from './quota-documents.ts'
import { sweep } from './sweeper.ts'
import { addName } from './tunnel-names.ts'
import { createTunnel } from './tunnels.ts'

let t: TestControl
beforeEach(() => {
  t = makeTestControl({ plan: 'team' })
})
afterEach(() => t.close())

const dayMs = 24 * 3_600_000

/** Twelve leases of four accounts that nobody renews. */
async function makeLapsed(): Promise<void> {
  await t.openCell()
  for (let n = 0; n < 4; n++) {
    const caller = await t.caller(`p${n}@example.com`)
    const tunnels = [1, 2, 3].map((k) => ({ name: `t${k}`, kind: 'tcp' as const }))
    await claimLeases(t.control, caller, { agent: newId('agt', n + 1), tunnels, takeover: false })
  }
  t.clock.advance(3 * 3_600_000)
}
const leased = async () =>
  (await t.control.store.query(queries.expiredLeases, { where: { state: 'leased' }, limit: 100 })).items
    .length

test('sweep: leases of several accounts are ended at the same time', async () => {
  await makeLapsed()
  let running = 0
  let most = 0
  const { store } = t.control
  const transact = async <T>(...given: Parameters<typeof store.transact<T>>) => {
    most = Math.max(most, ++running)
    await new Promise((resolve) => setImmediate(resolve))
    return store.transact(...given).finally(() => running--)
  }
  const slow = new Proxy(store, {
    get: (target, name) => (name === 'transact' ? transact : Reflect.get(target, name).bind(target)),
  })
  expect(await sweep({ ...t.control, store: slow })).toMatchObject({ expired: 12 })
  expect([most, await leased()]).toEqual([4, 0])
})

test('sweep: 1,600 lapsed leases take rounds of sixteen, not one by one, and a handful of calls each', async () => {
  await t.openCell()
  const caller = await t.caller()
  await claimLeases(t.control, caller, {
    agent: newId('agt', 1),
    tunnels: [{ name: 'a', kind: 'tcp' }],
    takeover: false,
  })
  const [found] = (
    await t.control.store.query(queries.leasesOfAccount, {
      where: { account: caller.account, state: 'leased' },
      limit: 1,
    })
  ).items
  if (!found) throw new Error('no lease')
  const accountsInAll = 160
  for (let n = 0; n < accountsInAll; n++) {
    const account = `acc_${n}`
    await t.control.store.batch([
      {
        op: 'create',
        ref: quotas.ref(account),
        data: { ...freshQuota(account, t.clock.now()), tunnels: 10, online: 10 },
      },
      ...Array.from({ length: 10 }, (_, k) => ({
        op: 'create' as const,
        ref: endpoints.ref(`host:t${n}-${k}.tunnel.example.com`),
        data: { ...found.data, kind: 'host' as const, account, tunnel: newId('tun', n * 10 + k) },
      })),
    ])
  }
  t.clock.advance(3 * 3_600_000)
  const counted = countingStore(t.control.store)
  let rounds = 0
  const gate: (() => void)[] = []
  const open = () => {
    rounds++
    for (const go of gate.splice(0)) go()
  }
  const { store } = counted
  const transact = async <T>(...given: Parameters<typeof store.transact<T>>) => {
    // All calls in flight at one moment count as one round.
    await new Promise<void>((resolve) => {
      if (gate.push(resolve) === 1) setImmediate(() => setImmediate(open))
    })
    return store.transact(...given)
  }
  const slow = { ...bound(store), transact }
  expect(await sweep({ ...t.control, store: slow })).toMatchObject({ expired: 1_601 })
  // An account's leases share its quota, so they end one after the other: ten here, for sixteen accounts at a time.
  expect(rounds).toBeLessThan(1_600 / 8)
  const { reads, writes } = counted.counts
  // One of each is the look of the alerts at the tunnel.
  expect([reads / 1_600, writes / 1_600].map(Math.ceil)).toEqual([5, 5])
})

test('sweep: where a worker died, the next goes on', async () => {
  await makeLapsed()
  for (let n = 1; n < 8; n++) {
    const dying = makeWorker({ ...t.control, store: dyingAt(t.control.store, n, 'after') }, 1)
    await dying.begin().catch(() => undefined)
    await dying.take(['endpoints.sweep:all']).catch(() => undefined)
    t.clock.advance(61_000)
  }
  await t.runJobs()
  expect(await leased()).toBe(0)
})

async function makeFull(): Promise<Caller> {
  const ada = await t.caller()
  const control = t.of(ada)
  await t.openCell()
  for (let n = 0; n < 8; n++) await createTunnel(control, ada, { name: `t${n}`, kind: 'tcp', policy: {} })
  for (let n = 0; n < 3; n++) await createKey(control, ada, { name: `k${n}`, scopes: ['read'] })
  await createService(control, ada, { name: 'ci', role: 'developer' })
  await claimLeases(t.control, ada, {
    agent: newId('agt', 1),
    tunnels: [{ name: 't0', kind: 'tcp' }],
    takeover: false,
  })
  await setAccountStatus(t.control, ada.account, 'closed', ada)
  return ada
}

async function leftOf({ account }: Caller): Promise<readonly number[]> {
  const { store } = t.control
  const options = { where: { account }, limit: 400 }
  const pages = await Promise.all([
    store.query(queries.tunnelsOfAccount, options),
    store.query(queries.allKeysOfAccount, options),
    store.query(queries.membersOfAccount, options),
    store.query(queries.auditOfAccount, options),
  ])
  return pages.map(({ items }) => items.length)
}

test('a closed account is erased a month later, over a crash at every write, and every seal verifies', async () => {
  const ada = await makeFull()
  await t.runJobs()
  expect((await leftOf(ada))[0]).toBe(8)
  const where = { account: ada.account }
  const tunnelsThen = await t.control.store.query(queries.tunnelsOfAccount, { where, limit: 20 })
  t.clock.advance(eraseAfterMs)
  await t.runJobs()
  const id = `account.erase:${ada.account}`
  // Each worker gets one write further than the one before, and dies.
  for (const when of ['before', 'after'] as const)
    for (let n = 1; n <= 10; n++) {
      const dying = makeWorker({ ...t.control, store: dyingAt(t.control.store, n, when) }, 1)
      await dying.take([id]).catch(() => undefined)
      t.clock.advance(3_700_000)
    }
  for (let n = 0; n < 3; n++) {
    await t.runJobs()
    t.clock.advance(3_700_000)
  }
  expect(await leftOf(ada)).toEqual([0, 0, 0, 0])
  const { store } = t.control
  const had = tunnelsThen.items.map(({ ref }) => deletedTunnels.ref(ref.id))
  const tombstones = (await store.getAll(had)).map((found) => found?.data)
  const kept = tombstones.map((one) => (one ? one.ttl.getTime() - one.deletedAt : 0))
  expect(kept).toEqual(had.map(() => lateMaxMs))
  expect((await store.get(accounts.ref(ada.account)))?.data).toMatchObject({ name: '', status: 'closed' })
  const erased = { where: { account: '', action: 'account.erased' }, limit: 10 }
  const { items } = await store.query(queries.auditByAction, erased)
  expect(items.map(({ data }) => data.target)).toEqual([ada.account])
  const { problems, gone } = await verifyAudit(store, { nowMs: t.clock.now() })
  expect([problems, gone > 10]).toEqual([[], true])
})

test('the names of a closed account rest, over a crash at every write, and relays are told', async () => {
  await t.openCell()
  const ada = await t.caller()
  const own = t.of(ada)
  const hosts = ['a', 'b', 'c'].map((name) => `${name}.example.org`)
  for (const [n, host] of hosts.entries()) {
    const tunnel = { name: `t${Math.min(n, 1)}`, kind: 'http' as const, policy: {} }
    const known = (
      await t.control.store.query(queries.tunnelsOfAccount, { where: { account: ada.account }, limit: 9 })
    ).items
    const id =
      known.find(({ data }) => data.name === tunnel.name)?.ref.id ??
      (await createTunnel(own, ada, tunnel)).ref.id
    await t.control.store.update(tunnels.ref(id), { cell: 'home' })
    await addName(t.control, ada, { tunnel: id, host })
  }
  const { cursor } = await t.sync()
  await setAccountStatus(t.control, ada.account, 'closed', ada)
  const id = `account.close:${ada.account}`
  for (const when of ['before', 'after'] as const)
    for (let n = 1; n <= 6; n++) {
      const dying = makeWorker({ ...t.control, store: dyingAt(t.control.store, n, when) }, 1)
      await dying.take([id]).catch(() => undefined)
      t.clock.advance(3_700_000)
    }
  await t.runJobs()
  const docs = await t.control.store.getAll(hosts.map((host) => names.ref(host)))
  expect(docs.map((doc) => doc?.data.state)).toEqual(['resting', 'resting', 'resting'])
  const left = await t.control.store.query(queries.tunnelsOfAccount, {
    where: { account: ada.account },
    limit: 9,
  })
  expect(left.items.flatMap(({ data }) => data.names ?? [])).toEqual([])
  const told = (await t.sync({ cursor })).commands.flatMap((command) =>
    command?.kind === 'name' && command.tunnel === '' ? [command.host] : [],
  )
  expect(told.toSorted()).toEqual(hosts)
  expect(await t.control.store.get(jobs.ref(id))).toBeUndefined()
})

test('a person without another account is erased with it, and may come again as a stranger', async () => {
  const { store } = t.control
  const password = 'correct horse battery'
  const signUp = async (email: string) => {
    const { tokens } = await t.identity.register({ email, password }, { from: '' })
    const caller = await t.principals.authenticate(tokens.accessToken, '')
    return { email, token: tokens.accessToken, id: caller.member, account: caller.account }
  }
  const [ada, bob, eve] = [
    await signUp('ada@example.com'),
    await signUp('bob@example.com'),
    await signUp('eve@example.com'),
  ]
  const own = t.of(ada)
  for (const { id } of [bob, eve]) await addMember(own, { user: id, role: 'viewer', actor: 'test' })
  // Eve is an operator, Bob has his own account, and Ada has no other.
  const office = { control: t.control, enrolment: t.relayIdentity }
  await runAct(office, { act: 'operators.add', input: { who: eve.id }, operator: 'grace' })
  await store.delete(members.ref(`${eve.account}:${eve.id}`))
  await setAccountStatus(t.control, ada.account, 'closed')
  await t.runJobs()
  t.clock.advance(eraseAfterMs)
  const id = `account.erase:${ada.account}`
  for (const when of ['before', 'after'] as const)
    for (let n = 1; n <= 8; n++) {
      await t.runJobs()
      const dying = makeWorker({ ...t.control, store: dyingAt(store, n, when) }, 1)
      await dying.take([id]).catch(() => undefined)
      t.clock.advance(3_700_000)
    }
  const kept = await Promise.all(
    [ada, bob, eve].map(async (each) => (await store.get(users.ref(each.id)))?.data.email),
  )
  expect(kept).toEqual([undefined, 'bob@example.com', 'eve@example.com'])
  const left = await store.get(identities.ref(`local:${ada.id}`))
  expect(left?.data).toMatchObject({ user: '', ttl: new Date((left?.data.erasedAt ?? 0) + lateMaxMs) })
  await expect(t.identity.login({ email: ada.email, password }, { from: '' })).rejects.toMatchObject({
    key: 'auth.credentials',
  })
  const again = await signUp('ada@example.com')
  expect([again.id === ada.id, again.account === ada.account]).toEqual([false, false])
  const { tokens } = await t.identity.login({ email: bob.email, password }, { from: '' })
  expect((await t.principals.authenticate(tokens.accessToken, '')).account).toBe(bob.account)
})

test('accounts closed by an older release, which asked for no erasure, are erased too', async () => {
  const ada = await makeFull()
  await t.runJobs()
  // As such a release left them.
  await t.control.store.delete(jobs.ref(`account.erase:${ada.account}`))
  for (let days = 0; days < 45; days++) {
    t.clock.advance(dayMs)
    await t.runJobs()
  }
  expect(await leftOf(ada)).toEqual([0, 0, 0, 0])
  // An erased account is not asked for again.
  expect(await t.control.store.get(jobs.ref(`account.erase:${ada.account}`))).toBeUndefined()
})

test('an account that is opened again within the month keeps everything', async () => {
  const ada = await makeFull()
  await t.runJobs()
  // An operator changes the store by hand: no rule of ours opens a closed account.
  await t.control.store.update(accounts.ref(ada.account), { status: 'active' })
  t.clock.advance(eraseAfterMs)
  await t.runJobs()
  expect((await leftOf(ada)).slice(0, 3)).toEqual([8, 3, 2])
})

test('relays gone for a week are deleted, with what they had bound; others are not', async () => {
  await t.openCell()
  const { relay } = await t.sync()
  const id = `${relay}:r1`
  t.clock.advance(relayKeptMs - dayMs)
  await t.runJobs()
  expect(await t.control.store.get(relays.ref(id))).toBeDefined()
  t.clock.advance(2 * dayMs)
  await t.runJobs()
  expect(await t.control.store.get(relays.ref(id))).toBeUndefined()
  await t.sync()
  expect(await t.control.store.get(relays.ref(id))).toBeDefined()
})
