/**
 * What claims promise over any Store: many agents of one account that start together, through several instances of the
 * control plane, are all served, and never beyond the plan, though all of them change one document.
 */

import { describe, expect, test } from 'vitest'
import type { SyncRequest } from '../api/schemas/relays.ts'
import type { ClaimResult } from '../api/schemas/tunnels.ts'
import { type Clock, sleep, systemClock } from '../base/clock.ts'
import { isFailure } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import { silentLog } from '../base/log.ts'
import { Secret } from '../base/secret.ts'
import type { Caller } from '../control/caller.ts'
import { ensureCell } from '../control/cells.ts'
import { noCertificates } from '../control/certificates/role.ts'
import { claimLeases } from '../control/claims.ts'
import { type Control, makeControl } from '../control/control.ts'
import { noPayments } from '../control/money/payments-none.ts'
import { noDns } from '../control/own-records.ts'
import { plans } from '../control/plans.ts'
import type { Platform, Store } from '../control/platform.ts'
import { queries } from '../control/query-table.ts'
import { quotas } from '../control/quota-documents.ts'
import { syncRelay } from '../control/relays.ts'
import { limits } from '../protocol/limits.ts'
import { signIn } from './callers.ts'
import { FakeClock } from './fake-clock.ts'
import { type MakeStore, withStore } from './store.contract.ts'
import { noInquiries } from './zones.ts'

const tunnelsPerAgent = 2
const instances = 4
const relay = newId('rel', 1)
export const quietSync: SyncRequest = {
  boot: {
    instance: 'r1',
    boot: '01k0000000000000000000boot',
    version: '0.0.0',
    agentAddress: { host: '192.0.2.10', port: 7000, sni: 'r1.example.com' },
    watchUrl: 'https://r1.example.com',
  },
  state: 'ready',
  load: { sessions: 0, streams: 0, cpu: 0, rssBytes: 0 },
  bound: [],
  away: [],
  usage: [],
  events: [],
}

export function instanceOver(store: Store, clock: Clock): Control {
  const bus = {
    publish: async () => {},
    subscribe: async () => ({ close: async () => {} }),
    close: async () => {},
  }
  const vault = {
    wrap: async (plain: { reveal(): string }) => plain.reveal(),
    unwrap: async (wrapped: string) => new Secret(wrapped),
  }
  const others = { identity: { kind: 'local' }, relayIdentity: {}, mail: {} }
  const url = 'https://tunnel.example.com'
  const settings = {
    issuer: url,
    consoleUrl: url,
    docsUrl: url,
    version: '0',
    registration: 'open' as const,
    defaultPlan: 'free',
  }
  const outside = {
    certificates: noCertificates,
    inquiries: noInquiries,
    dns: noDns,
    askNetworks: async () => [],
    payments: noPayments,
  }
  const platform = { store, bus, vault, ...others, ...outside } as unknown as Platform
  return makeControl(platform, { clock, random: Math.random, log: silentLog, settings })
}

async function setUp(
  store: Store,
  plan: string,
  clock: Clock = systemClock,
): Promise<{ controls: readonly Control[]; caller: Caller }> {
  const controls = Array.from({ length: instances }, () => instanceOver(store, clock))
  const [control] = controls
  if (!control) throw new Error('no control plane')
  const place = {
    host: 'x.example.com',
    domain: 'x.example.com',
    httpScheme: 'http',
    httpPort: 80,
    tlsPort: 443,
  } as const
  await ensureCell(control, { id: 'home', ...place, portFrom: 20_000, portTo: 20_999 })
  await syncRelay(control, { relay, cell: 'home' }, quietSync)
  await control.signer.rotate()
  return { controls, caller: await signIn(control, 'ada@example.com', { plan }) }
}

type Answers = { readonly leased: number; readonly refused: readonly string[] }

/** Each agent claims through one of the instances, and again when it is told to, as agents do. */
async function claimAll(
  controls: readonly Control[],
  caller: Caller,
  count: number,
): Promise<readonly Answers[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, n): Promise<Answers> => {
      const control = controls[n % controls.length]
      if (!control) throw new Error('no control plane')
      const tunnels = Array.from({ length: tunnelsPerAgent }, (__, at) => ({
        name: `t${n}-${at}`,
        kind: 'tcp' as const,
      }))
      const request = { agent: newId('agt', n + 1), tunnels, takeover: false }
      for (;;) {
        const problems = await problemsOf(claimLeases(control, caller, request))
        const later = problems.find(({ code }) => waiting.has(code))
        const refused = problems.map(({ code }) => code)
        if (!later) return { leased: tunnels.length - refused.length, refused }
        await sleep(systemClock, (later.retryAfter ?? 1 + Math.random()) * 1_000)
      }
    }),
  )
}

/** Busy, or a store that others keep so busy that it does not answer: agents ask again. */
const waiting: ReadonlySet<string> = new Set(['PT-2106', 'PT-0014', 'PT-0013'])

type Told = { readonly code: string; readonly retryAfter?: number | undefined }

/** If one problem answers a whole claim, that one. */
async function problemsOf(claim: Promise<ClaimResult>): Promise<readonly Told[]> {
  try {
    return (await claim).results.flatMap((one) => ('problem' in one ? [one.problem] : []))
  } catch (error) {
    if (!isFailure(error)) throw error
    return [{ code: error.code }]
  }
}

/** Counts how often transactions are tried. */
function countTries(store: Store): { readonly store: Store; readonly tries: () => number } {
  let tries = 0
  const counting: Pick<Store, 'transact'> = {
    transact: (fn, options) =>
      store.transact((tx) => {
        tries++
        return fn(tx)
      }, options),
  }
  const proxy = new Proxy(store, {
    get: (target, name) => {
      if (name === 'transact') return counting.transact
      const value = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { store: proxy, tries: () => tries }
}

/** @param agents how many start together; an emulator is slower than the real thing */
export function describeClaims(
  name: string,
  make: MakeStore,
  { agents }: { readonly agents: number } = { agents: 300 },
): void {
  const rivals = agents / 5
  describe(`claims: ${name}`, () => {
    test(
      `${agents} agents of one account that start together, through four instances, are all served`,
      () =>
        withStore(make, async (real) => {
          const { store, tries } = countTries(real)
          const { controls, caller } = await setUp(store, 'unlimited')
          const since = performance.now()
          const answers = await claimAll(controls, caller, agents)
          const tookMs = performance.now() - since
          if (process.env.PT_PRINT_COUNTS)
            process.stdout.write(
              `${name}: ${agents} agents in ${(tookMs / 1_000).toFixed(1)} s, ${tries()} tries\n`,
            )
          expect(answers.flatMap(({ refused }) => refused)).toEqual([])
          // Alone, each claim would lose against others many times. Lanes put many claims into a transaction, and do
          // not fall apart when one is lost.
          expect(tries()).toBeLessThan(agents)
          const quota = await store.get(quotas.ref(caller.account))
          const all = agents * tunnelsPerAgent
          expect(quota?.data).toMatchObject({ tunnels: all, online: all })
        }),
      120_000,
    )

    test(
      `of ${rivals} agents that race through four instances, as many are served as the plan has`,
      () =>
        withStore(make, async (store) => {
          const { controls, caller } = await setUp(store, 'free')
          const answers = await claimAll(controls, caller, rivals)
          const leased = answers.reduce((sum, one) => sum + one.leased, 0)
          expect(leased).toBe(plans.free.tunnelsOnline)
          const where = { account: caller.account, state: 'leased' }
          const { items } = await store.query(queries.leasesOfAccount, { where, limit: 100 })
          expect(items).toHaveLength(leased)
          const quota = await store.get(quotas.ref(caller.account))
          expect(quota?.data).toMatchObject({ tunnels: leased, online: leased })
        }),
      120_000,
    )

    test(
      'of agents that race for the port of one that died, one has it, at a higher epoch, and its lease is the only one',
      () =>
        withStore(make, async (store) => {
          const clock = new FakeClock()
          const { controls, caller } = await setUp(store, 'free', clock)
          const claim = async (n: number) => {
            const control = controls[n % controls.length]
            if (!control) throw new Error('no control plane')
            const tunnels = [{ name: `t${n}`, kind: 'tcp' as const, port: 20_105 }]
            const request = { agent: newId('agt', n + 1), tunnels, takeover: false, waitedMs: limits.awayMs }
            const [one] = (await claimLeases(control, caller, request)).results
            return one && 'lease' in one ? one.lease.epoch : one?.problem.code
          }
          const before = await claim(0)
          expect(await claim(1)).toBe('PT-2308')
          const [control] = controls
          for (let ms = 0; ms < limits.awayMs; ms += limits.syncMs) {
            clock.advance(limits.syncMs)
            if (control) await syncRelay(control, { relay, cell: 'home' }, quietSync)
          }
          const answers = await Promise.all([1, 2, 3, 4].map(claim))
          const epochs = answers.filter((one) => typeof one === 'number')
          expect(epochs).toHaveLength(1)
          expect(epochs[0]).toBeGreaterThan(Number(before))
          const quota = await store.get(quotas.ref(caller.account))
          expect(quota?.data).toMatchObject({ online: 1 })
        }),
      30_000,
    )
  })
}
