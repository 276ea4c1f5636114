/**
 * Leases that their agents give back. The command waits for `sync` and does not go by the bus: an agent that releases
 * no longer serves, and what is still bound ends within half a minute. No rule needs more: an endpoint changes hands
 * only when `sync` has brought the command to every relay.
 */
import { type Caller, mayTouch } from './caller.ts'
import type { Control } from './control.ts'
import { type EndpointDoc, endpoints, tunnels } from './documents.ts'
import { isHolder, leave } from './lease-rules.ts'
import type { Transaction } from './platform.ts'
import { lookToTake } from './quota.ts'
import { writeRelease } from './tunnels.ts'

/** Each touches its endpoint and a command, besides the account's quota; a transaction's documents are limited. */
const releasesPerTransaction = 9

type Given = {
  readonly tunnel: string
  readonly endpoint: string
  /** What the agent knows about it: a late release must not end what its successor has. */
  readonly known: { readonly epoch: number; readonly expiresAt: number } | undefined
}
type ReleaseRequest = {
  readonly agent: string
  readonly tunnels: readonly string[]
  readonly leases?: readonly {
    readonly tunnel: string
    readonly epoch: number
    readonly expiresAt: number
  }[]
}
type Release = { readonly account: string; readonly agent: string; readonly nowMs: number }

/**
 * Gives leases back at once; if others share one, only this agent's part. It skips leases that this agent does not
 * hold, so repeating it changes nothing.
 */
export async function releaseLeases(
  control: Control,
  caller: Caller,
  { agent, tunnels: ids, leases = [] }: ReleaseRequest,
): Promise<void> {
  const { account } = caller
  const known = new Map(leases.map((lease) => [lease.tunnel, lease]))
  const found = await control.store.getAll(
    [...new Set([...ids, ...known.keys()])].map((id) => tunnels.ref(id)),
  )
  // A tunnel that moves meanwhile keeps its new endpoint; the old endpoint's document says whose it is by then.
  const given = found.flatMap((tunnel): Given[] => {
    const isOwn =
      tunnel?.data.account === account && mayTouch(caller, tunnel.data.name) && tunnel.data.endpoint !== ''
    const id = tunnel?.ref.id ?? ''
    return isOwn ? [{ tunnel: id, endpoint: tunnel.data.endpoint, known: known.get(id) }] : []
  })
  for (let start = 0; start < given.length; start += releasesPerTransaction)
    await control.store.transact((tx) =>
      releaseTogether(tx, given.slice(start, start + releasesPerTransaction), {
        account,
        agent,
        nowMs: control.clock.now(),
      }),
    )
}

async function releaseTogether(
  tx: Transaction,
  given: readonly Given[],
  { account, agent, nowMs }: Release,
): Promise<void> {
  const found = await Promise.all(given.map(({ endpoint }) => tx.get(endpoints.ref(endpoint))))
  const held = found.flatMap((endpoint, index) => {
    const { tunnel, known } = given[index] ?? {}
    const isHeld = endpoint?.data.tunnel === tunnel && endpoint && isHolder(endpoint.data, agent)
    return isHeld && isAsKnown(endpoint.data, agent, known)
      ? [{ endpoint, left: leave(endpoint.data, agent, nowMs) }]
      : []
  })
  const ended = held.filter(({ left }) => left === undefined).map(({ endpoint }) => endpoint)
  const take = ended.length > 0 ? await lookToTake(tx, account) : undefined
  for (const { endpoint, left } of held) if (left) tx.set(endpoint.ref, left)
  for (const endpoint of ended) writeRelease(tx, endpoint, { nowMs, forget: false })
  take?.({ online: -ended.length })
}

/** Every grant moves the end of the agent's part, so a different end means another grant. */
function isAsKnown({ epoch, holders = {} }: EndpointDoc, agent: string, known: Given['known']): boolean {
  return !known || (known.epoch === epoch && known.expiresAt === holders[agent]?.expiresAt)
}
