/**
 * Leases that their agents give back. Their command waits for `sync` and does not go by the bus: who releases serves no
 * more, and what is still bound ends within half a minute. No rule depends on more: an endpoint changes hands only when
 * `sync` has brought the command to every relay.
 */
import { type Caller, mayTouch } from './caller.ts'
import type { Control } from './control.ts'
import { endpoints, online, tunnels } from './documents.ts'
import { isHolder, leave } from './lease-rules.ts'
import type { Transaction } from './platform.ts'
import { writeRelease } from './tunnels.ts'

/** Each touches its endpoint and a command, beside the account's quota; a transaction holds 20 documents. */
const releasesPerTransaction = 9

type Given = { readonly tunnel: string; readonly endpoint: string }
type Release = { readonly account: string; readonly agent: string; readonly nowMs: number }

/**
 * Gives leases back at once; where others share one, this agent's part of it. What this agent does not hold is passed
 * over: repeating it changes nothing.
 */
export async function releaseLeases(
  control: Control,
  caller: Caller,
  { agent, tunnels: ids }: { agent: string; tunnels: readonly string[] },
): Promise<void> {
  const { account } = caller
  const found = await control.store.getAll([...new Set(ids)].map((id) => tunnels.ref(id)))
  // A tunnel that moves meanwhile keeps what it moves to; whose the old endpoint is then, its document says.
  const given = found.flatMap((tunnel): Given[] => {
    const isOwn =
      tunnel?.data.account === account && mayTouch(caller, tunnel.data.name) && tunnel.data.endpoint !== ''
    return isOwn ? [{ tunnel: tunnel.ref.id, endpoint: tunnel.data.endpoint }] : []
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
    const isHeld =
      endpoint?.data.tunnel === given[index]?.tunnel && endpoint && isHolder(endpoint.data, agent)
    return isHeld ? [{ endpoint, left: leave(endpoint.data, agent, nowMs) }] : []
  })
  const ended = held.filter(({ left }) => left === undefined).map(({ endpoint }) => endpoint)
  const quota = ended.length > 0 ? await tx.get(online.ref(account)) : undefined
  for (const { endpoint, left } of held) if (left) tx.set(endpoint.ref, left)
  for (const endpoint of ended) writeRelease(tx, endpoint, { nowMs, forget: false })
  const over = new Set(ended.map(({ data }) => data.tunnel))
  const counted = Object.entries(quota?.data.tunnels ?? {})
  const rest = counted.filter(([tunnel]) => !over.has(tunnel))
  if (quota && rest.length < counted.length)
    tx.set(quota.ref, { ...quota.data, tunnels: Object.fromEntries(rest) })
}
