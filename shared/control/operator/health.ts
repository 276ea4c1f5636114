/**
 * Whether what this service needs from outside works: store and bus are asked now; mail, payments, DNS and certificates
 * are judged by the jobs that use them, since only these do the real thing, and a call for show would cost money or
 * count against limits. Kept for half a minute, so that a page that is open in many tabs asks as often as one.
 */
import { codes } from '../../base/errors.ts'
import { readSignOfLife } from '../alerts/sign-of-life.ts'
import type { Control } from '../control.ts'
import { accounts, type JobDoc } from '../documents.ts'
import { asFailure } from '../failures.ts'
import { kickSchema } from '../jobs/kick.ts'
import { topics } from '../names.ts'
import type { Snapshot } from '../platform.ts'
import { queries } from '../query-table.ts'

/** A dependency that takes longer is as good as away. */
const deadlineMs = 5_000
const keptMs = 30_000
/** Jobs that are looked at, of each state. */
const jobsMax = 200

/** `off`: not set up here. */
export type HealthState = 'ok' | 'failing' | 'off'
export type Health = {
  readonly name: 'store' | 'bus' | 'signIn' | 'mail' | 'payments' | 'dns' | 'certificates' | 'alerts'
  readonly state: HealthState
  /** Which service it is. */
  readonly what: string
  /** When this was found out. */
  readonly at: number
  /** How long it took to answer. */
  readonly ms?: number
  /** What failed last, and how many jobs wait for it or have given up. */
  readonly code?: string
  readonly cause?: string
  readonly cure?: string
  readonly waiting?: number
  readonly dead?: number
}

/** The jobs that use it, by the beginning of their kind. */
const kindsOf = {
  mail: ['mail.', 'person.mail', 'domain.mail', 'team.mail', 'waitlist.letter', 'abuse.'],
  payments: ['billing.'],
  dns: ['dns.', 'proxies.'],
  certificates: ['certificate'],
} as const

export class HealthDesk {
  readonly #control: Control
  #kept: { readonly items: Promise<readonly Health[]>; readonly askedAt: number } | undefined

  constructor(control: Control) {
    this.#control = control
  }

  /** As it was at most 30 s ago. It never rejects: what fails is what it says. */
  read(): Promise<readonly Health[]> {
    const now = this.#control.clock.monotonic()
    if (!this.#kept || now - this.#kept.askedAt >= keptMs)
      this.#kept = { items: readHealth(this.#control), askedAt: now }
    return this.#kept.items
  }
}

async function readHealth(control: Control): Promise<readonly Health[]> {
  const { mail, payments, dns, certificates, clock } = control
  const [asked, jobs, alerts] = await Promise.all([
    askDependencies(control),
    readJobs(control),
    readAlerting(control),
  ])
  const by = (name: keyof typeof kindsOf, what: string, isOff: boolean) =>
    judge({ name, what, isOff, at: clock.now() }, jobs)
  return [
    ...asked,
    by('mail', mail.kept ? 'a folder of this server' : 'SMTP', mail.isAbsent === true),
    by('payments', 'Stripe', payments.kind === 'none'),
    by('dns', 'Cloudflare', dns.kind === 'none'),
    by('certificates', 'ACME', certificates.issuers.length === 0),
    alerts,
  ]
}

/** Those that answer at once: store, bus and sign-in. It never rejects. */
export function askDependencies(control: Control): Promise<readonly Health[]> {
  const { store, bus, identity, clock } = control
  const isCloud = identity.kind === 'firebase'
  const ask = (name: Health['name'], what: string, run: () => Promise<unknown>) =>
    probe(control, { name, what }, run)
  return Promise.all([
    ask('store', isCloud ? 'Firestore' : 'SQLite', () => store.get(accounts.ref('acc_health'))),
    ask('bus', isCloud ? 'Pub/Sub' : 'in this process', () =>
      bus.publish(topics.jobs, kickSchema.parse({ ids: [] })),
    ),
    identity.check
      ? ask('signIn', 'Firebase', identity.check)
      : ({ name: 'signIn', what: 'in this process', state: 'ok', at: clock.now() } as const),
  ])
}

/** Whether somebody would be told of the others: the dead man's switch of the alerts. */
async function readAlerting(control: Control): Promise<Health> {
  const alerts = { name: 'alerts', what: 'a look every five minutes', at: control.clock.now() } as const
  try {
    const { isSilent, code } = await readSignOfLife(control)
    return isSilent ? { ...alerts, state: 'failing', ...wordsOf(code) } : { ...alerts, state: 'ok' }
  } catch (error) {
    return { ...alerts, state: 'failing', ...wordsOf(asFailure(error).code) }
  }
}

async function probe(
  { clock }: Control,
  { name, what }: Pick<Health, 'name' | 'what'>,
  run: () => Promise<unknown>,
): Promise<Health> {
  const begun = clock.monotonic()
  try {
    await within(clock, run())
    return { name, what, state: 'ok', at: clock.now(), ms: Math.round(clock.monotonic() - begun) }
  } catch (error) {
    return { name, what, state: 'failing', at: clock.now(), ...wordsOf(asFailure(error).code) }
  }
}

async function within(clock: Control['clock'], asked: Promise<unknown>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = clock.after(deadlineMs, () => reject(new Error('no answer within 5 s')))
  try {
    await Promise.race([asked, promise])
  } finally {
    timer.clear()
  }
}

/** The next jobs and the dead ones. @returns undefined when the store does not answer, which is said there */
async function readJobs({ store }: Control): Promise<readonly Snapshot<JobDoc>[] | undefined> {
  try {
    const read = (state: JobDoc['state']) =>
      store.query(queries.jobsByState, { where: { state }, limit: jobsMax })
    const [live, dead] = await Promise.all([read('live'), read('dead')])
    return [...live.items, ...dead.items]
  } catch {
    return undefined
  }
}

function judge(
  { name, what, isOff, at }: { name: keyof typeof kindsOf; what: string; isOff: boolean; at: number },
  jobs: readonly Snapshot<JobDoc>[] | undefined,
): Health {
  if (isOff) return { name, what, state: 'off', at }
  const its = (jobs ?? []).filter(({ ref }) => kindsOf[name].some((kind) => ref.id.startsWith(kind)))
  const failed = its.filter(({ data }) => data.error !== '')
  const dead = failed.filter(({ data }) => data.state === 'dead').length
  const waiting = failed.length - dead
  const last = failed.toSorted((a, b) => b.data.dueAt - a.data.dueAt)[0]
  if (!last) return { name, what, state: 'ok', at }
  return { name, what, state: 'failing', at, waiting, dead, ...wordsOf(last.data.error) }
}

/** @param code as a job keeps it */
function wordsOf(code: string): Pick<Health, 'code' | 'cause' | 'cure'> {
  const entry = Object.values(codes).find((one) => one.code === code)
  return { code, ...(entry && { cause: entry.cause, cure: entry.cure }) }
}
