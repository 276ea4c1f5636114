/**
 * What people are told about a tunnel: one state, with cause, cure and since when. Pure: it judges what the store has
 * of the tunnel, its endpoint and the relays of its cell. docs/decisions/0094
 */
import type { TunnelState } from '../api/schemas/tunnel-words.ts'
import type { Holder, TunnelWhy } from '../api/schemas/tunnels.ts'
import { codes, type ErrorKey, keyOfCode } from '../base/errors.ts'
import { takenDownError } from './abuse/taken-down.ts'
import type { EndpointDoc, TunnelDoc } from './documents.ts'
import type { HolderDoc } from './holder-document.ts'
import { isHolderAway, liveHolders, type ReadyRelay } from './lease-rules.ts'
import { refusalLastsMs } from './refusals.ts'

export type TunnelFacts = {
  readonly id: string
  readonly tunnel: TunnelDoc
  /** The endpoint it holds or held last; it may have another tunnel by now. */
  readonly endpoint: EndpointDoc | undefined
  /** The relays of its cell that report. */
  readonly ready: readonly ReadyRelay[]
  readonly nowMs: number
}

export type Judgement = {
  readonly state: TunnelState
  readonly why: TunnelWhy
  /** Who holds the lease now, longest first. */
  readonly holders: readonly Holder[]
}

export function judgeTunnel(facts: TunnelFacts): Judgement {
  const { id, endpoint, nowMs } = facts
  const lease =
    endpoint?.tunnel === id && endpoint.state === 'leased' && endpoint.expiresAt > nowMs
      ? endpoint
      : undefined
  if (!lease) return { ...judgeUnleased(facts), holders: [] }
  const holders = liveHolders(lease, nowMs).map(([agent, holder]) =>
    describeHolder(agent, holder, facts.ready),
  )
  return { ...judgeLeased(lease, holders, facts), holders }
}

/** The state of the tunnel that a lease belongs to. The lease must still run; the tunnel itself need not be read. */
export function stateOfLease(
  lease: EndpointDoc,
  { ready, nowMs }: Pick<TunnelFacts, 'ready' | 'nowMs'>,
): TunnelState {
  const holders = liveHolders(lease, nowMs).map(([agent, holder]) => describeHolder(agent, holder, ready))
  return judgeLeased(lease, holders, { ready, nowMs }).state
}

type Verdict = Omit<Judgement, 'holders'>

const stoppedWords = {
  cause: 'Its agent was stopped in the console or by the API. The audit log names who did it.',
  cure: 'Start ptun again on its machine.',
  code: codes['agent.stopped'].code,
} as const

/** Nobody holds it. */
function judgeUnleased({ id, tunnel, endpoint, nowMs }: TunnelFacts): Verdict {
  const { refused, takenDown, takenDownAt } = tunnel
  if (takenDown && takenDownAt !== undefined) {
    const { detail: cause, code, entry } = takenDownError(tunnel)
    return { state: 'refused', why: { cause, cure: entry.cure, code, since: takenDownAt } }
  }
  if (refused && nowMs - refused.at < refusalLastsMs)
    return { state: 'refused', why: { ...textOf(refused.code), since: refused.since } }
  if (tunnel.endpoint === '')
    return {
      state: 'never_used',
      why: { cause: 'No agent has served it yet.', cure: startIt(tunnel), since: tunnel.createdAt },
    }
  const endedAt = endOf({ id, endpoint, nowMs })
  const since = endedAt !== undefined && { since: endedAt }
  // Whatever ended it later, such as another agent's leave, says nothing of this one.
  if (endedAt !== undefined && Object.values(endpoint?.stopped ?? {}).includes(endedAt))
    return { state: 'offline', why: { ...stoppedWords, ...since } }
  return { state: 'offline', why: { cause: 'No agent serves it now.', cure: startIt(tunnel), ...since } }
}

/** When its last lease ended; undefined when it never had one, or its address is another's by now. */
function endOf({ id, endpoint, nowMs }: Pick<TunnelFacts, 'id' | 'endpoint' | 'nowMs'>): number | undefined {
  const endedAt = endpoint?.tunnel === id ? endpoint.releasedAt || endpoint.expiresAt : 0
  return endedAt > 0 ? Math.min(endedAt, nowMs) : undefined
}

/** When an agent was last there; undefined while one is, and when nobody knows. */
export function lastServed(facts: TunnelFacts, state: TunnelState): number | undefined {
  const { endpoint, id, ready, nowMs } = facts
  const isLeased = endpoint?.tunnel === id && endpoint.state === 'leased' && endpoint.expiresAt > nowMs
  if (!isLeased) return endOf(facts)
  return state === 'offline' ? lostAt(endpoint, ready) : undefined
}

function judgeLeased(
  lease: EndpointDoc,
  holders: readonly Holder[],
  { ready, nowMs }: Pick<TunnelFacts, 'ready' | 'nowMs'>,
): Verdict {
  const served = lease.servedAt ?? lease.leasedAt
  if (ready.length === 0) return { state: 'offline', why: textOf('cell.none') }
  const there = holders.filter(({ state }) => state !== 'away')
  if (holders.length > 0 && there.length === 0) return lost(lease, ready)
  if (served === 0)
    return {
      state: 'connecting',
      why: {
        cause: 'An agent has its lease, and no relay has reported the agent yet. That takes some seconds.',
        since: lease.leasedAt,
      },
    }
  const failing = there.filter(({ state }) => state === 'failing')
  if (failing.length > 0 && failing.length === there.length) {
    const { code, since } = worstOf(lease, nowMs)
    return { state: 'upstream_failing', why: { ...textOf(code), since } }
  }
  return partly(lease, { holders, failing, facts: { ready, nowMs } }) ?? healthy(served)
}

function healthy(since: number): Verdict {
  return {
    state: 'healthy',
    why: { cause: 'An agent serves it, and its upstream takes connections.', since },
  }
}

/** All its agents are gone, and their lease still runs. */
function lost(lease: EndpointDoc, ready: readonly ReadyRelay[]): Verdict {
  const since = lostAt(lease, ready)
  return {
    state: 'offline',
    why: {
      cause: 'Its agent has not been heard for a minute. Its address is kept for it.',
      cure: 'Look at the machine that ran ptun: whether it is on, has a network, and ptun still runs.',
      code: codes['tunnel.away'].code,
      ...(since !== undefined && { since }),
    },
  }
}

/** When the last of its agents left the last of the relays that report. */
function lostAt({ holders = {} }: EndpointDoc, ready: readonly ReadyRelay[]): number | undefined {
  const here = new Set(ready.map(({ instance }) => instance))
  const told = Object.values(holders).flatMap(({ away }) =>
    Object.entries(away).flatMap(([instance, atMs]) => (here.has(instance) ? [atMs] : [])),
  )
  return told.length > 0 ? Math.max(...told) : undefined
}

/** Visitors are served, and something is missing all the same. */
function partly(
  lease: EndpointDoc,
  {
    holders,
    failing,
    facts: { ready, nowMs },
  }: {
    holders: readonly Holder[]
    failing: readonly Holder[]
    facts: Pick<TunnelFacts, 'ready' | 'nowMs'>
  },
): Verdict | undefined {
  const all = holders.length
  if (failing.length > 0) {
    const { code, since } = worstOf(lease, nowMs)
    const { cause: _, ...more } = textOf(code)
    const cause = `The upstreams of ${failing.length} of its ${all} agents are out of reach; the others serve its visitors.`
    return { state: 'degraded', why: { ...more, cause, since } }
  }
  const away = holders.filter(({ state }) => state === 'away').length
  if (away > 0)
    return {
      state: 'degraded',
      why: {
        cause: `${away} of its ${all} agents have not been heard for a minute; the others serve its visitors.`,
        cure: 'Look at the machines of the agents that are away, or wait until their leases end.',
        code: codes['tunnel.away'].code,
      },
    }
  const short = shortOf(lease, ready, nowMs)
  if (short.length === 0) return undefined
  return {
    state: 'degraded',
    why: {
      cause: `${short.length} of ${ready.length} relays have no agent of it; visitors who come there are not served.`,
      cure: 'Run ptun doctor on the machine of the agent: something keeps it from some relays.',
      code: codes['tunnel.away'].code,
      since: Math.min(...short),
    },
  }
}

/** @returns for each ready relay that no agent is at: since when, ms */
function shortOf(lease: EndpointDoc, ready: readonly ReadyRelay[], nowMs: number): readonly number[] {
  const live = liveHolders(lease, nowMs)
  return ready.flatMap((relay) => {
    const times = live.map(([, { away }]) => away[relay.instance] ?? -1)
    const isShort = times.length > 0 && times.every((atMs) => atMs >= relay.bootAt)
    return isShort ? [Math.max(...times)] : []
  })
}

/** The failure that has lasted longest. */
function worstOf(lease: EndpointDoc, nowMs: number): { readonly code: string; readonly since: number } {
  const all = liveHolders(lease, nowMs).flatMap(([, { upstream }]) => upstream ?? [])
  return all.toSorted((a, b) => a.since - b.since)[0] ?? { code: codes['upstream.failed'].code, since: nowMs }
}

/** What one of its agents does. */
export function describeHolder(agent: string, holder: HolderDoc, ready: readonly ReadyRelay[]): Holder {
  const { since, upstream } = holder
  if (isHolderAway(holder, ready)) return { agent, since, state: 'away' }
  return upstream
    ? { agent, since, state: 'failing', code: upstream.code }
    : { agent, since, state: 'online' }
}

function startIt({ name, kind }: TunnelDoc): string {
  const port = kind === 'http' ? '3000' : kind === 'tls' ? '8443' : '5432'
  return `Start it with your own port in place of ${port}: ptun ${kind} ${port} --name ${name}`
}

/** What the catalogue says about a code, or about one of a newer release. */
function textOf(code: string): Pick<TunnelWhy, 'cause' | 'cure' | 'code'> {
  const key = code in codes ? (code as ErrorKey) : keyOfCode(code)
  if (key === undefined) return { cause: `It fails with ${code}.`, cure: 'Look at the log of ptun.', code }
  const { title, cause, cure, code: number } = codes[key]
  return { cause: `${title}. ${cause}`, cure, code: number }
}
