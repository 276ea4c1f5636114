/** Whether an agent that renews still has its lease, and until when: a pure rule beside those of lease-rules.ts. */
import { limits } from '../protocol/limits.ts'
import type { EndpointDoc } from './documents.ts'
import { isUnheld, liveHolders } from './lease-rules.ts'

export type Renewal =
  | { readonly kind: 'keep' | 'extend'; readonly next: EndpointDoc }
  /** Another agent has it: final. */
  | { readonly kind: 'lost' }
  /** The account's limit ended it: final. */
  | { readonly kind: 'displaced' }
  /** Released, expired and swept, or passed on: claim again. */
  | { readonly kind: 'gone' }

type RenewalClaim = {
  readonly tunnel: string
  readonly agent: string
  readonly epoch: number
  readonly shares: boolean
  readonly key: string
  readonly nowMs: number
}

export function decideRenewal(
  current: EndpointDoc,
  { tunnel, agent, epoch, shares, key, nowMs }: RenewalClaim,
): Renewal {
  if (current.tunnel === tunnel && current.isDisplaced) return { kind: 'displaced' }
  if (current.state !== 'leased' || current.tunnel !== tunnel) return { kind: 'gone' }
  const { holders = {} } = current
  const holder = holders[agent]
  // In a pool no agent loses to another: one that is out claims again and joins.
  if (holder === undefined || current.epoch !== epoch)
    return { kind: shares || isUnheld(current) ? 'gone' : 'lost' }
  if (holder.expiresAt - nowMs >= limits.leaseExtendUnderMs) return { kind: 'keep', next: current }
  const expiresAt = nowMs + limits.leaseMs
  const extended = {
    ...Object.fromEntries(liveHolders(current, nowMs)),
    [agent]: { ...holder, expiresAt, key },
  }
  return { kind: 'extend', next: { ...current, expiresAt, holders: extended } }
}
