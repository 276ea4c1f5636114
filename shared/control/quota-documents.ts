/** What an account's limits are compared with. */
import { ownIdCollection } from './names.ts'

/**
 * Id: account. An account's limits are compared with these counts. Each changes in the transaction of what it counts,
 * so racing cannot pass a limit. counting.ts checks them, and makes the document where releases up to 0.1 had none.
 */
export type QuotaDoc = {
  readonly account: string
  /** Tunnels defined, online or not. */
  readonly tunnels: number
  /** Leases, whether or not their agents are there; a pool is one. */
  readonly online: number
  /** Keys that are not revoked. */
  readonly keys: number
  readonly members: number
  /** Missing in documents of releases up to 0.1, which had no reservations. */
  readonly reservedHosts?: number
  readonly reservedPorts?: number
  readonly domains?: number
  /** When fresh addresses will have been paid for; quota.ts. */
  readonly paceAt: number
  readonly countedAt: number
}
/** Releases up to 0.1 stored here which tunnels were online. Now it only shows that one of them has run since. */
export type OnlineDoc = { readonly account: string }

export const quotas = ownIdCollection<QuotaDoc>('quota')
export const online = ownIdCollection<OnlineDoc>('online')
