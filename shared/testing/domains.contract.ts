/**
 * The promises of own domains, for any Store: one account has a host, by a record in its zone; a foreign record, a
 * squatter or a silent server takes it from nobody; and a host leads only to a tunnel of that account.
 */
import { describe, expect } from 'vitest'
import { newId } from '../base/ids.ts'
import { setAccountStatus } from '../control/accounts.ts'
import type { Caller } from '../control/caller.ts'
import { ensureCell } from '../control/cells.ts'
import { type Certificates, noCertificates } from '../control/certificates/role.ts'
import type { Control } from '../control/control.ts'
import { controlOf } from '../control/control.ts'
import { jobs } from '../control/documents.ts'
import { domains, verified } from '../control/domains/domain-documents.ts'
import { addDomain, askAgain, giveDomain, readDomain, removeDomain } from '../control/domains/domains.ts'
import { domainId, proofOf } from '../control/domains/proof.ts'
import { isServable } from '../control/domains/servable.ts'
import { makeWorker } from '../control/jobs/kinds.ts'
import { names } from '../control/name-documents.ts'
import { plans } from '../control/plans.ts'
import type { Store } from '../control/platform.ts'
import { quotas } from '../control/quota-documents.ts'
import { syncRelay } from '../control/relays.ts'
import { createTunnel, deleteTunnel } from '../control/tunnels.ts'
import { outcome, signIn } from './callers.ts'
import { type Cases, casesOn } from './cases.ts'
import { instanceOver, quietSync } from './claims.contract.ts'
import { FakeClock } from './fake-clock.ts'
import type { MakeStore } from './store.contract.ts'
import { Zones } from './zones.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const host = 'app.example.com'
const relay = newId('rel', 1)

/** Two people, a cell and hand-written zones; time passes with rounds of jobs. */
export async function makeDomainStage(
  store: Store,
  {
    clock = new FakeClock(),
    certificates = noCertificates,
  }: { readonly clock?: FakeClock; readonly certificates?: Certificates } = {},
) {
  const zones = new Zones()
  const mails: { to: string; subject: string }[] = []
  const mail = { send: async (letter: { to: string; subject: string }) => void mails.push(letter) }
  const control = { ...instanceOver(store, clock), inquiries: zones, mail, certificates } as Control
  const other = { ...instanceOver(store, clock), inquiries: zones, mail } as Control
  const place = {
    host: 'x.example.net',
    domain: 'x.example.net',
    httpScheme: 'http',
    httpPort: 80,
    tlsPort: 443,
  } as const
  await ensureCell(control, { id: 'home', ...place, portFrom: 20_000, portTo: 20_001 })
  await control.signer.rotate()
  await syncRelay(control, { relay, cell: 'home' }, quietSync)
  const ada = await signIn(control, 'ada@example.com')
  const eve = await signIn(control, 'eve@example.com')
  const textOf = async ({ account }: Caller, name = host) => {
    const found = await store.get(domains.ref(domainId(account, name)))
    return found ? (await proofOf(control, found.data, [])).text : ''
  }
  // Without jobs that run for ever, which would run at every step of days.
  const worker = makeWorker(control, 4)
  const tunnelOf = async (caller: Caller, name: string) =>
    (await createTunnel(controlOf(control, caller.account), caller, { name, kind: 'http', policy: {} })).ref
      .id
  return {
    store,
    clock,
    control,
    other,
    zones,
    mails,
    ada,
    eve,
    tunnelOf,
    textOf,
    add: (caller: Caller, tunnel?: string, name = host) => addDomain(control, caller, { host: name, tunnel }),
    /** Puts the account's record into the zone. */
    async put(caller: Caller, name = host) {
      const text = await textOf(caller, name)
      zones.texts.set(name, new Set([...(zones.texts.get(name) ?? []), text]))
    },
    async take(caller: Caller, name = host) {
      zones.texts.get(name)?.delete(await textOf(caller, name))
    },
    /** Lets time pass, with a round of jobs at each step. */
    async pass(ms: number, stepMs = ms) {
      for (let left = ms; left > 0; left -= stepMs) {
        clock.advance(Math.min(stepMs, left))
        await worker.round(60_000)
      }
    },
    /** Looks at the claims of all these callers now. */
    async look(...callers: readonly Caller[]) {
      clock.advance(6_000)
      for (const caller of callers) await askAgain(control, caller, host)
      await worker.round(60_000)
    },
    state: async ({ account }: Caller) => (await store.get(domains.ref(domainId(account, host))))?.data.state,
    finds: async ({ account }: Caller) =>
      ((await store.get(domains.ref(domainId(account, host))))?.data.findings ?? []).map(({ key }) => key),
    holder: async () => (await store.get(verified.ref(host)))?.data.account,
    leads: async () => {
      const name = (await store.get(names.ref(host)))?.data
      return name?.state === 'active' ? name.tunnel : undefined
    },
    count: async ({ account }: Caller) => (await store.get(quotas.ref(account)))?.data.domains ?? 0,
  }
}

export function describeDomains(name: string, make: MakeStore, cases: Cases = 'all'): void {
  const { race, rule } = casesOn(make, makeDomainStage, cases)

  describe(`own domains: ${name}`, () => {
    rule('a host is pending until its record is there, and then leads to its tunnel', async (stage) => {
      const { ada, control } = stage
      const tunnel = await stage.tunnelOf(ada, 'web')
      await stage.add(ada, tunnel)
      await stage.pass(minute)
      expect([await stage.state(ada), await stage.leads(), await isServable(control, host)]).toEqual([
        'pending',
        undefined,
        undefined,
      ])
      expect(await stage.finds(ada)).toEqual(['domain.record_missing'])
      await stage.put(ada)
      await stage.pass(minute)
      expect([await stage.state(ada), await stage.leads(), await stage.holder()]).toEqual([
        'verified',
        tunnel,
        ada.account,
      ])
      expect(await isServable(control, host)).toMatchObject({ account: ada.account, tunnel, mayOrder: true })
      await stage.pass(3 * day, 12 * hour)
      expect(stage.zones.looks, 'once a day').toBeLessThan(7)
    })

    race(
      'of two accounts with a record each, one has the host, through whichever instance',
      async (stage) => {
        const { ada, eve } = stage
        await Promise.all([stage.add(ada), addDomain(stage.other, eve, { host: 'APP.Example.com.' })])
        await stage.put(ada)
        await stage.put(eve)
        await stage.pass(minute)
        const states = [await stage.state(ada), await stage.state(eve)]
        expect(states.toSorted()).toEqual(['pending', 'verified'])
        const [winner, loser] = states[0] === 'verified' ? [ada, eve] : [eve, ada]
        expect(await stage.holder()).toBe(winner.account)
        expect(await stage.finds(loser)).toEqual(['domain.claimed'])
        await stage.pass(2 * day, 6 * hour)
        expect(await stage.holder(), 'the first one stays').toBe(winner.account)
      },
    )

    rule('a squatter without a record blocks nobody, and is told nothing about others', async (stage) => {
      const { ada, eve } = stage
      await stage.add(eve)
      await stage.add(ada)
      await stage.put(ada)
      await stage.pass(minute)
      expect([await stage.state(ada), await stage.state(eve)]).toEqual(['verified', 'pending'])
      expect(await stage.finds(eve)).toEqual(['domain.record_wrong'])
    })

    rule(
      'another’s host moves once its record is gone twice, an hour apart, and its owner is told',
      async (stage) => {
        const { ada, eve } = stage
        const tunnel = await stage.tunnelOf(ada, 'web')
        const hers = await stage.tunnelOf(eve, 'web')
        await stage.add(ada, tunnel)
        await stage.put(ada)
        await stage.pass(minute)
        await stage.add(eve, hers)
        await stage.put(eve)
        await stage.pass(2 * hour, 10 * minute)
        expect(await stage.holder(), 'the record of the holder is there').toBe(ada.account)
        await stage.take(ada)
        await stage.look(eve)
        expect([await stage.holder(), await stage.leads()]).toEqual([ada.account, tunnel])
        await stage.put(ada)
        await stage.look(eve)
        await stage.take(ada)
        await stage.pass(50 * minute, 10 * minute)
        expect(await stage.holder(), 'the hour begins anew').toBe(ada.account)
        await stage.pass(20 * minute, 10 * minute)
        expect([await stage.holder(), await stage.leads()]).toEqual([eve.account, hers])
        expect([await stage.state(ada), await stage.finds(ada)]).toEqual(['suspended', ['domain.lost']])
        // The job leaves a mail for each owner, which the next round sends.
        await stage.pass(2 * minute, minute)
        expect(stage.mails.map(({ to, subject }) => `${to} ${subject}`)).toEqual([
          'ada@example.com app.example.com belongs to another account now',
        ])
      },
    )

    rule(
      'silent servers change nothing, however long; a missing record does, step by step',
      async (stage) => {
        const { ada } = stage
        const tunnel = await stage.tunnelOf(ada, 'web')
        await stage.add(ada, tunnel)
        await stage.put(ada)
        await stage.pass(minute)
        stage.zones.isSilent = true
        await stage.pass(40 * day, day)
        expect([await stage.state(ada), await stage.leads()]).toEqual(['verified', tunnel])
        stage.zones.isSilent = false
        await stage.take(ada)
        await stage.look(ada)
        expect(await stage.state(ada), 'said once').toBe('verified')
        await stage.pass(61 * minute)
        expect([await stage.state(ada), await stage.leads()]).toEqual(['failing', tunnel])
        await stage.pass(3 * day, 6 * hour)
        expect([await stage.state(ada), await stage.leads()]).toEqual(['suspended', tunnel])
        expect(await isServable(stage.control, host)).toMatchObject({ mayOrder: false })
        await stage.pass(4 * day, 6 * hour)
        expect([await stage.state(ada), await stage.leads(), await stage.holder()]).toEqual([
          'suspended',
          undefined,
          undefined,
        ])
        expect(stage.mails.map(({ subject }) => subject)).toEqual([
          'The record of app.example.com is gone',
          'app.example.com is suspended',
        ])
        await stage.put(ada)
        await stage.pass(2 * day, 6 * hour)
        expect([await stage.state(ada), await stage.leads(), await stage.holder()]).toEqual([
          'verified',
          tunnel,
          ada.account,
        ])
      },
    )

    rule('a claim without a record is deleted after a week, and leaves room for another', async (stage) => {
      const { ada } = stage
      await stage.add(ada)
      await stage.pass(6 * day, 12 * hour)
      expect([await stage.state(ada), await stage.count(ada)]).toEqual(['pending', 1])
      await stage.pass(2 * day, 12 * hour)
      expect([await stage.state(ada), await stage.count(ada)]).toEqual([undefined, 0])
      expect(await stage.store.get(jobs.ref(`domain.check:${domainId(ada.account, host)}`))).toBeUndefined()
    })

    rule(
      'a removed host leads nowhere at once, and its old record proves nothing for the next account',
      async (stage) => {
        const { ada, eve, control } = stage
        const tunnel = await stage.tunnelOf(ada, 'web')
        await stage.add(ada, tunnel)
        await stage.put(ada)
        await stage.pass(minute)
        expect(await outcome(removeDomain(control, eve, { host }))).toBe('api.not_found')
        await removeDomain(control, ada, { host })
        expect([await stage.leads(), await stage.holder(), await stage.count(ada)]).toEqual([
          undefined,
          undefined,
          0,
        ])
        for (const caller of [ada, eve]) await stage.add(caller)
        await stage.pass(hour, 10 * minute)
        expect([await stage.state(ada), await stage.state(eve)]).toEqual(['pending', 'pending'])
      },
    )

    rule('it leads to the tunnel that it is given to, and to no deleted or foreign one', async (stage) => {
      const { ada, eve, control } = stage
      const [one, two, hers] = [
        await stage.tunnelOf(ada, 'one'),
        await stage.tunnelOf(ada, 'two'),
        await stage.tunnelOf(eve, 'hers'),
      ]
      await stage.add(ada, one)
      await stage.put(ada)
      await stage.pass(minute)
      const { data } = await giveDomain(control, ada, { host, tunnel: two })
      expect([await stage.leads(), data.revision]).toEqual([two, 2])
      expect(await outcome(giveDomain(control, ada, { host, tunnel: hers }))).toBe('api.not_found')
      expect(await outcome(giveDomain(control, ada, { host, tunnel: one, ifRevision: 1 }))).toBe(
        'api.conflict',
      )
      await giveDomain(control, ada, { host, tunnel: '' })
      expect(await stage.leads()).toBeUndefined()
      await giveDomain(control, ada, { host, tunnel: one })
      await deleteTunnel(controlOf(control, ada.account), ada, { id: one })
      await stage.look(ada)
      expect([await stage.leads(), await stage.holder()]).toEqual([undefined, ada.account])
    })

    race('of 20 that race for the plan’s last one, one gets it', async (stage) => {
      const { ada } = stage
      const small = { ...ada, limits: { ...plans.unlimited, domains: 1 } }
      const all = Array.from({ length: 8 }, (_, n) =>
        outcome(stage.add(small, undefined, `n${n}.example.com`)),
      )
      const keys = await Promise.all(all)
      expect(keys.filter((key) => key === 'done')).toHaveLength(1)
      expect(new Set(keys)).toEqual(new Set(['done', 'quota.domains']))
      expect(await stage.count(ada)).toBe(1)
    })

    rule(
      'CAA records that allow none of our issuers are reported, and the domain stays verified',
      async (stage) => {
        const { ada, control, zones, clock } = stage
        const issuers = [{ caa: ['ca.example'] }] as unknown as Certificates['issuers']
        const worker = makeWorker({ ...control, certificates: { ...noCertificates, issuers } }, 1)
        await stage.add(ada)
        await stage.put(ada)
        zones.caa = ['issue other.example', 'iodef mailto:a@example.com']
        clock.advance(minute)
        await worker.round(60_000)
        expect([await stage.state(ada), await stage.finds(ada)]).toEqual(['verified', ['domain.caa_forbids']])
        zones.caa = ['issue other.example', 'issue ca.example; validationmethods=http-01']
        clock.advance(2 * day)
        await worker.round(60_000)
        expect(await stage.finds(ada)).toEqual([])
      },
    )

    rule(
      'an issuer without a name cannot be allowed by CAA records, our own authority need not be',
      async (stage) => {
        const { ada, control, zones, clock } = stage
        const unnamed = [{ caa: [] }] as unknown as Certificates['issuers']
        zones.caa = ['ISSUE ca.example']
        await stage.add(ada)
        await stage.put(ada)
        const findsOf = async (certificates: Certificates) => {
          clock.advance(2 * day)
          await makeWorker({ ...control, certificates }, 1).round(60_000)
          return stage.finds(ada)
        }
        expect(await findsOf({ ...noCertificates, issuers: unnamed })).toEqual(['domain.caa_forbids'])
        expect(await findsOf({ ...noCertificates, issuers: unnamed, local: ['localhost'] })).toEqual([])
        expect(await findsOf(noCertificates)).toEqual([])
      },
    )

    rule('a closed account has no host any more', async (stage) => {
      const { ada } = stage
      await stage.add(ada, await stage.tunnelOf(ada, 'web'))
      await stage.put(ada)
      await stage.pass(minute)
      await setAccountStatus(stage.control, ada.account, 'closed', ada)
      await stage.pass(minute)
      expect([await stage.leads(), await stage.holder(), await stage.state(ada)]).toEqual([
        undefined,
        undefined,
        undefined,
      ])
    })

    rule(
      'names of the service, of registries and of tcp tunnels are refused, and asking is paced',
      async (stage) => {
        const { ada, control } = stage
        const tcp = await createTunnel(controlOf(control, ada.account), ada, {
          name: 'db',
          kind: 'tcp',
          policy: {},
        })
        expect(await outcome(stage.add(ada, undefined, 'shop.x.example.net'))).toBe('domain.ours')
        expect(await outcome(stage.add(ada, undefined, 'co.uk'))).toBe('name.suffix')
        expect(await outcome(stage.add(ada, tcp.ref.id))).toBe('domain.no_tunnel')
        await stage.add(ada)
        expect(await outcome(askAgain(control, ada, host))).toBe('domain.too_soon')
        expect((await readDomain(control, ada, host)).data.claim).toMatch(/^[0-9a-f]{32}$/)
      },
    )
  })
}
