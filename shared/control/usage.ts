/**
 * Usage as relays report it: cumulative counters per tunnel, hour and relay boot, stored by maximum, so a repeated,
 * late or reordered report changes nothing. Accepted only for tunnels of the reporting relay's own cell, and for those
 * that have moved to another cell since.
 */
import { minuteShape, type Usage } from '../api/schemas/relays.ts'
import { codes } from '../base/errors.ts'
import { otherTurns } from '../base/other-turns.ts'
import { highestCounts } from '../base/packed-counts.ts'
import { askToMeasure } from './alerts/measuring.ts'
import { hourMs, lateMaxMs } from './books/calendar.ts'
import { recordLate } from './books/late.ts'
import { type GivenResults, highestResults, isSameResults, type PackedResults } from './books/results.ts'
import type { Control } from './control.ts'
import { deletedTunnels, type TunnelDoc, tunnels } from './documents.ts'
import { changeAll, pieces } from './piecewise.ts'
import { type UsageHourDoc, usageHours } from './usage-documents.ts'

/**
 * Some days longer than needed, so that late usage is counted before it is deleted. Months and periods keep the hours.
 */
const keepMs = 40 * 24 * hourMs
export type RefusedRow = { readonly index: number; readonly key: UsageRefusal }
type UsageRefusal = 'usage.invalid' | 'usage.tunnel' | 'usage.hour' | 'usage.too_late'

/**
 * Resolves once everything acceptable is stored; rows that can never be accepted are returned, so that they are not
 * sent for ever.
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
  const rowsById = new Map<string, Usage>()
  for (const row of fine) {
    const id = rowId(row)
    const before = rowsById.get(id)
    rowsById.set(id, before ? { ...row, ...highest(row, before) } : row)
  }
  const stored = new Map<string, UsageHourDoc>()
  await changeAll<UsageHourDoc>(
    control.store,
    Array.from(rowsById, ([id, row]) => ({
      ref: usageHours.ref(id),
      next: (current) => {
        const next = nextRow(control, { cell, row, current })
        if (next !== 'keep') stored.set(id, next)
        return next
      },
    })),
  )
  await recordLate(control, fine)
  await askToMeasure(control, [...stored.values()])
  return refused
}

function refusalOf(
  { account, hour }: Usage,
  { owner, nowMs }: { owner: string | undefined; nowMs: number },
): UsageRefusal | undefined {
  if (owner !== account) return 'usage.tunnel'
  if (hour % hourMs !== 0 || hour > nowMs + hourMs) return 'usage.hour'
  return hour <= nowMs - lateMaxMs ? 'usage.too_late' : undefined
}

/** The accounts of the tunnels that `cell` serves, or served before they moved. */
async function ownersOf(
  control: Control,
  cell: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const owners = new Map<string, string>()
  for (const piece of pieces(ids)) {
    const found = await control.store.getAll(piece.map((id) => tunnels.ref(id)))
    const missing = piece.filter((_, index) => !found[index])
    const deleted = await control.store.getAll(missing.map((id) => deletedTunnels.ref(id)))
    for (const snapshot of [...found, ...deleted])
      if (snapshot && servesOrServed(snapshot.data, cell)) owners.set(snapshot.ref.id, snapshot.data.account)
    await otherTurns()
  }
  return owners
}

/** Now, or before it moved. */
export function servesOrServed(
  { cell: now, formerCell, formerCells = {} }: Pick<TunnelDoc, 'cell' | 'formerCell' | 'formerCells'>,
  cell: string,
): boolean {
  return cell === now || cell === formerCell || Object.hasOwn(formerCells, cell)
}

function rowId({ tunnel, hour, boot }: Pick<Usage, 'tunnel' | 'hour' | 'boot'>): string {
  return `${tunnel}:${hour}:${boot}`
}

function nextRow(
  control: Control,
  { cell, row, current }: { cell: string; row: Usage; current: UsageHourDoc | undefined },
): UsageHourDoc | 'keep' {
  const { tunnel, account, hour } = row
  const figures = highest(row, current)
  const isOld =
    current &&
    (['in', 'out', 'opened', 'refused', 'minutes'] as const).every(
      (name) => figures[name] === current[name],
    ) &&
    isSameResults(figures, current)
  if (isOld) return 'keep'
  return {
    account,
    tunnel,
    cell,
    hour,
    ...figures,
    updatedAt: control.clock.now(),
    ttl: new Date(hour + keepMs),
  }
}

export type Counts = Pick<UsageHourDoc, 'in' | 'out' | 'opened' | 'refused'>
type Given = Counts & GivenResults & { readonly minutes?: string | undefined }
type Figures = Counts & PackedResults & { readonly minutes?: string }

function highest(a: Given, b: Given | undefined): Figures {
  const minutes = highestCounts(a.minutes, b?.minutes, minuteShape)
  return {
    in: Math.max(a.in, b?.in ?? 0),
    out: Math.max(a.out, b?.out ?? 0),
    opened: Math.max(a.opened, b?.opened ?? 0),
    refused: Math.max(a.refused, b?.refused ?? 0),
    ...(minutes !== undefined && { minutes }),
    ...highestResults(a, b, minuteShape.rows),
  }
}
