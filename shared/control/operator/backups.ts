/**
 * What has to happen when the store is an earlier state again: from a backup, or by restoring a database to a point in
 * time. Agents and relays know things that the store has forgotten. Epochs, versions and commands follow the clock, so
 * new ones count more than whatever they know; but two things do not end by themselves, and end here. A lease that
 * goes on with its old epoch would lose against a later one at the relays. And tickets of the forgotten time could
 * bind endpoints that the store gives to somebody else.
 */
import { z } from 'zod'
import { codes, fail } from '../../base/errors.ts'
import type { Control } from '../control.ts'
import { endpoints } from '../documents.ts'
import { disband } from '../lease-rules.ts'
import type { QueryOptions } from '../platform.ts'
import { queries } from '../query-table.ts'
import { declareAct, recordAct } from './act.ts'
import { tellRelays } from './keys.ts'

const pageMax = 200
const atOnce = 16

export const backupActs = {
  'backup.settle': declareAct(z.strictObject({ at: z.int().min(0) }), async ({ control }, { at }, by) => {
    const restoredTo = new Date(at).toISOString()
    await recordAct(control, by, { action: 'store.restored', target: 'store', details: { restoredTo } })
    const keys = await endKeys(control)
    return { restoredTo, keys, leases: await endHolding(control) }
  }),
  'backup.status': declareAct(z.strictObject({}), async ({ backups }) => {
    if (!backups) throw fail('backup.unknown')
    const status = await backups()
    if (!status) throw fail('backup.unknown', 'This server makes no backups by itself.')
    const { newestAt, dueAt, everyMs, failure, kept, folder } = status
    const problems = [
      ...(status.isOverdue ? [overdue(newestAt, dueAt)] : []),
      ...(failure === undefined ? [] : [`The last try failed: ${failure}`]),
    ]
    return { newestAt: newestAt ?? 0, dueAt, everyHours: everyMs / 3_600_000, kept, folder, problems }
  }),
}

function overdue(newestAt: number | undefined, dueAt: number): string {
  const { code } = codes['backup.overdue']
  const due = `one was due at ${new Date(dueAt).toISOString()}`
  if (newestAt === undefined) return `${code} There is no backup; ${due}.`
  return `${code} The newest backup is of ${new Date(newestAt).toISOString()}; ${due}.`
}

/** Every ticket that was signed before the restore. @returns how many keys signed them */
async function endKeys(control: Control): Promise<number> {
  const known = await control.signer.describe()
  for (const { kid } of known) {
    const version = await control.signer.withdraw(kid)
    if (version === undefined) throw fail('operator.busy')
    await tellRelays(control, version, kid)
  }
  return known.length
}

/** Every agent has to claim again, which the next renewal tells it; the claim gets an epoch above all earlier ones. */
async function endHolding({ store, clock }: Control): Promise<number> {
  let ended = 0
  let after: QueryOptions['after']
  do {
    const page = await store.query(queries.expiredLeases, {
      where: { state: 'leased' },
      limit: pageMax,
      ...(after && { after }),
    })
    for (let start = 0; start < page.items.length; start += atOnce)
      await Promise.all(
        page.items
          .slice(start, start + atOnce)
          .map(({ ref }) =>
            store.change(endpoints.ref(ref.id), (latest) =>
              latest?.state === 'leased' ? disband(latest, clock.now()) : 'keep',
            ),
          ),
      )
    ended += page.items.length
    after = page.next
  } while (after)
  return ended
}
