/** What is left for a while of what was deleted, where something of it may still be on its way. */
import { lateMaxMs } from './books/calendar.ts'
import type { DeletedTunnelDoc, IdentityDoc, TunnelDoc } from './documents.ts'

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

/** What is left of a person's sign-in: with it, an earlier token makes no new person of an erased one. */
export function erasedIdentity(nowMs: number): IdentityDoc {
  return { user: '', erasedAt: nowMs, ttl: new Date(nowMs + lateMaxMs) }
}
