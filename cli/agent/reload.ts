/**
 * What a changed ptun.yaml means for a running agent: which of its tunnels are new, removed, or go on with another
 * upstream. Tunnels are identified by name; one of another kind is another tunnel.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Tunnel, WantedTunnel } from './tunnels.ts'

export type ReloadPlan = {
  readonly added: readonly WantedTunnel[]
  readonly removed: readonly Tunnel[]
  readonly changed: readonly { readonly tunnel: Tunnel; readonly wanted: WantedTunnel }[]
}

export function planReload(present: readonly Tunnel[], wanted: readonly WantedTunnel[]): ReloadPlan {
  const keyOf = ({ name, kind }: WantedTunnel) => `${kind} ${name}`
  const here = new Map(present.map((tunnel) => [keyOf(tunnel.wanted), tunnel]))
  const next = new Map(wanted.map((one) => [keyOf(one), one]))
  return {
    added: wanted.filter((one) => !here.has(keyOf(one))),
    removed: present.filter((tunnel) => !next.has(keyOf(tunnel.wanted))),
    changed: present.flatMap((tunnel) => {
      const one = next.get(keyOf(tunnel.wanted))
      return one && !isDeepStrictEqual(one, tunnel.wanted) ? [{ tunnel, wanted: one }] : []
    }),
  }
}

/** The server has to be asked: for another public port, policy or tags, or because it is shared from now on. */
export function needsClaim({ wanted, lease }: Tunnel, before: WantedTunnel): boolean {
  const isMoved = wanted.port !== undefined && wanted.port !== (lease?.endpoint.port ?? before.port)
  const hasPolicy = wanted.policy !== undefined && !isDeepStrictEqual(wanted.policy, before.policy)
  const hasTags = wanted.tags !== undefined && !isDeepStrictEqual(wanted.tags, before.tags)
  return isMoved || hasPolicy || hasTags || (wanted.isPool === true && before.isPool !== true)
}
