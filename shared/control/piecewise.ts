/**
 * Changes many documents a piece at a time: one read and one batch for hundreds, and in between other work gets its
 * turn.
 */
import type { ErrorKey } from '../base/errors.ts'
import { otherTurns } from '../base/other-turns.ts'
import { asFailure } from './failures.ts'
import type { Doc, Ref, Store, Write } from './platform.ts'

/** The maximum of a batch, and less than 50 ms of SQLite's thread. */
const perBatch = 400
/** Parallel writes after another writer made a batch fail. */
const writesAtOnce = 32

/** Another writer changed one of the documents at the same moment. */
const lostBatch: ReadonlySet<ErrorKey> = new Set([
  'store.exists',
  'store.changed',
  'store.missing',
  'store.contention',
])

export type Change<T extends Doc> = {
  readonly ref: Ref<T>
  /** Must have no side effects, since it may run again. */
  readonly next: (current: T | undefined) => T | 'keep'
}

/**
 * Changes each document only if nobody has written it since it was read: a plain write would lose an increase that
 * somebody else wrote. A failed batch is done one by one. No document may be in `changes` twice.
 */
export async function changeAll<T extends Doc>(
  store: Pick<Store, 'getAll' | 'batch' | 'change'>,
  changes: readonly Change<T>[],
): Promise<void> {
  for (const piece of pieces(changes)) {
    await changePiece(store, piece)
    await otherTurns()
  }
}

export function* pieces<T>(list: readonly T[], size = perBatch): Generator<readonly T[]> {
  for (let start = 0; start < list.length; start += size) yield list.slice(start, start + size)
}

async function changePiece<T extends Doc>(
  store: Pick<Store, 'getAll' | 'batch' | 'change'>,
  changes: readonly Change<T>[],
): Promise<void> {
  const found = await store.getAll(changes.map(({ ref }) => ref))
  const writes = changes.flatMap(({ ref, next }, index): readonly Write[] => {
    const known = found[index]
    const data = next(known?.data)
    if (data === 'keep') return []
    return known
      ? [{ op: 'update', ref, fields: data, if: { version: known.version } }]
      : [{ op: 'create', ref, data }]
  })
  try {
    if (writes.length > 0) await store.batch(writes)
  } catch (error) {
    if (!lostBatch.has(asFailure(error).key)) throw error
    for (const some of pieces(changes, writesAtOnce))
      await Promise.all(some.map(({ ref, next }) => store.change(ref, next)))
  }
}
