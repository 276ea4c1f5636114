/**
 * Usage as relays report it: cumulative counters per tunnel, hour and relay boot, stored by maximum, so a
 * repeated, late or reordered report changes nothing. Accepted only for tunnels of the reporting relay's own cell, and
 * of one that has moved to another cell since.
 */
import type { Usage } from '../api/schemas/relays.ts'
import { codes } from '../base/errors.ts'
import type { Control } from './control.ts'
import { deletedTunnels, tunnels, type UsageHourDoc, usageHours } from './documents.ts'
import { reopenHours } from './transfer.ts'

const hourMs = 3_600_000
const keepMs = 90 * 24 * hourMs
/** Writes under way at once: a report has up to 5,000 rows. */
const writesAtOnce = 32
/** A roll-up leaves the hour before its own open. It may run in an instance whose clock is some minutes ahead. */
const lateMs = 2 * hourMs - 5 * 60_000

export type RefusedRow = { readonly index: number; readonly key: UsageRefusal }
type UsageRefusal = 'usage.invalid' | 'usage.tunnel' | 'usage.hour'

/**
 * Resolves once everything acceptable is stored; what will never be is named, so that it is not sent for ever.
 * @param rows null stands for one that could not be read
 */
export async function storeUsage(
  control: Control,
  cell: string,
  rows: readonly (Usage | null)[],
): Promise<readonly RefusedRow[]> {
  const known = rows.flatMap((row) => (row === null ? [] : [row.tunnel]))
  const owners = await ownersOf(control, cell, [...new Set(known)])
  const nowMs = control.clock.now()
  const refused: RefusedRow[] = []
  const fine: Usage[] = []
  for (const [index, row] of rows.entries()) {
    const key = row === null ? 'usage.invalid' : refusalOf(row, { owner: owners.get(row.tunnel), nowMs })
    if (key !== undefined) refused.push({ index, key })
    else if (row !== null) fine.push(row)
  }
  if (refused.length > 0) {
    const [first] = refused
    const example = first && { code: codes[first.key].code, row: rows[first.index] }
    control.log.warn({ cell, count: refused.length, ...example }, 'usage of a relay was refused')
  }
  for (let start = 0; start < fine.length; start += writesAtOnce)
    await Promise.all(fine.slice(start, start + writesAtOnce).map((row) => storeRow(control, cell, row)))
  await reopenLate(control, fine)
  return refused
}

/** Complete hours that change after all are counted again in what the account has carried. */
async function reopenLate(control: Control, rows: readonly Usage[]): Promise<void> {
  const recent = control.clock.now() - lateMs
  const oldest = new Map<string, Usage>()
  for (const row of rows.filter(({ hour }) => hour < recent)) {
    const key = `${row.account}:${new Date(row.hour).toISOString().slice(0, 7)}`
    if (row.hour < (oldest.get(key)?.hour ?? Number.POSITIVE_INFINITY)) oldest.set(key, row)
  }
  await Promise.all(Array.from(oldest.values(), ({ account, hour }) => reopenHours(control, account, hour)))
}

function refusalOf(
  { account, hour }: Usage,
  { owner, nowMs }: { owner: string | undefined; nowMs: number },
): UsageRefusal | undefined {
  if (owner !== account) return 'usage.tunnel'
  const isHour = hour % hourMs === 0 && hour <= nowMs + hourMs && hour > nowMs - keepMs
  return isHour ? undefined : 'usage.hour'
}

/** Whose the tunnels are, as far as `cell` serves them or did before they moved. */
async function ownersOf(
  control: Control,
  cell: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const found = await control.store.getAll(ids.map((id) => tunnels.ref(id)))
  const missing = ids.filter((_, index) => !found[index])
  const deleted = await control.store.getAll(missing.map((id) => deletedTunnels.ref(id)))
  const owners = new Map<string, string>()
  for (const snapshot of [...found, ...deleted])
    if (snapshot?.data.cell === cell || snapshot?.data.formerCell === cell)
      owners.set(snapshot.ref.id, snapshot.data.account)
  return owners
}

async function storeRow(control: Control, cell: string, row: Usage): Promise<void> {
  const { tunnel, account, hour, boot } = row
  const ref = usageHours.ref(`${tunnel}:${hour}:${boot}`)
  const updatedAt = control.clock.now()
  await control.store.change(ref, (current): UsageHourDoc | 'keep' => {
    const counts = maximum(row, current)
    const isOld =
      current && (['in', 'out', 'opened', 'refused'] as const).every((name) => counts[name] === current[name])
    if (isOld) return 'keep'
    return { account, tunnel, cell, hour, ...counts, updatedAt, ttl: new Date(hour + keepMs) }
  })
}

export type Counts = Pick<UsageHourDoc, 'in' | 'out' | 'opened' | 'refused'>

function maximum(a: Counts, b: Counts | undefined): Counts {
  return {
    in: Math.max(a.in, b?.in ?? 0),
    out: Math.max(a.out, b?.out ?? 0),
    opened: Math.max(a.opened, b?.opened ?? 0),
    refused: Math.max(a.refused, b?.refused ?? 0),
  }
}
