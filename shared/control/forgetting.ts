/**
 * Deletes the documents of relays that have long been gone: every instance leaves some, and nothing else deletes them.
 */
import type { Control } from './control.ts'
import { bound, type RelayDoc, relays } from './documents.ts'
import type { JobKind, RunningJob } from './jobs/jobs.ts'
import type { Snapshot } from './platform.ts'
import { queries } from './query-table.ts'

/**
 * Far longer than every ticket, and every rule that waits for a silent relay. A relay that comes back reports itself
 * anew.
 */
export const relayKeptMs = 7 * 24 * 3_600_000
const everyMs = 24 * 3_600_000
const pageMax = 100

export function forgetRelays(control: Control): JobKind {
  return {
    name: 'relays.forget',
    attemptsMax: Number.MAX_SAFE_INTEGER,
    everyMs,
    run: (job) => forget(control, job),
  }
}

async function forget({ store, clock, log }: Control, job: RunningJob): Promise<void> {
  let forgotten = 0
  const before = clock.now() - relayKeptMs
  for (const state of ['open', 'closed'])
    for (const { ref: cell } of (await store.query(queries.cellsByState, { where: { state }, limit: 500 }))
      .items) {
      job.signal.throwIfAborted()
      const gone = { where: { cell: cell.id }, to: before, limit: pageMax }
      for (const relay of (await store.query(queries.relaysOfCell, gone)).items)
        if (await forgetOne({ store, before }, relay)) forgotten++
      await job.advance({})
    }
  if (forgotten > 0) log.info({ forgotten }, 'relays that are long gone were forgotten')
}

async function forgetOne(
  { store, before }: Pick<Control, 'store'> & { readonly before: number },
  { ref, data }: Snapshot<RelayDoc>,
): Promise<boolean> {
  // Delete its lists first: without the relay nobody would find them again.
  for (let chunk = 0; chunk < data.boundChunks; chunk++) await store.delete(bound.ref(`${ref.id}:${chunk}`))
  return store.transact(async (tx) => {
    const latest = await tx.get(relays.ref(ref.id))
    if (!latest || latest.data.seenAt > before) return false
    tx.delete(latest.ref)
    return true
  })
}
