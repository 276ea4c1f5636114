/** What a lease changes in a tunnel, and what is kept of it for the next start. */
import { isDeepStrictEqual } from 'node:util'
import type { Lease, RelayAddress } from '@porttunneler/shared/api/schemas/tunnels'
import { httpEditsSchema } from '@porttunneler/shared/protocol/http-edits'
import type { SavedLease, Tunnel } from './tunnels.ts'

/** Whether a saved ticket may be used before the server was asked. */
export function isBindable({ lease, policy }: SavedLease, { wanted }: Tunnel, nowMs: number): boolean {
  // A ticket with the former policy may let in whom the new one keeps out.
  const isSamePolicy = wanted.policy === undefined || isDeepStrictEqual(wanted.policy, policy)
  return isSamePolicy && lease.ticketExpiresAt > nowMs
}

/** It may be bound. Of edits that a newer server has and that are not all understood, none is taken. */
export function holdLease(tunnel: Tunnel, lease: Lease): void {
  tunnel.lease = lease
  tunnel.name = lease.name
  tunnel.edits = httpEditsSchema.safeParse(lease.edits).data
}

/** The server has given it. */
export function takeLease(tunnel: Tunnel, lease: Lease): void {
  holdLease(tunnel, lease)
  tunnel.claimAt = Number.POSITIVE_INFINITY
  tunnel.wasGranted = true
  tunnel.askedAtMs = undefined
  tunnel.refused = undefined
}

/** What is saved of the lease that the tunnel has just got. */
export function toSave(
  { policySet: policy }: Tunnel,
  lease: Lease,
  relays: readonly RelayAddress[],
): SavedLease {
  return { lease, relays, ...(policy && { policy }) }
}
