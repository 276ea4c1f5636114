/**
 * Writes to Firestore at most once. A commit whose answer is lost is sent again unchanged: its preconditions let only
 * one of the two take effect, and when they refuse the second, the mark in the documents (`_commit`) tells whether the
 * first one did. If even that is unclear, the caller gets store.unavailable, and nothing is done twice. A commit
 * without preconditions only sets values and may be repeated.
 */
import { randomBytes } from 'node:crypto'
import type { Firestore, Transaction } from '@google-cloud/firestore'
import { type BackoffShape, backoffMs } from '@porttunneler/shared/base/backoff'
import { type Clock, sleep } from '@porttunneler/shared/base/clock'
import { fail, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import type { Doc, Ref } from '@porttunneler/shared/control/platform'
import { storeFailure, verdictOf } from './store.firestore.failures.ts'
import {
  applyWrites,
  type Expected,
  type Found,
  foundOf,
  type GuardedWrite,
  refOf,
  type Sink,
} from './store.firestore.values.ts'

export type CommitOptions = {
  readonly db: Firestore
  readonly clock: Clock
  readonly random: () => number
  /** Running calls, including those given up. */
  readonly pending: Set<Promise<unknown>>
}

export type CommitOrder = {
  readonly writes: readonly GuardedWrite[]
  /** On the store's monotonic clock. */
  readonly endMs: number
  /** Runs first in one of Firestore's transactions, whose reads hold until the commit. @throws store.changed */
  readonly validate?: (tx: Transaction) => Promise<void>
}

/** Long enough for a server restart or a held lock, and few enough to answer a person in time. */
const retryShape: BackoffShape = { fastTries: 0, fastMs: 0, minMs: 50, maxMs: 1_000, jitter: 0.8 }
const triesMax = 5

/** @throws store.exists, store.missing, store.changed, store.contention, store.unavailable, store.invalid */
export async function commitOnce(options: CommitOptions, order: CommitOrder): Promise<void> {
  const { clock, random } = options
  const mark = randomBytes(9).toString('base64url')
  let isUnsure = false
  for (let tries = 0; ; tries++) {
    try {
      await withDeadline(options, order.endMs, () => send(options.db, order, mark))
      return
    } catch (error) {
      const verdict = verdictOf(error)
      if (verdict === 'final' && !isUnsure) throw storeFailure(error)
      if (verdict === 'final' || verdict === 'refused') {
        const found = await readWritten(options, order)
        if (!isUnsure) throw reasonOf(order.writes, { found, cause: error })
        if (found.some((one) => one?.mark === mark)) return
        throw fail('store.unavailable', undefined, { cause: error })
      }
      isUnsure ||= verdict === 'unknown'
      const pauseMs = backoffMs(retryShape, tries, random)
      if (tries + 1 >= triesMax || clock.monotonic() + pauseMs >= order.endMs)
        throw isUnsure ? fail('store.unavailable', undefined, { cause: error }) : storeFailure(error)
      await sleep(clock, pauseMs)
    }
  }
}

async function send(db: Firestore, { writes, validate }: CommitOrder, mark: string): Promise<void> {
  const run = async (tx: Transaction) => {
    await validate?.(tx)
    applyWrites(db, tx as unknown as Sink, { writes, mark })
  }
  // Without reads this is one plain commit. A batch of the SDK always retries by itself.
  await db.runTransaction(run, { maxAttempts: 1 })
}

async function readWritten(
  options: CommitOptions,
  { writes, endMs }: CommitOrder,
): Promise<readonly (Found | undefined)[]> {
  const refs = writes.map(({ write }) => write.ref)
  return readDocuments(options, { refs, endMs })
}

/** @throws store.unavailable, cloud.refused */
export async function readDocuments<T extends Doc>(
  options: CommitOptions,
  { refs, endMs }: { readonly refs: readonly Ref<T>[]; readonly endMs: number },
): Promise<readonly (Found<T> | undefined)[]> {
  const { db } = options
  const documents = refs.map((ref) => refOf(db, ref))
  if (documents.length === 0) return []
  try {
    const snapshots = await withDeadline(options, endMs, () => db.getAll(...documents))
    return refs.map((ref, index) => foundOf(ref, snapshots[index]))
  } catch (error) {
    throw storeFailure(error)
  }
}

/**
 * Which write was refused. Documents that were read come before those written blind: a decision based on them is stale.
 */
function reasonOf(
  writes: readonly GuardedWrite[],
  { found, cause }: { readonly found: readonly (Found | undefined)[]; readonly cause: unknown },
): PortTunnelerError {
  const pairs = writes.map(({ write, expected }, index) => ({ write, expected, there: found[index] }))
  const isChanged = pairs.some(({ expected, there }) => expected && !isAsExpected(expected, there))
  if (isChanged) return fail('store.changed', undefined, { cause })
  for (const { write, expected, there } of pairs) {
    const options = { fields: write.ref, cause }
    if (write.op === 'create' && !expected && there) return fail('store.exists', undefined, options)
    if (write.op === 'update' && !there) return fail('store.missing', undefined, options)
    if ('if' in write && write.if && write.if.version !== there?.version)
      return fail('store.changed', undefined, options)
  }
  // It was so a moment ago and no longer is: only another try can tell.
  return fail('store.contention', undefined, { cause })
}

export function isAsExpected(expected: Expected, there: Found | undefined): boolean {
  return expected === 'missing' ? !there : expected.version === there?.version
}

/**
 * The call's result, or store.unavailable at `endMs`. Firestore's client cannot stop a call: one that is given up goes
 * on in the background, until the client's own deadline.
 */
export async function withDeadline<T>(
  { clock, pending }: CommitOptions,
  endMs: number,
  call: () => Promise<T>,
): Promise<T> {
  const left = endMs - clock.monotonic()
  if (left <= 0) throw fail('store.unavailable', 'The database did not answer in time.')
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = clock.after(left, () =>
    reject(fail('store.unavailable', 'The database did not answer in time.')),
  )
  const running = call()
  pending.add(running)
  const over = () => pending.delete(running)
  running.then(over, over)
  try {
    return await Promise.race([running, promise])
  } finally {
    timer.clear()
  }
}
