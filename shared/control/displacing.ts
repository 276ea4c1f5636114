/**
 * Finds the leases of an account that may end so that another can begin: those that lapsed, then those whose agents
 * have been away longest. It reads the relays' reports anew, because an agent that is back keeps its lease.
 */
import { queryAll, Views } from './cells.ts'
import type { Control } from './control.ts'
import type { EndpointDoc } from './documents.ts'
import type { CellView } from './lease-rules.ts'
import type { Snapshot } from './platform.ts'
import { presenceOf } from './presence.ts'
import { queries } from './query-table.ts'

/** For one claim; each is two documents of its transaction. */
const displacedMax = 6

export type Lease = Snapshot<EndpointDoc>

/** At most `count`, in the order in which they end. @param spared tunnels that are being claimed themselves */
export async function findDisplaceable(
  control: Control,
  account: string,
  { count, spared }: { readonly count: number; readonly spared: ReadonlySet<string> },
): Promise<readonly Lease[]> {
  const where = { account, state: 'leased' }
  const leases = await queryAll(control.store, queries.leasesOfAccount, { where })
  const views = new Map<string, CellView>()
  for (const cell of new Set(leases.map(({ data }) => data.cell)))
    views.set(cell, await new Views(control, await control.cells.now(cell)).withBound())
  const nowMs = control.clock.now()
  const ranked = leases.flatMap((lease) => {
    const cell = views.get(lease.data.cell)
    if (!cell || spared.has(lease.data.tunnel)) return []
    const rank = rankOf(lease, { cell, nowMs })
    return rank === undefined ? [] : [{ lease, rank }]
  })
  return ranked
    .sort((a, b) => a.rank - b.rank)
    .slice(0, Math.min(count, displacedMax))
    .map(({ lease }) => lease)
}

/** Lapsed ones first, then by when the last of its agents went away. @returns undefined if it stays */
function rankOf(
  { ref, data }: Lease,
  { cell, nowMs }: { cell: CellView; nowMs: number },
): number | undefined {
  if (data.expiresAt <= nowMs) return cell.isBound(ref.id) ? undefined : data.expiresAt - nowMs
  if (presenceOf(ref.id, data, { cell, nowMs }).kind !== 'away') return undefined
  const told = Object.values(data.holders ?? {}).flatMap(({ since, away }) => [since, ...Object.values(away)])
  return Math.max(data.leasedAt, ...told)
}
