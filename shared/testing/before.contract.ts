/**
 * Converts what releases up to 0.1 left in any Store, while such a release still runs beside: members without a status,
 * keys without an owner, `online`, months, unsealed audit entries, closed accounts. Each round of jobs may be the
 * first, the old release may write again between them, and nothing counts twice.
 */
import { expect } from 'vitest'
import { newId } from '../base/ids.ts'
import { silentLog } from '../base/log.ts'
import { sealAudit } from '../control/audit/sealer.ts'
import { verifyAudit } from '../control/audit/verify.ts'
import { auditDocument } from '../control/audit.ts'
import { audit } from '../control/audit-documents.ts'
import { countUsage } from '../control/books/count.ts'
import type { Control } from '../control/control.ts'
import { recountQuotas } from '../control/counting.ts'
import { accounts, keys, members, users } from '../control/documents.ts'
import { eraseAccounts, findClosedAccounts } from '../control/erasing.ts'
import { Worker } from '../control/jobs/worker.ts'
import { giveOwners, ownerOfOldKeys } from '../control/ownerless-keys.ts'
import type { Doc, Ref, Store } from '../control/platform.ts'
import { queries } from '../control/query-table.ts'
import { online, quotas } from '../control/quota-documents.ts'
import { monthsOfBefore } from '../control/usage-documents.ts'
import { type Cases, casesOn } from './cases.ts'
import { FakeClock } from './fake-clock.ts'
import type { MakeStore } from './store.contract.ts'

const hour = 3_600_000
const day = 24 * hour
const now = Date.UTC(2026, 0, 20, 6)
const [ada, gone] = ['acc_0000000000000000000000000a', 'acc_0000000000000000000000000b']
const month = Date.UTC(2026, 0)

function makeStage(store: Store) {
  const clock = new FakeClock(now)
  const bus = { publish: async () => {} }
  const identity = {
    kind: 'local',
    forget: async () => {},
    endSignIns: async () => {},
    moveAddress: async () => {},
  }
  const cells = { openIds: async () => [] }
  const parts = { store, clock, bus, identity, cells, random: Math.random, log: silentLog }
  const control = parts as unknown as Control
  const make = [giveOwners, recountQuotas, countUsage, sealAudit, findClosedAccounts, eraseAccounts]
  return {
    store,
    clock,
    async round(): Promise<void> {
      const worker = new Worker({ control, kinds: make.map((kind) => kind(control)), atOnce: 4 })
      await worker.begin()
      await worker.round(60_000)
    },
    /** As such a release counts what was carried in January. */
    async oldMonth(bytes: number): Promise<void> {
      const times = { start: month, rolledAt: clock.now(), openFrom: now, ttl: new Date(now + 400 * day) }
      const counted = { hours: { [now - hour]: bytes }, bytes, warned: 0 }
      await store.set(monthsOfBefore.ref(`${ada}:2026-01`), { account: ada, ...counted, ...times })
    },
    /** As such a release writes it with each report of a relay. */
    oldOnline: () => store.set(online.ref(ada), { account: ada, tunnels: { tun: 1 } } as never),
  }
}
type Stage = ReturnType<typeof makeStage>

/** Documents field by field as that release wrote them; no type of today describes them. */
async function fill({ store, oldMonth, oldOnline }: Stage): Promise<void> {
  const set = (ref: Ref, data: Doc) => store.set(ref, data)
  const account = { name: 'Lab', plan: 'pro', statusVersion: 1, overrides: {}, createdAt: 1 }
  await set(accounts.ref(ada) as Ref, { ...account, status: 'active' })
  await set(accounts.ref(gone) as Ref, { ...account, status: 'closed', closedAt: now - 40 * day })
  for (const [of, user, role] of [
    [ada, 'usr_ada', 'owner'],
    [ada, 'usr_dan', 'member'],
    [gone, 'usr_gone', 'owner'],
  ] as const) {
    await set(members.ref(`${of}:${user}`) as Ref, { account: of, user, role, since: 1 })
    const email = `${user.slice(4)}@example.com`
    await set(users.ref(user) as Ref, {
      email,
      emailVerified: true,
      status: 'active',
      validSince: 0,
      providers: ['local'],
    })
  }
  for (const [n, role] of ['owner', 'member', 'member'].entries()) {
    const key = { account: ada, key: `key_${n}`, scopes: ['tunnels'], name: 'ci', hint: 'x', createdAt: n }
    await set(keys.ref(`hash${n}`) as Ref, { ...key, user: '', role, lastUsedDay: '', revokedAt: 0 })
  }
  for (let n = 0; n < 3; n++) {
    const entry = {
      account: n < 2 ? ada : gone,
      actor: 'usr_ada',
      action: 'key.created',
      target: 'k',
      from: '',
    } as const
    await store.create(audit.ref(newId('aud', n + 1)), auditDocument(entry, n + 1))
  }
  await oldMonth(500)
  await oldOnline()
}

export function describeBefore(name: string, make: MakeStore, cases: Cases = 'all'): void {
  casesOn(make, (store) => store, cases).rule(
    `${name}: what a release up to 0.1 left is carried over, while it goes on writing, and counts once`,
    async (store) => {
      const stage = makeStage(store)
      await fill(stage)
      for (let n = 0; n < 3; n++) {
        await stage.round()
        // The old release counts again, and sees only its own relay's report.
        await stage.oldMonth(500 + n * 10)
        await stage.oldOnline()
        stage.clock.advance(2 * hour)
      }
      // From here on it no longer runs.
      for (let n = 0; n < 4; n++) {
        await stage.round()
        stage.clock.advance(day)
      }
      const { items } = await store.query(queries.membersOfAccount, { where: { account: ada }, limit: 20 })
      const services = items.filter(({ data }) => data.name === ownerOfOldKeys)
      expect(services.map(({ data }) => data.role).toSorted()).toEqual(['admin', 'developer'])
      const found = await store.query(queries.allKeysOfAccount, { where: { account: ada }, limit: 20 })
      const roleOf = new Map(services.map(({ data }) => [data.user, data.role]))
      expect(found.items.map(({ data }) => roleOf.get(data.user))).toEqual([
        'admin',
        'developer',
        'developer',
      ])
      expect((await store.get(quotas.ref(ada)))?.data).toMatchObject({ keys: 3, members: 4, online: 0 })
      expect(await store.get(online.ref(ada))).toBeUndefined()
      const periods = await store.query(queries.periodsOfAccount, { where: { account: ada }, limit: 9 })
      expect(periods.items.map(({ data }) => [data.start, data.bytes])).toEqual([[month, 520]])
      expect(await store.get(monthsOfBefore.ref(`${ada}:2026-01`))).toBeUndefined()
      // The closed account and its owner are gone; its entries had to be sealed first.
      expect((await store.get(accounts.ref(gone)))?.data).toMatchObject({ status: 'closed', name: '' })
      expect(await store.get(users.ref('usr_gone'))).toBeUndefined()
      expect(await store.get(users.ref('usr_dan'))).toBeDefined()
      expect(await verifyAudit(store, { nowMs: stage.clock.now() })).toMatchObject({
        gone: 1,
        problems: [],
      })
    },
  )
}
