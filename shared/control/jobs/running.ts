/** Claims a job, and makes the steps by which its kind ends it: each is one transaction that needs the claim. */

import { randomUUID } from 'node:crypto'
import { type BackoffShape, backoffMs } from '../../base/backoff.ts'
import type { Timer } from '../../base/clock.ts'
import { fail } from '../../base/errors.ts'
import { traced } from '../../base/telemetry.ts'
import { hostOfId } from '../../base/wildcards.ts'
import { raiseFailingJob } from '../alerts/failing-jobs.ts'
import type { Control } from '../control.ts'
import type { JobDoc } from '../documents.ts'
import { asFailure } from '../failures.ts'
import type { Doc, Snapshot, Transaction } from '../platform.ts'
import { type JobKind, jobRef, leaseMs, type RunningJob } from './jobs.ts'

/** 5 s doubling to an hour: the job outlasts an outage of a service that it needs, without hammering it. */
export const retryMaxMs = 3_600_000
const retry: BackoffShape = { fastTries: 0, fastMs: 0, minMs: 5_000, maxMs: retryMaxMs, jitter: 0.5 }
/** Long enough for somebody to see it and have it tried again. */
const deadMs = 90 * 24 * 3_600_000

export type Claimed = { readonly job: Running; readonly kind: JobKind }

/** @returns undefined when it is not due or gone, another was faster, or it was tried too often and is dead now */
export async function claimJob(
  control: Control,
  kinds: ReadonlyMap<string, JobKind>,
  found: Snapshot<JobDoc>,
): Promise<Claimed | undefined> {
  const { store, clock, log } = control
  const { ref, data, version } = found
  const nowMs = clock.now()
  const kind = kinds.get(ref.id.slice(0, ref.id.indexOf(':')))
  if (data.state !== 'live' || data.dueAt > nowMs || !kind) return undefined
  const isSpent = data.attempts >= kind.attemptsMax
  const claim = randomUUID()
  const fields: Partial<JobDoc> = isSpent
    ? { state: 'dead', claim: '', ttl: new Date(nowMs + deadMs) }
    : { dueAt: nowMs + leaseMs, attempts: data.attempts + 1, claim }
  try {
    await store.update(ref, fields, { version })
  } catch (error) {
    const { key } = asFailure(error)
    if (key === 'store.changed' || key === 'store.missing') return undefined
    throw error
  }
  if (isSpent) {
    const { account, attempts, error } = data
    log.error({ job: ref.id, account, attempts, code: error }, 'a job failed for good')
    return undefined
  }
  return { kind, job: new Running(control, kind, { ref, version: '', data: { ...data, ...fields } }) }
}

export class Running implements RunningJob {
  readonly #control: Control
  readonly #kind: JobKind
  readonly #ref: Snapshot<JobDoc>['ref']
  readonly #abort = new AbortController()
  #data: JobDoc
  #lease: Timer
  #isOver = false

  constructor(control: Control, kind: JobKind, { ref, data }: Snapshot<JobDoc>) {
    this.#control = control
    this.#kind = kind
    this.#ref = ref
    this.#data = data
    this.#lease = this.#newLease()
  }

  get id(): string {
    return this.#ref.id
  }

  get key(): string {
    return `${this.#ref.id}:${this.#data.wanted}`
  }

  get account(): string {
    return this.#data.account
  }

  get subject(): string {
    return hostOfId(this.#ref.id.slice(this.#kind.name.length + 1))
  }

  get body(): Doc {
    return this.#data.body
  }

  get progress(): Doc {
    return this.#data.progress
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  finish(effect?: (tx: Transaction) => Promise<void>): Promise<void> {
    return this.#end(effect, (latest) => this.#after(latest))
  }

  async advance(progress: Doc, effect?: (tx: Transaction) => Promise<void>): Promise<void> {
    const dueAt = this.#control.clock.now() + leaseMs
    await this.#step(effect, (latest) => ({ ...latest, progress, dueAt, attempts: 0, error: '' }))
    this.#lease.clear()
    this.#lease = this.#newLease()
  }

  pause(progress: Doc, dueAt: number): Promise<void> {
    const nowMs = this.#control.clock.now()
    return this.#end(undefined, (latest) => ({
      ...latest,
      progress,
      // Asked for meanwhile: it goes on at once, for it may have looked already at what has changed since.
      dueAt: latest.wanted > this.#data.wanted ? Math.min(dueAt, nowMs) : dueAt,
      claim: '',
      attempts: 0,
      error: '',
    }))
  }

  /** Runs its kind until a step has ended it. Never rejects; a failure is tried again later. */
  async run(): Promise<void> {
    const { log, random } = this.#control
    try {
      await traced(this.#control.telemetry, 'job', `job ${this.#kind.name}`, async (span) => {
        span?.set({ 'porttunneler.job.kind': this.#kind.name })
        await this.#kind.run(this)
        if (!this.#isOver) await this.finish()
      })
    } catch (thrown) {
      const error = asFailure(thrown)
      if (error.key === 'job.lost') return
      const { attempts } = this.#data
      const pauseMs = Math.round(backoffMs(retry, Math.max(0, attempts - 1), random))
      // What repeats is never tried less often than it repeats, however long it has failed.
      const waitMs = Math.min(pauseMs, this.#kind.everyMs ?? pauseMs)
      log.warn(
        { job: this.id, account: this.account, attempts, waitMs, code: error.code, error },
        'a job failed',
      )
      await this.#giveBack(waitMs, error.code)
      if (this.#kind.everyMs !== undefined) await this.#tellOperators(error.code)
    } finally {
      this.#lease.clear()
    }
  }

  /** The worker stops: a job that does not end by itself continues elsewhere when the lease is over. */
  abort(): void {
    this.#abort.abort(fail('job.lost'))
  }

  #newLease(): Timer {
    return this.#control.clock.after(leaseMs, () => this.abort(), { background: true })
  }

  /** Ends the lease early, so that the next try need not wait for it. */
  async #giveBack(waitMs: number, code: string): Promise<void> {
    try {
      const dueAt = this.#control.clock.now() + waitMs
      await this.#end(undefined, (latest) => ({ ...latest, dueAt, claim: '', error: code }))
    } catch (error) {
      this.#control.log.warn({ job: this.id, error }, 'a failed job waits for the end of its lease')
    }
  }

  /** Nobody gives up what repeats for ever. That it cannot be told is no reason to fail once more. */
  async #tellOperators(error: string): Promise<void> {
    const job = { ref: this.#ref, version: '', data: { ...this.#data, error } }
    await raiseFailingJob(this.#control, job).catch((failure: unknown) =>
      this.#control.log.warn({ job: this.id, error: failure }, 'operators cannot be told of a failing job'),
    )
  }

  /** What remains of a finished job: nothing, or a job that is due again. */
  #after(latest: JobDoc): JobDoc | undefined {
    const nowMs = this.#control.clock.now()
    const rested: JobDoc = { ...latest, claim: '', attempts: 0, progress: {}, error: '' }
    if (latest.wanted > this.#data.wanted) return { ...rested, dueAt: nowMs }
    const { everyMs } = this.#kind
    return everyMs === undefined ? undefined : { ...rested, dueAt: nowMs + everyMs }
  }

  async #end(
    effect: ((tx: Transaction) => Promise<void>) | undefined,
    next: (latest: JobDoc) => JobDoc | undefined,
  ): Promise<void> {
    await this.#step(effect, next)
    this.#isOver = true
  }

  async #step(
    effect: ((tx: Transaction) => Promise<void>) | undefined,
    next: (latest: JobDoc) => JobDoc | undefined,
  ): Promise<void> {
    if (this.#isOver) throw new Error(`a step of the job ${this.id} came after its end`)
    const written = await this.#control.store.transact(async (tx) => {
      const latest = await tx.get(jobRef(this.#kind.name, this.subject))
      if (latest?.data.claim !== this.#data.claim) throw fail('job.lost')
      await effect?.(tx)
      const after = next(latest.data)
      if (after) tx.set(latest.ref, after)
      else tx.delete(latest.ref)
      return after
    })
    if (written) this.#data = { ...written, wanted: this.#data.wanted, claim: this.#data.claim }
  }
}
