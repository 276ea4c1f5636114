/**
 * The control plane of a standalone server, in this process: the domain (domain.ts), the API, the first account, and
 * the rounds of jobs. platform/ has what differs from the cloud; shared/control has the rules.
 */
import { makeApi } from '@porttunneler/shared/api/app'
import { type Command, commandSchema } from '@porttunneler/shared/api/schemas/relays'
import { type Clock, sleep } from '@porttunneler/shared/base/clock'
import { Secret } from '@porttunneler/shared/base/secret'
import { TrustedProxies } from '@porttunneler/shared/base/trusted-proxies'
import { type CellSettings, ensureCell } from '@porttunneler/shared/control/cells'
import { signInByPasskey } from '@porttunneler/shared/control/factors/passkey-sign-in'
import { kickSchema } from '@porttunneler/shared/control/jobs/kick'
import { makeWorker } from '@porttunneler/shared/control/jobs/kinds'
import { roundsMs } from '@porttunneler/shared/control/jobs/worker'
import { planIn } from '@porttunneler/shared/control/money/grants'
import { topics } from '@porttunneler/shared/control/names'
import type { Office } from '@porttunneler/shared/control/operator/act'
import type { OnBackgroundError, Subscription } from '@porttunneler/shared/control/platform'
import { Principals } from '@porttunneler/shared/control/principals'
import { admitStranger } from '@porttunneler/shared/control/registration'
import { countGone } from '@porttunneler/shared/control/retention/gone'
import { hasInvitation } from '@porttunneler/shared/control/team/open-invitations'
import { addressReader, httpsReader } from './addresses.ts'
import { webhookSecretsOf } from './billing-settings.ts'
import { type DomainOptions, openDomain } from './domain.ts'
import { demoKey, ensureFirstAccount, type FirstAccount } from './first-account.ts'
import { signInRoutes } from './platform/identity.local.routes.ts'
import { purgeSlice } from './platform/store.sqlite.ts'
import { PurgeTime } from './purge-time.ts'
import type { Fetch } from './web-server.ts'
import { webhookOf, webhookPath } from './webhook.ts'

/** The one cell of a single-machine server. */
const cell = 'home'
/** They all share one thread with the store. */
const jobsAtOnce = 4
/** Pause between two slices of a purge. */
const pauseMs = 50

export type ControlPlaneOptions = DomainOptions & {
  /** Proxies that are believed about where requests came from, as the settings list them. */
  readonly proxies: readonly string[]
}

export type ControlPlane = {
  readonly fetch: Fetch
  ensureCell(settings: Omit<CellSettings, 'id'>): Promise<void>
  /** The account of a new server with its password; undefined when there is one already. */
  ensureFirstAccount(email: string): Promise<FirstAccount | undefined>
  /** @throws standalone.demo */
  demoKey(): Promise<Secret>
  /** What ptunctl works on. */
  readonly office: Office
  /** For a relay without its own credential yet. */
  newEnrolmentKey(): Promise<Secret>
  /** Calls `listener` for every command to the relays of the cell. */
  onCommand(listener: (command: Command) => void): Promise<Subscription>
  /** Ends housekeeping, running jobs, bus and store, in this order. */
  close(): Promise<void>
}

/** @throws store.read_only, store.corrupt, store.newer, store.full */
export function openControlPlane(options: ControlPlaneOptions): ControlPlane {
  const { clock, log } = options
  const proxies = new TrustedProxies(options.proxies)
  const onBackgroundError: OnBackgroundError = (task, error) => log.error({ error }, `${task} failed`)
  const domain = openDomain(options, onBackgroundError)
  const { control, store, bus, identity, relayIdentity } = domain
  const principals = new Principals(control)
  const addressOf = addressReader(proxies)
  const api = makeApi({
    control,
    principals,
    addressOf,
    enrolment: relayIdentity,
    mounts: [
      signInRoutes({
        identity,
        addressOf,
        isHttps: httpsReader(proxies),
        admit: (code) => admitStranger(control, code),
        isInvited: (asked) => hasInvitation(control, asked),
        checkPasskey: (assertion, source) => signInByPasskey(control, assertion, source),
        confirm: (signIn) => control.signIns.confirm(signIn, 'password'),
      }),
    ],
  })
  if (control.payments.kind === 'none') log.info({}, 'Plans are not sold here: there is no key of Stripe')
  const webhook = webhookOf(control, webhookSecretsOf(options.billing))
  const worker = makeWorker(control, jobsAtOnce, identity.jobs)
  const kicks = bus.subscribe(topics.jobs, 'worker', async (message) => {
    await worker.take(kickSchema.parse(message).ids)
  })
  const purgeTime = new PurgeTime(store, clock)
  const rounds = startRounds(clock, onBackgroundError, async () => {
    if (proxies.hasCloudflare) proxies.learn(await control.proxyNetworks.read())
    await worker.begin()
    await worker.round(roundsMs)
    // A full slice means that there may be more; requests run in between.
    const until = await purgeTime.read()
    for (let isFull = true; isFull; ) {
      const gone = await store.purgeExpired(until)
      await countGone(control, gone)
      isFull = Object.values(gone).reduce((sum, count) => sum + count, 0) >= purgeSlice
      if (isFull) await sleep(clock, pauseMs)
    }
  })
  return {
    fetch: (request, env) =>
      new URL(request.url).pathname === webhookPath ? webhook(request) : api.fetch(request, env),
    ensureCell: (face) => ensureCell(control, { id: cell, ...face }),
    ensureFirstAccount: async (email) => {
      // A setting that names no plan would refuse every new account.
      planIn(await control.catalogues.newest(), control.settings.defaultPlan)
      return ensureFirstAccount(control, identity, email)
    },
    demoKey: () => demoKey(control, principals),
    office: { control, enrolment: relayIdentity },
    newEnrolmentKey: async () => new Secret(await relayIdentity.makeKey(cell)),
    onCommand: (listener) =>
      bus.subscribe(topics.commands(cell), 'relay', (message) => listener(commandSchema.parse(message))),
    close: async () => {
      await (await kicks).close()
      await worker.close()
      await rounds.close()
      await domain.close()
    },
  }
}

/** Runs due jobs, now and every minute, one round at a time. */
function startRounds(
  clock: Clock,
  onBackgroundError: OnBackgroundError,
  work: () => Promise<void>,
): Subscription {
  let round: Promise<unknown> = Promise.resolve()
  const run = () => {
    round = round
      .then(work)
      .catch((error: unknown) =>
        onBackgroundError('housekeeping', error instanceof Error ? error : new Error(String(error))),
      )
  }
  run()
  const timer = clock.every(roundsMs, run, { background: true })
  return {
    close: async () => {
      timer.clear()
      await round
    },
  }
}
