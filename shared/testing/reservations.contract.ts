/**
 * The promises of kept names and ports, for any Store: one account gets each however many race, nobody keeps more than
 * the plan allows, and a released or moved one goes to nobody else before its rest is over.
 */
import { describe, expect } from 'vitest'
import type { SyncRequest } from '../api/schemas/relays.ts'
import type { ClaimResult, Lease } from '../api/schemas/tunnels.ts'
import { keyOfCode } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import { setAccountStatus } from '../control/accounts.ts'
import type { Caller } from '../control/caller.ts'
import { ensureCell } from '../control/cells.ts'
import { claimLeases } from '../control/claims.ts'
import { controlOf } from '../control/control.ts'
import { endpoints, members, type TunnelDoc, tunnels } from '../control/documents.ts'
import { makeWorker } from '../control/jobs/kinds.ts'
import { addMember } from '../control/members.ts'
import { plans } from '../control/plans.ts'
import type { Store } from '../control/platform.ts'
import { quotas } from '../control/quota-documents.ts'
import { syncRelay } from '../control/relays.ts'
import { releaseLeases } from '../control/releases.ts'
import { moveToAccount, moveToTunnel } from '../control/reservation-moves.ts'
import { releaseReservation } from '../control/reservations.ts'
import { reserveName, reservePort } from '../control/reserving.ts'
import { sweep } from '../control/sweeper.ts'
import { createTunnel, deleteTunnel } from '../control/tunnels.ts'
import { limits } from '../protocol/limits.ts'
import { outcome, signIn } from './callers.ts'
import { type Cases, casesOn } from './cases.ts'
import { instanceOver, quietSync } from './claims.contract.ts'
import { FakeClock } from './fake-clock.ts'
import type { MakeStore } from './store.contract.ts'

const hour = 3_600_000
const day = 24 * hour
const agent = newId('agt', 1)
const relay = newId('rel', 1)
const shop = 'host:shop.x.example.com'
const domain = 'x.example.com'

type Wanted = { readonly name?: string; readonly kind: 'http' | 'tcp'; readonly port?: number }

async function makeStage(store: Store) {
  const clock = new FakeClock()
  const control = instanceOver(store, clock)
  const other = instanceOver(store, clock)
  const place = { host: domain, domain, httpScheme: 'http', httpPort: 80, tlsPort: 443 } as const
  await ensureCell(control, { id: 'home', ...place, portFrom: 20_000, portTo: 20_009 })
  const sync = (changes: Partial<SyncRequest> = {}) =>
    syncRelay(control, { relay, cell: 'home' }, { ...quietSync, ...changes })
  await sync()
  await control.signer.rotate()
  const person = (name: string, plan?: string) => signIn(control, `${name}@example.com`, { plan })
  return {
    store,
    clock,
    control,
    other,
    sync,
    person,
    ada: await person('ada'),
    eve: await person('eve'),
    /** Syncs as every relay does: twice with the overlap between, so that it has applied everything up to now. */
    async settle() {
      const { cursor } = await sync()
      clock.advance(150_000)
      const next = await sync({ cursor })
      await sync({ cursor: next.cursor })
    },
    async runJobs() {
      const worker = makeWorker(control, 1)
      await worker.begin()
      await worker.round(60_000)
    },
    claim: async (caller: Caller, wanted: Wanted) =>
      claimLeases(control, caller, { agent, tunnels: [wanted], takeover: false }),
    doc: async (id = shop) => (await store.get(endpoints.ref(id)))?.data,
    quota: async ({ account }: Caller) => (await store.get(quotas.ref(account)))?.data,
    tunnel: async (id: string): Promise<TunnelDoc | undefined> => (await store.get(tunnels.ref(id)))?.data,
  }
}

/** The result: the code's key, or the lease's address. */
function told({ results: [first] }: ClaimResult): string {
  if (!first) return 'nothing'
  return 'problem' in first ? (keyOfCode(first.problem.code) ?? first.problem.code) : nameOfLease(first.lease)
}

function leaseOf({ results: [first] }: ClaimResult): Lease {
  if (!first || !('lease' in first)) throw new Error(JSON.stringify(first))
  return first.lease
}

function nameOfLease({ endpoint: { id } }: Lease): string {
  return id.startsWith('tcp') ? `${id.split(':').at(-1)}` : id.slice('host:'.length, -domain.length - 1)
}

export function describeReservations(name: string, make: MakeStore, cases: Cases = 'all'): void {
  const { race, rule } = casesOn(make, makeStage, cases)
  const web = { name: 'shop', kind: 'http' } as const
  const at = (port: number) => ({ name: 'db', kind: 'tcp', port }) as const

  describe(`kept names and ports: ${name}`, () => {
    race('one of two accounts that race for a name keeps it, through any instance', async (stage) => {
      const { control, other, ada, eve } = stage
      const both = await Promise.all([
        outcome(reserveName(control, ada, { name: 'shop' })),
        outcome(reserveName(other, eve, { name: 'SHOP.x.example.com.' })),
      ])
      expect(both.toSorted()).toEqual(['done', 'endpoint.name_taken'])
      const [winner, loser] = both[0] === 'done' ? [ada, eve] : [eve, ada]
      expect(await stage.doc()).toMatchObject({ state: 'reserved', account: winner.account })
      expect(await stage.quota(winner)).toMatchObject({ reservedHosts: 1 })
      expect((await stage.quota(loser))?.reservedHosts ?? 0).toBe(0)
      expect(told(await stage.claim(loser, web))).toBe('endpoint.name_taken')
      expect(told(await stage.claim(winner, web))).toBe('shop')
    })

    race('when a claim and a reservation race for a name, one account gets it', async (stage) => {
      const { control, ada, eve } = stage
      const [reserved, claimed] = await Promise.all([
        outcome(reserveName(control, ada, { name: 'shop' })),
        stage.claim(eve, web).then(told),
      ])
      expect([`${reserved}, ${claimed}`]).toEqual([
        expect.stringMatching(/^(done, endpoint\.name_taken|endpoint\.name_taken, shop)$/),
      ])
    })

    race(
      'of seven requests for the last port of the plan one succeeds, and the others are told limit and plan',
      async (stage) => {
        const { control, other, ada } = stage
        for (const port of [20_000, 20_001]) await reservePort(control, ada, { port })
        const calls = Array.from({ length: 7 }, (_, n) =>
          outcome(reservePort(n % 2 ? other : control, ada, { port: 20_002 + n })),
        )
        const keys = await Promise.all(calls)
        expect(keys.filter((key) => key === 'done')).toHaveLength(1)
        expect(new Set(keys)).toEqual(new Set(['done', 'quota.reserved_ports']))
        expect(await stage.quota(ada)).toMatchObject({ reservedPorts: plans.pro.reservedPorts })
        await expect(reservePort(control, ada, {})).rejects.toThrow(
          'The plan "pro" has room for 3 reserved ports',
        )
      },
    )

    race(
      'two accounts that race for one port: one keeps it, and only that one is served there',
      async (stage) => {
        const { control, other, ada, eve } = stage
        const both = await Promise.all([
          outcome(reservePort(control, ada, { port: 20_005 })),
          outcome(reservePort(other, eve, { port: 20_005 })),
        ])
        expect(both.toSorted()).toEqual(['done', 'endpoint.port_taken'])
        const [winner, loser] = both[0] === 'done' ? [ada, eve] : [eve, ada]
        expect(told(await stage.claim(loser, at(20_005)))).toBe('endpoint.port_taken')
        expect(told(await stage.claim(winner, at(20_005)))).toBe('20005')
      },
    )

    rule('a kept port is never given at random, not even when no other is left', async (stage) => {
      const { control, ada, eve } = stage
      await reservePort(control, ada, { port: 20_009 })
      const big = { ...eve, limits: plans.unlimited }
      for (let n = 0; n < 9; n++)
        expect(told(await stage.claim(big, { name: `n${n}`, kind: 'tcp' }))).not.toBe('20009')
      expect(told(await stage.claim(big, { name: 'last', kind: 'tcp' }))).toBe('endpoint.exhausted')
      expect(told(await stage.claim(ada, { name: 'mine', kind: 'tcp' }))).toBe('endpoint.exhausted')
      expect(told(await stage.claim(ada, at(20_009)))).toBe('20009')
    })

    rule('a kept name outlives its tunnel, its lease, the sweeper and 60 days', async (stage) => {
      const { control, ada, eve } = stage
      await reserveName(control, ada, { name: 'shop' })
      const { tunnel } = leaseOf(await stage.claim(ada, web))
      await releaseLeases(control, ada, { agent, tunnels: [tunnel] })
      await deleteTunnel(controlOf(control, ada.account), ada, { id: tunnel })
      for (let days = 0; days < 60; days += 20) {
        stage.clock.advance(20 * day)
        await stage.settle()
        await sweep(control)
      }
      expect(await stage.doc()).toMatchObject({ state: 'reserved', account: ada.account, reservedTunnel: '' })
      expect(told(await stage.claim(eve, web))).toBe('endpoint.name_taken')
      expect(told(await stage.claim(ada, web))).toBe('shop')
    })

    rule('a released name rests as long as it was kept, but not for its own account', async (stage) => {
      const { control, ada, eve } = stage
      await reserveName(control, ada, { name: 'shop' })
      stage.clock.advance(3 * day)
      await stage.settle()
      await releaseReservation(control, ada, { id: shop })
      expect(await stage.quota(ada)).toMatchObject({ reservedHosts: 0 })
      stage.clock.advance(2 * day)
      await stage.settle()
      expect(await outcome(reserveName(control, eve, { name: 'shop' }))).toBe('endpoint.name_taken')
      expect(told(await stage.claim(eve, web))).toBe('endpoint.name_taken')
      expect(await outcome(reserveName(control, ada, { name: 'shop' }))).toBe('done')
      expect(await outcome(releaseReservation(control, eve, { id: shop }))).toBe('api.not_found')
      await releaseReservation(control, ada, { id: shop })
      // Kept only for a moment this time, so it rests an hour or so.
      stage.clock.advance(limits.ticketMs + limits.skewMs)
      await stage.settle()
      expect(await outcome(reserveName(control, eve, { name: 'shop' }))).toBe('endpoint.name_taken')
      stage.clock.advance(day)
      await stage.settle()
      await sweep(control)
      expect(await outcome(reserveName(control, eve, { name: 'shop' }))).toBe('done')
    })

    rule('a tunnel goes on when its port is released', async (stage) => {
      const { control, ada } = stage
      await reservePort(control, ada, { port: 20_003 })
      const { tunnel } = leaseOf(await stage.claim(ada, at(20_003)))
      await releaseReservation(control, ada, { id: 'tcp:home:20003' })
      expect(await stage.doc('tcp:home:20003')).toMatchObject({ state: 'leased', tunnel })
      expect(told(await stage.claim(ada, at(20_003)))).toBe('20003')
    })

    rule('a tunnel whose given name is released gets its own at its next start', async (stage) => {
      const { control, ada } = stage
      await reserveName(control, ada, { name: 'shop' })
      const other = { name: 'shop-v2', kind: 'http' } as const
      const { tunnel } = leaseOf(await stage.claim(ada, other))
      await moveToTunnel(control, ada, { id: shop, tunnel })
      expect(told(await stage.claim(ada, other))).toBe('shop')
      await releaseReservation(control, ada, { id: shop })
      expect(await stage.doc()).toMatchObject({ state: 'leased', tunnel })
      expect((await stage.tunnel(tunnel))?.wish).toBeUndefined()
      await stage.settle()
      expect(told(await stage.claim(ada, other))).toBe('shop-v2')
      expect(await stage.quota(ada)).toMatchObject({ online: 1, reservedHosts: 0 })
    })

    rule(
      'a name goes from one tunnel to another at once, and the first does not take it back',
      async (stage) => {
        const { control, ada } = stage
        const own = controlOf(control, ada.account)
        await reserveName(control, ada, { name: 'shop' })
        const first = leaseOf(await stage.claim(ada, web))
        const { ref } = await createTunnel(own, ada, { name: 'shop-v2', kind: 'http', policy: {} })
        const second = leaseOf(await stage.claim(ada, { name: 'shop-v2', kind: 'http' }))
        const moved = await moveToTunnel(control, ada, { id: shop, tunnel: ref.id })
        expect(moved.data).toMatchObject({ reservedTunnel: ref.id, reservedRevision: 2 })
        const { commands } = await stage.sync()
        const revoked = commands.flatMap((one) => ('reason' in one ? [`${one.endpoint} ${one.reason}`] : []))
        expect(revoked.toSorted()).toEqual([`host:shop-v2.${domain} moved`, `${shop} moved`])
        expect(told(await stage.claim(ada, web))).toBe('endpoint.name_taken')
        const next = leaseOf(await stage.claim(ada, { name: 'shop-v2', kind: 'http' }))
        expect(next.endpoint.id).toBe(shop)
        expect(next.epoch).toBeGreaterThan(first.epoch)
        expect([next.tunnel, second.tunnel]).toEqual([ref.id, ref.id])
        expect(await stage.quota(ada)).toMatchObject({ online: 1 })
        await moveToTunnel(control, ada, { id: shop, tunnel: undefined })
        expect((await stage.tunnel(ref.id))?.wish).toBeUndefined()
      },
    )

    rule('giving a tunnel a second name frees the first for the others', async (stage) => {
      const { control, ada } = stage
      for (const label of ['shop', 'more']) await reserveName(control, ada, { name: label })
      const other = { name: 'v2', kind: 'http' } as const
      const { tunnel } = leaseOf(await stage.claim(ada, other))
      await moveToTunnel(control, ada, { id: shop, tunnel })
      expect(told(await stage.claim(ada, other))).toBe('shop')
      await moveToTunnel(control, ada, { id: `host:more.${domain}`, tunnel })
      expect(await stage.doc()).toMatchObject({ reservedTunnel: '', holders: {} })
      expect(told(await stage.claim(ada, other))).toBe('more')
      await stage.settle()
      expect(told(await stage.claim(ada, web))).toBe('shop')
      expect(await stage.quota(ada)).toMatchObject({ online: 2, reservedHosts: 2 })
    })

    rule('deleting a tunnel frees its given name for the others', async (stage) => {
      const { control, ada } = stage
      const own = controlOf(control, ada.account)
      await reserveName(control, ada, { name: 'shop' })
      const { ref } = await createTunnel(own, ada, { name: 'v2', kind: 'http', policy: {} })
      await moveToTunnel(control, ada, { id: shop, tunnel: ref.id })
      await deleteTunnel(own, ada, { id: ref.id })
      expect(told(await stage.claim(ada, web))).toBe('shop')
    })

    rule(
      'another account of the same person gets it when no ticket of the first can bind it',
      async (stage) => {
        const { control, ada, eve } = stage
        const own = controlOf(control, eve.account)
        await reserveName(control, ada, { name: 'shop' })
        await stage.claim(ada, web)
        const move = () => outcome(moveToAccount(control, ada, { id: shop, account: eve.account }))
        expect(await move(), 'not a member there').toBe('api.not_found')
        await addMember(own, { user: ada.member, role: 'viewer', actor: 'test' })
        expect(await move(), 'may not change names there').toBe('api.not_found')
        await stage.store.update(members.ref(`${eve.account}:${ada.member}`), { role: 'developer' })
        expect(await move()).toBe('done')
        expect([(await stage.quota(ada))?.reservedHosts, (await stage.quota(ada))?.online]).toEqual([0, 0])
        expect(await stage.quota(eve)).toMatchObject({ reservedHosts: 1 })
        expect(told(await stage.claim(ada, web))).toBe('endpoint.name_taken')
        await stage.settle()
        const [refused] = (await stage.claim(eve, web)).results
        expect(refused).toMatchObject({ problem: { detail: expect.stringMatching(/free in 6[0-9] min/) } })
        const { ref } = await createTunnel(own, eve, { name: 'theirs', kind: 'http', policy: {} })
        await moveToTunnel(control, eve, { id: shop, tunnel: ref.id })
        const theirs = { name: 'theirs', kind: 'http' } as const
        expect(told(await stage.claim(eve, theirs)), 'also when it is given to a tunnel').toBe(
          'endpoint.resting',
        )
        stage.clock.advance(limits.ticketMs + limits.skewMs)
        await stage.settle()
        expect(told(await stage.claim(eve, theirs))).toBe('shop')
      },
    )

    rule(
      'a name that nobody serves moves at once, but not beyond the other account’s plan',
      async (stage) => {
        const { control, ada } = stage
        const free = await stage.person('fay', 'free')
        await addMember(controlOf(control, free.account), { user: ada.member, role: 'admin', actor: 'test' })
        for (const label of ['shop', 'more']) await reserveName(control, ada, { name: label })
        const move = (id: string) => outcome(moveToAccount(control, ada, { id, account: free.account }))
        expect(await move(shop)).toBe('done')
        expect(await move(`host:more.${domain}`)).toBe('quota.reserved_hosts')
        expect(told(await stage.claim(free, web))).toBe('shop')
      },
    )

    rule('a lowered plan takes nothing away and adds nothing', async (stage) => {
      const { control, ada } = stage
      for (const label of ['shop', 'more', 'third']) await reserveName(control, ada, { name: label })
      const less = { ...ada, plan: 'free', limits: plans.free }
      expect(await outcome(reserveName(control, less, { name: 'fourth' }))).toBe('quota.reserved_hosts')
      expect(await outcome(reserveName(control, less, { name: 'more' })), 'kept already').toBe('done')
      expect(told(await stage.claim(less, web))).toBe('shop')
      for (const label of ['shop', 'more', 'third'])
        await releaseReservation(control, less, { id: `host:${label}.${domain}` })
      expect(await outcome(reserveName(control, less, { name: 'fourth' }))).toBe('done')
    })

    rule('a closed account keeps nothing, and its names become free', async (stage) => {
      const { control, ada, eve } = stage
      await reserveName(control, ada, { name: 'shop' })
      await setAccountStatus(controlOf(control, ada.account), ada.account, 'closed', ada)
      await stage.runJobs()
      stage.clock.advance(2 * day)
      await stage.settle()
      await sweep(control)
      expect(await outcome(reserveName(control, eve, { name: 'shop' }))).toBe('done')
    })
  })
}
