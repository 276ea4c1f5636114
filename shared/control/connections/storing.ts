/**
 * Connections as relays report them: stored once each, and only for tunnels of the reporting relay's cell whose owner
 * wants them kept at this moment. What was turned off meanwhile is not stored.
 */
import { batchSpanMsMax, type ConnectionBatch, connectionDaysMax } from '../../api/schemas/connections.ts'
import type { Control } from '../control.ts'
import { accounts, type TunnelDoc, tunnels } from '../documents.ts'
import { changeAll, pieces } from '../piecewise.ts'
import { limitsOf, type PlanLimits } from '../plans.ts'
import { servesOrServed } from '../usage.ts'
import { type ConnectionsDoc, connections } from './documents.ts'
import { packRows } from './packing.ts'

const dayMs = 24 * 3_600_000
/** A relay's time is that of the control plane, but for the way of the answer. */
const aheadMsMax = 5 * 60_000

/** How long an account's connections are kept: as its audit log, and never longer than a month. */
export function connectionDaysOf({ auditDays }: Pick<PlanLimits, 'auditDays'>): number {
  return Math.min(connectionDaysMax, auditDays)
}

/** Resolves once all that may be kept is stored; the rest is dropped, and never asked for again. */
export async function storeConnections(
  control: Control,
  cell: string,
  batches: readonly (ConnectionBatch | null)[],
): Promise<void> {
  const nowMs = control.clock.now()
  const fine = new Map<string, ConnectionBatch>()
  for (const batch of batches)
    if (batch && batch.rows.length > 0 && isTimely(batch, nowMs))
      fine.set(`${batch.tunnel}:${batch.boot}:${batch.number}`, batch)
  if (fine.size === 0) return
  const owners = await tunnelsOf(control, [...new Set([...fine.values()].map(({ tunnel }) => tunnel))])
  const days = await daysOf(control, [...new Set([...owners.values()].map(({ account }) => account))])
  const changes = [...fine].flatMap(([id, batch]) => {
    const tunnel = owners.get(batch.tunnel)
    if (tunnel?.account !== batch.account || !tunnel.policy.keepConnections) return []
    if (!servesOrServed(tunnel, cell)) return []
    const made = docOf(batch, days.get(batch.account) ?? 0)
    return [{ ref: connections.ref(id), next: (known?: ConnectionsDoc) => (known ? 'keep' : made) } as const]
  })
  await changeAll(control.store, changes)
}

function isTimely({ from }: ConnectionBatch, nowMs: number): boolean {
  return from <= nowMs + aheadMsMax && from > nowMs - connectionDaysMax * dayMs
}

function docOf({ account, tunnel, from, counted, rows }: ConnectionBatch, days: number): ConnectionsDoc {
  const ends = rows.map(([after]) => from + Math.min(after, batchSpanMsMax))
  const until = Math.max(...ends)
  return {
    account,
    tunnel,
    from: Math.min(...ends),
    until,
    counted: Math.max(counted, rows.length),
    kept: rows.length,
    // Their times are relative to the first end.
    packed: packRows(rows.map(([after, ...rest]) => [after - (Math.min(...ends) - from), ...rest])),
    ttl: new Date(until + days * dayMs),
  }
}

async function tunnelsOf(control: Control, ids: readonly string[]): Promise<ReadonlyMap<string, TunnelDoc>> {
  const found = new Map<string, TunnelDoc>()
  for (const piece of pieces(ids))
    for (const snapshot of await control.store.getAll(piece.map((id) => tunnels.ref(id))))
      if (snapshot) found.set(snapshot.ref.id, snapshot.data)
  return found
}

async function daysOf(control: Control, ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const days = new Map<string, number>()
  for (const piece of pieces(ids))
    for (const snapshot of await control.store.getAll(piece.map((id) => accounts.ref(id))))
      if (snapshot) days.set(snapshot.ref.id, connectionDaysOf(limitsOf(snapshot.data)))
  return days
}
