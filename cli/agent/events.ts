/**
 * What a running agent reports: events as they happen, and a snapshot. Every output (live status, lines, JSON, `ptun
 * status`) is made only from these two. Event names are documented and stable.
 */
import type { PortTunnelerError } from '@porttunneler/shared/base/errors'

/** A failure for people and scripts. */
export type Problem = {
  readonly code: string
  readonly title: string
  readonly detail: string
  readonly cure: string
  /** What was free a moment ago. */
  readonly suggestions?: readonly string[]
  /** A command with one of them, to be copied. */
  readonly example?: string
  /** The id of the request that was refused, by which the server's operator finds it in the log. */
  readonly request?: string
}

export function problemOf(error: PortTunnelerError): Problem {
  const { code, title, cure } = error.entry
  const suggestions = suggestionsOf(error)
  const { example, requestId } = error.fields
  return {
    code,
    title,
    detail: error.detail,
    cure,
    ...(suggestions.length > 0 && { suggestions }),
    ...(typeof example === 'string' && { example }),
    ...(typeof requestId === 'string' && { request: requestId }),
  }
}

function suggestionsOf({ fields: { suggestions } }: PortTunnelerError): readonly string[] {
  return Array.isArray(suggestions) ? suggestions.map(String) : []
}

export type AgentEvent =
  | {
      readonly event: 'agent.started'
      readonly agent: string
      readonly server: string
      readonly pid: number
      /** The proxy to relays, without its password; undefined: none. */
      readonly proxy?: string
    }
  | { readonly event: 'agent.draining'; readonly connections: number; readonly graceMs: number }
  | { readonly event: 'agent.stopped'; readonly exit: number }
  | { readonly event: 'server.lost'; readonly problem: Problem; readonly retryInMs: number }
  | { readonly event: 'server.found' }
  /** The agent cannot write what it keeps between runs; reported once until it can. */
  | { readonly event: 'state.lost'; readonly problem: Problem }
  | { readonly event: 'state.found' }
  | {
      readonly event: 'config.reloaded'
      readonly path: string
      /** Names of tunnels. */
      readonly added: readonly string[]
      readonly removed: readonly string[]
      readonly changed: readonly string[]
    }
  | { readonly event: 'config.refused'; readonly path: string; readonly problem: Problem }
  /** Where requests can be looked at, on this machine alone. */
  | { readonly event: 'inspector.ready'; readonly url: string }
  /** None of its ports is free; the agent goes on without. */
  | { readonly event: 'inspector.failed'; readonly problem: Problem }
  | { readonly event: 'relay.connected'; readonly relay: string }
  | {
      readonly event: 'relay.lost'
      readonly relay: string
      readonly problem: Problem
      readonly retryInMs: number
    }
  | { readonly event: 'relay.notice'; readonly relay: string; readonly code: string; readonly text: string }
  | {
      readonly event: 'tunnel.online'
      readonly tunnel: string
      readonly kind: string
      readonly url: string
      readonly upstream: string
      /** The id of the request that got the lease. */
      readonly request?: string
    }
  | { readonly event: 'tunnel.offline'; readonly tunnel: string }
  /** The server has changed these parts of its policy to what the agent named. */
  | { readonly event: 'tunnel.policy'; readonly tunnel: string; readonly changed: readonly string[] }
  | {
      readonly event: 'tunnel.refused'
      readonly tunnel: string
      readonly problem: Problem
      readonly retryInMs: number
    }
  | { readonly event: 'tunnel.stopped'; readonly tunnel: string; readonly problem: Problem }
  | {
      readonly event: 'upstream.failed'
      readonly tunnel: string
      readonly upstream: string
      readonly problem: Problem
    }
  | { readonly event: 'upstream.recovered'; readonly tunnel: string; readonly upstream: string }
  | {
      readonly event: 'upstream.unhealthy'
      readonly tunnel: string
      readonly upstream: string
      readonly problem: Problem
    }
  | { readonly event: 'upstream.healthy'; readonly tunnel: string; readonly upstream: string }
  /** The agent has made a key and asks the server for its certificate. */
  | { readonly event: 'certificate.ordered'; readonly tunnel: string; readonly host: string }
  | {
      readonly event: 'certificate.ready'
      readonly tunnel: string
      readonly host: string
      /** Wall ms. */
      readonly until: number
    }
  | {
      readonly event: 'certificate.failed'
      readonly tunnel: string
      readonly host: string
      readonly problem: Problem
      readonly retryInMs: number
    }
  /** The key stays in memory, because it cannot be written. */
  | {
      readonly event: 'certificate.unkept'
      readonly tunnel: string
      readonly host: string
      readonly problem: Problem
    }
  | {
      readonly event: 'connection.opened'
      readonly tunnel: string
      readonly visitor: string
      readonly connectMs: number
    }
  | {
      readonly event: 'connection.closed'
      readonly tunnel: string
      readonly visitor: string
      readonly bytesIn: number
      readonly bytesOut: number
      readonly ms: number
      readonly code?: string
    }

/** ptun.yaml as it was last read. */
export type ConfigStatus = {
  readonly path: string
  /** Wall ms: since when the agent has followed it. */
  readonly since: number
  /** Why its present content does not count. */
  readonly problem?: Problem
}

export type Emit = (event: AgentEvent) => void

/** waiting: no lease yet; connecting: leased, no relay has it; online: some relay serves it; stopped: for good. */
export type TunnelState = 'waiting' | 'connecting' | 'online' | 'stopped'

/** What the checks of ptun.yaml say about the upstream; unknown: the first check is not over. */
export type TunnelHealth = 'unknown' | 'healthy' | 'unhealthy'

export type TunnelStatus = {
  readonly name: string
  readonly kind: string
  readonly upstream: string
  /** The range of ports that it belongs to, and the port that it asked for. */
  readonly range?: { readonly name: string; readonly port: number }
  /** What the agent does besides passing bytes on, in words; undefined if nothing. */
  readonly settings?: readonly string[]
  readonly state: TunnelState
  /** Other agents may serve it beside this one. */
  readonly isShared: boolean
  readonly url?: string
  readonly relays: number
  readonly active: number
  readonly total: number
  /** Bytes from visitors. */
  readonly bytesIn: number
  /** Bytes to visitors. */
  readonly bytesOut: number
  /** Undefined without a health check. */
  readonly health?: TunnelHealth
  /** Why it is not online, or what is wrong with the upstream. */
  readonly problem?: Problem
}

export type RelayStatus = {
  readonly instance: string
  readonly state: 'connecting' | 'connected' | 'waiting'
  readonly rttMs?: number
  readonly problem?: Problem
}

export type AgentSnapshot = {
  readonly pid: number
  readonly agent: string
  readonly server: string
  readonly startedAt: number
  readonly state: 'running' | 'draining' | 'stopped'
  /** The proxy to relays and an https server, without its password; undefined: none. */
  readonly proxy?: string
  /** The link to its inspector, token and all (docs/inspector.md); undefined: it has none. */
  readonly inspector?: string
  /** Present once ptun.yaml was read again. */
  readonly config?: ConfigStatus
  /** Why the server cannot be reached; undefined while it can. */
  readonly serverProblem?: Problem
  readonly tunnels: readonly TunnelStatus[]
  readonly relays: readonly RelayStatus[]
}
