/** What is left of a deleted tunnel for a while. */
import type { DeletedTunnelDoc, TunnelDoc } from './documents.ts'

/** Usage of a tunnel may still be on its way this long after its deletion. */
const tombstoneMs = 2 * 24 * 3_600_000

/** What is left of a tunnel: its last usage report still finds its account. */
export function tombstoneOf(
  { account, cell, formerCell, formerCells }: TunnelDoc,
  nowMs: number,
): DeletedTunnelDoc {
  const former = {
    ...(formerCell !== undefined && { formerCell }),
    ...(formerCells !== undefined && { formerCells }),
  }
  return { account, cell, ...former, deletedAt: nowMs, ttl: new Date(nowMs + tombstoneMs) }
}
