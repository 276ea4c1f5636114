/** The parts of a tunnel's policy that an agent names when it claims: they are set before its ticket is made. */
import type { Policy } from '../protocol/endpoint.ts'
import { type Caller, requirePermission } from './caller.ts'
import { type Control, controlOf } from './control.ts'
import type { TunnelDoc } from './documents.ts'
import type { Drafting } from './generated.ts'
import type { Snapshot } from './platform.ts'
import { checkedPolicy, type LoosePolicy } from './policies.ts'
import { updateTunnel } from './tunnels.ts'

/** What a claim changed in a policy, by the names of its parts. */
export type PolicyChange = readonly (keyof Policy)[]

/**
 * Parts that are not named stay. Naming what already holds changes nothing, and needs no right.
 * @throws auth.scope for a key that may only serve, policy.needs_http
 */
export async function claimPolicy(
  control: Control,
  caller: Caller,
  { found, parts = {} }: { readonly found: Drafting; readonly parts?: LoosePolicy | undefined },
): Promise<{ readonly found: Drafting; readonly changed: PolicyChange }> {
  const { tunnel, redraft } = found
  const { kind, policy } = tunnel.data
  const named = checkedPolicy(kind, parts)
  const names = Object.keys(named) as (keyof Policy)[]
  const changed = names.filter((name) => JSON.stringify(named[name]) !== JSON.stringify(policy[name]))
  if (changed.length === 0) return { found, changed }
  requirePermission(caller, 'tunnels.write')
  if (tunnel.version === '') {
    const again = redraft && (() => withPolicy(redraft(), named))
    return {
      found: {
        tunnel: { ...tunnel, data: { ...tunnel.data, policy: named } },
        ...(again && { redraft: again }),
      },
      changed,
    }
  }
  const own = controlOf(control, caller.account)
  const next = await updateTunnel(own, caller, { id: tunnel.ref.id, change: {}, policyParts: named })
  return { found: { tunnel: next }, changed }
}

function withPolicy(
  tunnel: Snapshot<TunnelDoc> | undefined,
  policy: Partial<Policy>,
): Snapshot<TunnelDoc> | undefined {
  return tunnel && { ...tunnel, data: { ...tunnel.data, policy } }
}
