/** What an agent says of its tunnel when it claims: parts of the policy, set before the ticket is made, and tags. */
import type { Policy } from '../protocol/endpoint.ts'
import { type Caller, requirePermission } from './caller.ts'
import { type Control, controlOf } from './control.ts'
import type { TunnelDoc } from './documents.ts'
import type { Drafting } from './generated.ts'
import type { Snapshot } from './platform.ts'
import { checkedPolicy, type LoosePolicy } from './policies.ts'
import { tagged, updateTunnel } from './tunnels.ts'

/** What a claim changed in a policy, by the names of its parts. */
export type PolicyChange = readonly (keyof Policy)[]

type ClaimedParts = {
  readonly found: Drafting
  readonly parts?: LoosePolicy | undefined
  readonly tags?: readonly string[] | undefined
}

/**
 * Parts that are not named stay. Naming what already holds changes nothing, and needs no right.
 * @throws auth.scope for a key that may only serve, policy.needs_http
 */
export async function claimPolicy(
  control: Control,
  caller: Caller,
  { found, parts = {}, tags }: ClaimedParts,
): Promise<{ readonly found: Drafting; readonly changed: PolicyChange }> {
  const { tunnel, redraft } = found
  const { kind, policy } = tunnel.data
  const named = checkedPolicy(kind, parts)
  const names = Object.keys(named) as (keyof Policy)[]
  const changed = names.filter((name) => JSON.stringify(named[name]) !== JSON.stringify(policy[name]))
  const isRetagged = tags !== undefined && tags.join() !== (tunnel.data.tags ?? []).join()
  if (changed.length === 0 && !isRetagged) return { found, changed }
  requirePermission(caller, 'tunnels.write')
  if (tunnel.version === '') {
    const said = { policy: named, ...tagged(tags) }
    const again = redraft && (() => withParts(redraft(), said))
    const fresh = { ...tunnel, data: { ...tunnel.data, ...said } }
    return { found: { tunnel: fresh, ...(again && { redraft: again }) }, changed }
  }
  const own = controlOf(control, caller.account)
  const next = await updateTunnel(own, caller, {
    id: tunnel.ref.id,
    change: isRetagged ? { tags: [...tags] } : {},
    ...(changed.length > 0 && { policyParts: named }),
  })
  return { found: { tunnel: next }, changed }
}

function withParts(
  tunnel: Snapshot<TunnelDoc> | undefined,
  parts: Partial<TunnelDoc>,
): Snapshot<TunnelDoc> | undefined {
  return tunnel && { ...tunnel, data: { ...tunnel.data, ...parts } }
}
