/** What is left of a deleted tunnel for a while. */
import { lateMaxMs } from './books/calendar.ts'
import type { DeletedTunnelDoc, TunnelDoc } from './documents.ts'

/** What is left of a tunnel: usage of its last hour finds its account for as long as reports are taken at all. */
export function tombstoneOf(
  { account, cell, formerCell, formerCells }: TunnelDoc,
  nowMs: number,
): DeletedTunnelDoc {
  const former = {
    ...(formerCell !== undefined && { formerCell }),
    ...(formerCells !== undefined && { formerCells }),
  }
  return { account, cell, ...former, deletedAt: nowMs, ttl: new Date(nowMs + lateMaxMs) }
}
