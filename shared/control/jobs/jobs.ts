/**
 * Jobs: work that must happen after a change has committed, however often a process dies on the way. `enqueue` writes
 * the job in the transaction of the change; the worker (worker.ts) runs it; its last step commits together with the
 * job's end. Design: `growth.md` 2, measured on both engines; docs/decisions/0046-jobs.md.
 */
import { createHash } from 'node:crypto'
import { idOfHost } from '../../base/wildcards.ts'
import { type JobDoc, jobs } from '../documents.ts'
import type { Doc, Ref, Snapshot, Transaction } from '../platform.ts'
import { isStillOn } from '../stored-times.ts'

export const shards = 16

/** What a worker knows about a kind of job. */
export type JobKind = {
  readonly name: string
  /**
   * After this many claims without progress the job is dead. Claims are counted, so a job that kills its worker dies
   * too.
   */
  readonly attemptsMax: number
  /** How long after it has finished it runs again, for ever; undefined: it is deleted then. */
  readonly everyMs?: number
  /** The longest time ahead that it is asked for, or that it waits, if that is more than an hour and `everyMs`. */
  readonly waitsMs?: number
  /** One try. It ends with a step of `job`; returning without one finishes the job. */
  readonly run: (job: RunningJob) => Promise<void>
}

/**
 * A job that this worker has claimed. Every step needs the claim, so a worker that was overtaken writes nothing more.
 */
export interface RunningJob {
  readonly id: string
  /** The same in every try of one wish. Outside services get it, so that they do nothing twice. */
  readonly key: string
  readonly account: string
  readonly subject: string
  readonly body: Doc
  readonly progress: Doc
  /** Aborted when the lease has run out or the worker is closed. */
  readonly signal: AbortSignal
  /**
   * Ends the job, together with `effect`; reads of `effect` come before its writes, as in any transaction.
   * @throws job.lost
   */
  finish(effect?: (tx: Transaction) => Promise<void>): Promise<void>
  /** Stores how far it has come, together with `effect`, and renews the lease. @throws job.lost */
  advance(progress: Doc, effect?: (tx: Transaction) => Promise<void>): Promise<void>
  /**
   * Lets other jobs run: this one continues at `dueAt`, from `progress`, or at once if it was asked for meanwhile.
   * @throws job.lost
   */
  pause(progress: Doc, dueAt: number): Promise<void>
}

export type Wish = {
  readonly kind: JobKind['name']
  readonly subject: string
  /** '' = the service itself. */
  readonly account: string
  readonly body?: Doc
  /** Not before this time; default: now. */
  readonly dueAt?: number
}

export function jobRef(kind: string, subject: string): Ref<JobDoc> {
  return jobs.ref(`${kind}:${idOfHost(subject)}`)
}

/**
 * Asks for a job within `tx`: `look` reads, so call it before the first write. The returned function writes, and
 * returns the id to kick after the commit (kick.ts). The same job twice is one job, which runs once more if it is
 * running already.
 */
export async function look(tx: Transaction, wish: Wish, nowMs: number): Promise<() => string> {
  const ref = jobRef(wish.kind, wish.subject)
  const before = await tx.get(ref)
  return () => {
    tx.set(ref, wished(before, wish, nowMs))
    return ref.id
  }
}

function wished(before: Snapshot<JobDoc> | undefined, wish: Wish, nowMs: number): JobDoc {
  const current = before?.data
  if (current?.state !== 'live') return { ...freshJob(wish, nowMs), wanted: (current?.wanted ?? 0) + 1 }
  const { body = {}, dueAt = nowMs } = wish
  // It is leased: its worker sees at the end that it is wanted again.
  const isRunning = current.claim !== '' && isStillOn(current.dueAt, { nowMs, lastsMs: leaseMs })
  const next = isRunning ? current.dueAt : Math.min(current.dueAt, dueAt)
  return { ...current, body, wanted: current.wanted + 1, dueAt: next }
}

/** A step takes less than 20 s, and storing progress renews the lease. */
export const leaseMs = 60_000

/** A job that nobody has claimed yet. */
export function freshJob({ account, subject, kind, body = {}, dueAt }: Wish, nowMs: number): JobDoc {
  const shard = shardOf(account === '' ? `${kind}:${subject}` : account)
  const untouched = { attempts: 0, claim: '', progress: {}, error: '' }
  return { account, shard, state: 'live', dueAt: dueAt ?? nowMs, wanted: 1, body, ...untouched }
}

function shardOf(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0) % shards
}
