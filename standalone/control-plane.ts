/**
 * The control plane of a standalone server, in this process: SQLite, local bus and sign-in, the API, the first account,
 * and the round of housekeeping. What differs from the cloud is in platform/; the rules are shared/control.
 */
import { makeApi } from '@porttunneler/shared/api/app'
import { type Command, commandSchema } from '@porttunneler/shared/api/schemas/relays'
import { type Clock, sleep } from '@porttunneler/shared/base/clock'
import type { Log } from '@porttunneler/shared/base/log'
import { Secret } from '@porttunneler/shared/base/secret'
import { type CellSettings, ensureCell } from '@porttunneler/shared/control/cells'
import { makeControl, type Settings } from '@porttunneler/shared/control/control'
import { kick, kickSchema } from '@porttunneler/shared/control/jobs/kick'
import { makeWorker } from '@porttunneler/shared/control/jobs/kinds'
import { roundsMs } from '@porttunneler/shared/control/jobs/worker'
import { topics } from '@porttunneler/shared/control/names'
import type { PlanName } from '@porttunneler/shared/control/plans'
import type { OnBackgroundError, Subscription } from '@porttunneler/shared/control/platform'
import { Principals } from '@porttunneler/shared/control/principals'
import { queryTable } from '@porttunneler/shared/control/query-table'
import { enrolledRelayIdentity } from '@porttunneler/shared/control/relay-enrolment'
import { addressReader } from './addresses.ts'
import type { DataFolder } from './data-folder.ts'
import { demoKey, ensureFirstAccount, type FirstAccount } from './first-account.ts'
import { openLocalBus } from './platform/bus.local.ts'
import { signInRoutes } from './platform/identity.local.routes.ts'
import { localIdentity } from './platform/identity.local.ts'
import { openFileKeyVault } from './platform/key-vault.file.ts'
import { openLogMail } from './platform/mail.log.ts'
import { openSmtpMail, type SmtpSettings } from './platform/mail.smtp.ts'
import { openSqliteStore, purgeSlice } from './platform/store.sqlite.ts'
import type { Fetch } from './web-server.ts'

/** The one cell of a server on one machine. */
const cell = 'home'
/** All of them share one thread with the store. */
const jobsAtOnce = 4
/** Between two slices of a purge. */
const pauseMs = 50

export type ControlPlaneOptions = {
  readonly folder: DataFolder
  readonly consoleUrl: string
  /** Whether a proxy on this machine tells where requests came from. */
  readonly isProxied: boolean
  /** Absent: mails wait in the data folder. */
  readonly smtp?: SmtpSettings | undefined
  /** Whether strangers may make accounts, and of which plan. */
  readonly isOpen: boolean
  readonly plan: PlanName
  readonly version: string
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
}

export type ControlPlane = {
  readonly fetch: Fetch
  ensureCell(settings: Omit<CellSettings, 'id'>): Promise<void>
  /** The account of a fresh server with its password; undefined when there is one already. */
  ensureFirstAccount(email: string): Promise<FirstAccount | undefined>
  /** @throws standalone.demo */
  demoKey(): Promise<Secret>
  /** For a relay that has no credential yet. */
  newEnrolmentKey(): Promise<Secret>
  /** Calls for every command to the relays of the cell. */
  onCommand(listener: (command: Command) => void): Promise<Subscription>
  /** Ends housekeeping, jobs under way, bus and store, in this order. */
  close(): Promise<void>
}

/** @throws store.read_only, store.corrupt, store.newer, store.full */
export function openControlPlane(options: ControlPlaneOptions): ControlPlane {
  const { folder, clock, random, log, isOpen, isProxied } = options
  const onBackgroundError: OnBackgroundError = (task, error) => log.error({ error }, `${task} failed`)
  const store = openSqliteStore(folder.file('store.db'), { queries: queryTable, clock, random })
  const vault = openFileKeyVault(folder.file('master.key'))
  const smtp = options.smtp && openSmtpMail(options.smtp)
  const mail = smtp ?? openLogMail({ folder: folder.file('mail'), clock, log })
  const bus = openLocalBus({ clock, random, onBackgroundError })
  const settings = settingsOf(options)
  const resetUrl = (token: string) =>
    `${settings.consoleUrl}/reset-password?token=${encodeURIComponent(token)}`
  const issuer = settings.issuer
  const identity = localIdentity({
    store,
    vault,
    clock,
    issuer,
    resetUrl,
    kick: (ids) => kick({ bus, log }, ids),
  })
  const relayIdentity = enrolledRelayIdentity({ store, clock })
  const platform = { store, bus, identity, relayIdentity, mail, vault }
  const control = makeControl(platform, { clock, random, log, settings })
  const principals = new Principals(control)
  const addressOf = addressReader({ isProxied })
  const api = makeApi({
    control,
    principals,
    addressOf,
    enrolment: relayIdentity,
    mounts: [signInRoutes({ identity, addressOf, isOpen })],
  })
  const worker = makeWorker(control, jobsAtOnce, identity.jobs)
  const kicks = bus.subscribe(topics.jobs, 'worker', async (message) => {
    await worker.take(kickSchema.parse(message).ids)
  })
  const rounds = startRounds(clock, onBackgroundError, async () => {
    await worker.begin()
    await worker.round(roundsMs)
    // A full slice means that there may be more; requests go in between.
    while ((await store.purgeExpired(clock.now())) === purgeSlice) await sleep(clock, pauseMs)
  })
  return {
    fetch: (request, env) => api.fetch(request, env),
    ensureCell: (face) => ensureCell(control, { id: cell, ...face }),
    ensureFirstAccount: (email) => ensureFirstAccount(control, identity, email),
    demoKey: () => demoKey(control, principals),
    newEnrolmentKey: async () => new Secret(await relayIdentity.makeKey(cell)),
    onCommand: (listener) =>
      bus.subscribe(topics.commands(cell), 'relay', (message) => listener(commandSchema.parse(message))),
    close: async () => {
      await (await kicks).close()
      await worker.close()
      await rounds.close()
      smtp?.close()
      await bus.close()
      await store.close()
    },
  }
}

function settingsOf({ consoleUrl, version, plan, isOpen }: ControlPlaneOptions): Settings {
  const addresses = { issuer: consoleUrl, consoleUrl, docsUrl: consoleUrl }
  return { ...addresses, version, registration: isOpen, defaultPlan: plan }
}

/** What is due, now and every minute, one round at a time. */
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
