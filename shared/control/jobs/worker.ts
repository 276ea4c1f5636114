/**
 * Runs jobs. A round reads due jobs of a few random shards at a time, so a flood of one account, which is in one shard,
 * delays neither the others nor their workers. A kick brings ids directly. Any number of workers may run side by side,
 * in one process or many: a claim is one conditional write.
 */
import { isFailure } from '../../base/errors.ts'
import { putRightAhead } from '../ahead.ts'
import type { Control } from '../control.ts'
import { type JobDoc, jobs } from '../documents.ts'
import type { Snapshot } from '../platform.ts'
import { queries } from '../query-table.ts'
import { freshJob, type JobKind, jobRef, shards } from './jobs.ts'
import { claimJob, type Running } from './running.ts'

/**
 * Rows read of a shard. Of a full page only `shardRuns` random ones are run, so that two workers seldom want the same.
 */
const shardRows = 32
const shardRuns = 16
const shardsAtOnce = 3
/** How long a shard with less than a full page is left alone. */
const restMs = 500
/** Rounds find jobs whose kick was lost, and those that have become due. */
export const roundsMs = 60_000
/** A look for times too far ahead costs a read for each kind, and some for each cell. */
const lookMs = 5 * 60_000
/** A round takes no more jobs after this share of its time: those it has must end within the rest. */
const takingShare = 0.6

export type WorkerOptions = {
  readonly control: Control
  readonly kinds: readonly JobKind[]
  /** 4 on SQLite, where all share one thread; 16 in the cloud, where most of a job is waiting. */
  readonly atOnce: number
}

export class Worker {
  readonly #control: Control
  readonly #kinds: ReadonlyMap<string, JobKind>
  readonly #atOnce: number
  readonly #running = new Map<Running, Promise<void>>()
  /** Shard -> when it may be looked at again, monotonic ms. */
  readonly #resting = new Map<number, number>()
  #isClosed = false
  #lookedAt = Number.NEGATIVE_INFINITY

  constructor({ control, kinds, atOnce }: WorkerOptions) {
    this.#control = control
    this.#kinds = new Map(kinds.map((kind) => [kind.name, kind]))
    this.#atOnce = atOnce
  }

  /** Makes those jobs that run for ever and are missing. */
  async begin(): Promise<void> {
    const { store, clock } = this.#control
    for (const { name, everyMs } of this.#kinds.values()) {
      const ref = jobRef(name, 'all')
      if (everyMs === undefined || (await store.get(ref))) continue
      try {
        await store.create(ref, freshJob({ kind: name, subject: 'all', account: '' }, clock.now()))
      } catch (error) {
        // Another worker began at the same moment.
        if (!isFailure(error, 'store.exists')) throw error
      }
    }
  }

  /** Runs these jobs if they are due and nobody else has them; resolves when they have ended. */
  async take(ids: readonly string[]): Promise<number> {
    const found = await this.#control.store.getAll(ids.map((id) => jobs.ref(id)))
    return this.#runAll(found.flatMap((snapshot) => (snapshot ? [snapshot] : [])))
  }

  /**
   * Runs due jobs until nothing is left or the time is up.
   * @returns how many were run, and whether none is waiting any more
   */
  async round(budgetMs: number): Promise<{ readonly ran: number; readonly isDone: boolean }> {
    const { clock } = this.#control
    await this.#putRightAhead()
    const until = clock.monotonic() + budgetMs * takingShare
    let ran = 0
    this.#resting.clear()
    while (!this.#isClosed && clock.monotonic() < until) {
      const awake = this.#awake()
      if (awake.length === 0) return { ran, isDone: true }
      const due = await Promise.all(awake.map((shard) => this.#due(shard)))
      const here = await this.#runAll(interleave(due))
      // Other workers have all of it, or only a newer release knows its kinds: looking again at once would find the
      // same.
      if (here === 0) for (const shard of awake) this.#rest(shard)
      ran += here
    }
    return { ran, isDone: false }
  }

  /** Takes no more jobs; running ones are told to end and get time for it. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const job of this.#running.keys()) job.abort()
    await Promise.all(this.#running.values())
  }

  /** So that a clock that was set back does not delay due jobs. */
  async #putRightAhead(): Promise<void> {
    const { clock, log } = this.#control
    if (clock.monotonic() - this.#lookedAt < lookMs) return
    this.#lookedAt = clock.monotonic()
    try {
      await putRightAhead(this.#control, this.#kinds)
    } catch (error) {
      log.warn({ error }, 'whether stored times lie too far ahead is looked at again')
    }
  }

  #awake(): readonly number[] {
    const now = this.#control.clock.monotonic()
    const awake = Array.from({ length: shards }, (_, shard) => shard).filter(
      (shard) => (this.#resting.get(shard) ?? 0) <= now,
    )
    return this.#pick(awake, shardsAtOnce)
  }

  async #due(shard: number) {
    const { store, clock } = this.#control
    const { items } = await store.query(queries.dueJobs, {
      where: { state: 'live', shard },
      to: clock.now(),
      limit: shardRows,
    })
    if (items.length === shardRows) return this.#pick(items, shardRuns)
    this.#rest(shard)
    return this.#pick(items, shardRows)
  }

  #rest(shard: number): void {
    this.#resting.set(shard, this.#control.clock.monotonic() + restMs)
  }

  async #runAll(found: readonly Snapshot<JobDoc>[]): Promise<number> {
    const waiting = [...found]
    let ran = 0
    const lane = async () => {
      for (let next = waiting.shift(); next && !this.#isClosed; next = waiting.shift()) {
        const claimed = await claimJob(this.#control, this.#kinds, next)
        if (!claimed) continue
        ran++
        const done = claimed.job.run().finally(() => this.#running.delete(claimed.job))
        this.#running.set(claimed.job, done)
        await done
      }
    }
    await Promise.all(Array.from({ length: this.#atOnce }, lane))
    return ran
  }

  /** Picks this many at random. */
  #pick<T>(items: readonly T[], count: number): readonly T[] {
    const left = [...items]
    const picked: T[] = []
    while (picked.length < count && left.length > 0)
      picked.push(...left.splice(Math.floor(this.#control.random() * left.length), 1))
    return picked
  }
}

/** One of each list in turn. */
function interleave<T>(lists: readonly (readonly T[])[]): readonly T[] {
  const longest = Math.max(0, ...lists.map(({ length }) => length))
  return Array.from({ length: longest }, (_, index) =>
    lists.flatMap((list) => (index < list.length ? list.slice(index, index + 1) : [])),
  ).flat()
}
