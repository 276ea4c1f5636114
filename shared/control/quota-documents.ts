/** What the limits of an account are compared with. */
import { ownIdCollection } from './names.ts'

/**
 * Id: account. What its limits are compared with. Each number changes in the transaction of what it counts, so limits
 * cannot be passed by racing; counting.ts proves them, and makes the document where releases up to 0.1 had none.
 */
export type QuotaDoc = {
  readonly account: string
  /** Defined, online or not. */
  readonly tunnels: number
  /** Leases, whether their agents are there or not; a pool is one. */
  readonly online: number
  /** Not revoked. */
  readonly keys: number
  readonly members: number
  /** Absent in documents of releases up to 0.1, which reserved nothing. */
  readonly reservedHosts?: number
  readonly reservedPorts?: number
  readonly domains?: number
  /** When fresh addresses will have been paid for; quota.ts. */
  readonly paceAt: number
  readonly countedAt: number
}
/** Releases up to 0.1 kept here which tunnels were online. Read as a sign that one of them has run since. */
export type OnlineDoc = { readonly account: string }

export const quotas = ownIdCollection<QuotaDoc>('quota')
export const online = ownIdCollection<OnlineDoc>('online')
