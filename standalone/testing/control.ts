/**
 * A control plane over a store in memory, with a clock that the test moves, and a relay that says what the test wants.
 */
import type { SyncRequest } from '@porttunneler/shared/api/schemas/relays'
import { systemClock } from '@porttunneler/shared/base/clock'
import { newId } from '@porttunneler/shared/base/ids'
import { type Log, silentLog } from '@porttunneler/shared/base/log'
import type { Caller } from '@porttunneler/shared/control/caller'
import { type CellSettings, ensureCell } from '@porttunneler/shared/control/cells'
import { type Certificates, noCertificates } from '@porttunneler/shared/control/certificates/role'
import { controlOf, makeControl } from '@porttunneler/shared/control/control'
import { makeWorker } from '@porttunneler/shared/control/jobs/kinds'
import type { Payments } from '@porttunneler/shared/control/money/payments'
import { noPayments } from '@porttunneler/shared/control/money/payments-none'
import { noDns } from '@porttunneler/shared/control/own-records'
import type { AskNetworks, Dns, InquiryDesk, PostPublic, Store } from '@porttunneler/shared/control/platform'
import { Principals } from '@porttunneler/shared/control/principals'
import { enrolledRelayIdentity } from '@porttunneler/shared/control/relay-enrolment'
import { syncRelay } from '@porttunneler/shared/control/relays'
import type { Watching } from '@porttunneler/shared/control/watching'
import { signIn } from '@porttunneler/shared/testing/callers'
import { noInquiries } from '@porttunneler/shared/testing/zones'
import { openLocalBus } from '../platform/bus.local.ts'
import { localIdentity } from '../platform/identity.local.ts'
import { makeLocalIdentity } from './local-identity.ts'
import { openMemoryStore } from './memory-store.ts'

const testCell: CellSettings = {
  id: 'home',
  host: 'tunnel.example.com',
  domain: 'tunnel.example.com',
  portFrom: 20_000,
  portTo: 20_019,
  httpScheme: 'http',
  httpPort: 8080,
  tlsPort: 8443,
}

export type TestControl = ReturnType<typeof makeTestControl>

/** `close` ends it. It has no cell yet: `openCell` makes one and has a relay report that it is ready. */
export function makeTestControl({
  log = silentLog,
  plan = 'pro',
  wrapStore = (store) => store,
  certificates = noCertificates,
  inquiries = noInquiries,
  dns = noDns,
  askNetworks = async () => [],
  payments = noPayments,
  random = Math.random,
  post,
  watching,
}: {
  log?: Log
  plan?: string
  /** Replaces the store for the domain; sign-in keeps its own. */
  wrapStore?: (store: Store) => Store
  certificates?: Certificates
  inquiries?: InquiryDesk
  dns?: Dns
  askNetworks?: AskNetworks
  payments?: Payments
  random?: () => number
  post?: PostPublic
  watching?: Watching
} = {}) {
  // Real time paces races: with a clock that stands still, their losers would wait for ever.
  const { store, documents } = openMemoryStore()
  const bus = openLocalBus({ clock: systemClock, random: Math.random, onBackgroundError: () => {} })
  const { clock, identity, options, mail, mails } = makeLocalIdentity({ store })
  const relayIdentity = enrolledRelayIdentity({ store, clock })
  const { vault } = options
  const url = 'https://tunnel.example.com'
  const addresses = { issuer: url, consoleUrl: url, docsUrl: url }
  const settings = { ...addresses, version: '0.0.0', registration: 'open' as const, defaultPlan: plan }
  const platform = {
    store: wrapStore(store),
    bus,
    identity,
    relayIdentity,
    mail,
    vault,
    certificates,
    inquiries,
    dns,
    askNetworks,
    payments,
    ...(post && { post }),
    ...watching,
  }
  const parts = { clock, random, log, settings }
  const control = makeControl(platform, parts)
  const claims = { relay: newId('rel', clock.now()), cell: testCell.id }
  const sync = (changes: Partial<SyncRequest> = {}) =>
    syncRelay(control, claims, { ...quietSync, ...changes })
  return {
    control,
    clock,
    identity,
    relayIdentity,
    mails,
    principals: new Principals(control),
    /** The same over the same store, as another process has it. */
    elsewhere(changes: { readonly payments?: Payments } = {}) {
      const another = makeControl({ ...platform, ...changes, identity: localIdentity(options) }, parts)
      return { control: another, principals: new Principals(another) }
    },
    /** All that the store holds. */
    documents,
    sync,
    async openCell(changes: Partial<CellSettings> = {}) {
      await ensureCell(control, { ...testCell, ...changes })
      await sync()
    },
    /** As every relay does: twice with the overlap between, so that it has applied everything up to now. */
    async settle() {
      const { cursor } = await sync()
      clock.advance(150_000)
      const next = await sync({ cursor })
      await sync({ cursor: next.cursor })
    },
    /** Runs everything due, as a worker's round does. */
    /** Also the jobs that jobs ask for: a round leaves those, because in life they are kicked. */
    async runJobs() {
      const worker = makeWorker(control, 4, identity.jobs)
      await worker.begin()
      for (let { ran } = await worker.round(60_000); ran > 0; ) ({ ran } = await worker.round(60_000))
    },
    /** What an account's calls get. */
    of: ({ account }: Pick<Caller, 'account'>) => controlOf(control, account),
    /** A signed-in owner with their own account. */
    caller: async (email = 'ada@example.com', changes: Partial<Caller> = {}): Promise<Caller> => ({
      ...(await signIn(control, email, { plan, from: '192.0.2.1' })),
      ...changes,
    }),
    async close() {
      await bus.close()
      await store.close()
    },
  }
}

export const quietSync: SyncRequest = {
  boot: {
    instance: 'r1',
    boot: '01k0000000000000000000boot',
    version: '0.0.0',
    agentAddress: { host: '192.0.2.10', port: 7000, sni: 'r1.tunnel.example.com' },
    watchUrl: 'https://r1.tunnel.example.com',
  },
  state: 'ready',
  load: { sessions: 0, streams: 0, cpu: 0, rssBytes: 0 },
  bound: [],
  away: [],
  usage: [],
  events: [],
}
