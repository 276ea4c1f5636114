/**
 * The agents of an account, from the leases that they hold: nothing is stored of an agent beside them, and one that has
 * left is gone from the list when its last lease ends.
 */
import type { Agent } from '../api/schemas/agents.ts'
import { type Caller, mayTouch } from './caller.ts'
import { queryAll, readyRelays } from './cells.ts'
import type { AccountControl } from './control.ts'
import { type EndpointDoc, type TunnelDoc, tunnels } from './documents.ts'
import type { HolderDoc } from './holder-document.ts'
import { liveHolders, type ReadyRelay } from './lease-rules.ts'
import type { Snapshot } from './platform.ts'
import { queries } from './query-table.ts'
import { describeHolder } from './tunnel-state.ts'

type Part = {
  readonly agent: string
  readonly holder: HolderDoc
  readonly tunnel: Snapshot<TunnelDoc>
  readonly ready: readonly ReadyRelay[]
}

const ranks = ['failing', 'away', 'online'] as const

/** Those with trouble first, then those that have served longest. */
export async function listAgents(control: AccountControl, caller: Caller): Promise<readonly Agent[]> {
  const nowMs = control.clock.now()
  const leases = await queryAll(control.store, queries.leasesOfAccount, {
    where: { state: 'leased' },
    from: nowMs + 1,
  })
  const parts = await partsOf(
    control,
    caller,
    leases.map(({ data }) => data),
  )
  const agents = [...Map.groupBy(parts, ({ agent }) => agent)].map(([id, own]) => describe(id, own))
  return agents.toSorted((a, b) => ranks.indexOf(a.state) - ranks.indexOf(b.state) || a.since - b.since)
}

async function partsOf(
  control: AccountControl,
  caller: Caller,
  leases: readonly EndpointDoc[],
): Promise<readonly Part[]> {
  const nowMs = control.clock.now()
  const [found, cells] = await Promise.all([
    control.store.getAll(leases.map(({ tunnel }) => tunnels.ref(tunnel))),
    control.cells.latelyAll(leases.map(({ cell }) => cell)),
  ])
  return leases.flatMap((lease, index) => {
    const tunnel = found[index]
    if (!tunnel || !mayTouch(caller, tunnel.data.name)) return []
    const cell = cells.get(lease.cell)
    const ready = cell ? readyRelays(control, cell) : []
    return liveHolders(lease, nowMs).map(([agent, holder]) => ({ agent, holder, tunnel, ready }))
  })
}

function describe(id: string, parts: readonly Part[]): Agent {
  const states = parts.map(({ agent, holder, ready }) => describeHolder(agent, holder, ready))
  const isAway = states.every(({ state }) => state === 'away')
  const left = parts.flatMap(({ holder }) => Object.values(holder.away))
  const newest = parts.toSorted((a, b) => b.holder.expiresAt - a.holder.expiresAt)[0]?.holder
  const { from = '', program = '' } = newest?.seen ?? {}
  return {
    id,
    ...programOf(program),
    from,
    since: Math.min(...parts.map(({ holder }) => holder.since)),
    ...(isAway && left.length > 0 && { lastSeenAt: Math.max(...left) }),
    state: isAway ? 'away' : (ranks.find((rank) => states.some(({ state }) => state === rank)) ?? 'online'),
    key: newest?.key ?? '',
    tunnels: parts.map(({ tunnel: { ref, data } }, index) => {
      const { state = 'online', code } = states[index] ?? {}
      return { tunnel: ref.id, name: data.name, state, ...(code && { code }) }
    }),
    relays: relaysOf(parts),
  }
}

/** A relay has it when it has it for one of its tunnels. */
function relaysOf(parts: readonly Part[]): Agent['relays'] {
  const connected = new Map<string, boolean>()
  for (const { holder, ready } of parts)
    for (const { instance, bootAt } of ready) {
      const isThere = (holder.away[instance] ?? -1) < bootAt
      connected.set(instance, connected.get(instance) === true || isThere)
    }
  return [...connected].map(([relay, isThere]) => ({ relay, connected: isThere }))
}

/** `ptun/0.1.0 node/24.1.0 linux host/laptop`; another program has no such parts. */
function programOf(program: string): Pick<Agent, 'host' | 'system' | 'version'> {
  const [, version, system, host] = /^ptun\/(\S+) node\/\S+ (\w+)(?: host\/([\w.-]+))?$/.exec(program) ?? []
  return { ...(host && { host }), ...(system && { system }), ...(version && { version }) }
}
