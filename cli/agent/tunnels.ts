/**
 * One tunnel of this agent: what the user wants, the lease that the server gave, and what goes through it. Only the
 * supervisor and its parts change this data; everybody else sees `statusOf`.
 */
import type { Lease, RelayAddress } from '@porttunneler/shared/api/schemas/tunnels'
import type { PortTunnelerError } from '@porttunneler/shared/base/errors'
import type { TunnelKind } from '@porttunneler/shared/protocol/endpoint'
import type { HttpEdits } from '@porttunneler/shared/protocol/http-edits'
import type { ProxyVersion } from '@porttunneler/shared/protocol/proxy-header'
import type { RequestRules } from '../http/pipeline.ts'
import type { PolicyParts } from '../policy.ts'
import { type Emit, problemOf, type TunnelHealth, type TunnelState, type TunnelStatus } from './events.ts'
import { settingsOf } from './settings.ts'
import { formatUpstream, type Upstream } from './upstream.ts'
import type { UpstreamTls } from './upstream-tls.ts'
import type { InsideTls } from './visitor-stream.ts'

export type WantedTunnel = {
  /** Without it the server makes one up, and the agent asks for the same one next time. */
  readonly name?: string
  /** The entry of ptun.yaml whose range of ports it belongs to. */
  readonly group?: string
  readonly kind: TunnelKind
  readonly upstream: Upstream
  /** tcp only: the public port to ask for. */
  readonly port?: number
  /** The upstream expects to be told who the visitor is, before everything else. */
  readonly proxyProtocol?: ProxyVersion
  /** A host of the account's own that shall lead to it. */
  readonly domain?: string
  /**
   * Its visitors' TLS ends at this agent, with a certificate of its own: then its kind is tls, and this is what is
   * inside.
   */
  readonly endToEnd?: InsideTls
  /** Shared with agents of other machines. Undefined: as the tunnel is set at the server. */
  readonly isPool?: boolean
  /** Words that sort it in the console; sorted, each once. */
  readonly tags?: string[]
  /** Parts of the policy to set at the server; the others stay. */
  readonly policy?: PolicyParts
  /** Undefined: the upstream is dialled only for visitors. */
  readonly health?: HealthCheck
  /** https upstreams: which certificates are accepted, unless the usual ones. */
  readonly tls?: UpstreamTls
  /** http tunnels: the upstream speaks HTTP/2, without TLS or with it. Undefined: HTTP/1.1. */
  readonly upstreamProtocol?: 'h2c' | 'h2' | undefined
  /** http tunnels: what the agent does with each request. Undefined: bytes pass untouched. */
  readonly requests?: RequestRules
}

export type HealthCheck =
  | { readonly kind: 'tcp'; readonly everyMs: number }
  | {
      readonly kind: 'http'
      readonly everyMs: number
      readonly path: string
      /** Undefined: any from 200 to 399. */
      readonly status?: number
    }

/** What is done with each request: what the server has for the tunnel and, over that, the own file, part by part. */
export function rulesOf({ wanted, edits }: Pick<Tunnel, 'wanted' | 'edits'>): RequestRules | undefined {
  return edits && wanted.kind === 'http' ? { logins: [], ...edits, ...wanted.requests } : wanted.requests
}

/** The counted part of a mux stream. */
export type CountedStream = { readonly bytesIn: number; readonly bytesOut: number }

export type Tunnel = {
  /** The same number at every relay. */
  readonly bind: number
  /** Changes with ptun.yaml; a visitor keeps the value from when it came. */
  wanted: WantedTunnel
  name: string | undefined
  lease: Lease | undefined
  /** What the server has for it; the user's own file counts more. */
  edits: HttpEdits | undefined
  /** The server gave it to us in this run: an agent that has it later took it from us, and we do not take it back. */
  wasGranted: boolean
  /** Monotonic; when it first asked for the lease that it lacks. */
  askedAtMs: number | undefined
  /** The policy that was named when the server last gave a lease: it need not be named again. */
  policySet: PolicyParts | undefined
  /** The same for its tags. */
  tagsSet: string[] | undefined
  /** When to claim again (monotonic ms), and how many times in a row that failed. */
  claimAt: number
  claimAttempt: number
  /** Why it has no lease now. */
  refused: PortTunnelerError | undefined
  /** Set once: it is over and nothing is tried any more. */
  stopped: PortTunnelerError | undefined
  /** The relays that have it bound (relays.ts). */
  readonly bound: Set<string>
  readonly streams: Set<CountedStream>
  /** The number of ended streams. */
  total: number
  bytesIn: number
  bytesOut: number
  /** The upstream's last failure; undefined once it works again. */
  upstreamFailure: PortTunnelerError | undefined
  /** Undefined without a health check. */
  health: { readonly state: TunnelHealth; readonly failure?: PortTunnelerError } | undefined
}

/** A lease and where to bind it: what a restarted agent needs to be back before it has called home. */
export type SavedLease = {
  readonly lease: Lease
  readonly relays: readonly RelayAddress[]
  /** What the agent had named of the policy when it got the ticket. */
  readonly policy?: PolicyParts
}

export function newTunnel(bind: number, wanted: WantedTunnel): Tunnel {
  return {
    bind,
    wanted,
    name: wanted.name,
    lease: undefined,
    edits: undefined,
    wasGranted: false,
    askedAtMs: undefined,
    policySet: undefined,
    tagsSet: undefined,
    claimAt: 0,
    claimAttempt: 0,
    refused: undefined,
    stopped: undefined,
    bound: new Set(),
    streams: new Set(),
    total: 0,
    bytesIn: 0,
    bytesOut: 0,
    upstreamFailure: undefined,
    health: wanted.health && { state: 'unknown' },
  }
}

/** The upstream works again, so the failure that a visitor met is over. */
export function recovered(tunnel: Tunnel, emit: Emit): void {
  if (!tunnel.upstreamFailure) return
  tunnel.upstreamFailure = undefined
  const upstream = formatUpstream(tunnel.wanted.upstream)
  emit({ event: 'upstream.recovered', tunnel: labelOf(tunnel), upstream })
}

/** Whether this agent or the relay knows that HTTP is inside. */
export function speaksHttp({ kind, endToEnd }: Pick<WantedTunnel, 'kind' | 'endToEnd'>): boolean {
  return kind === 'http' || endToEnd === 'http'
}

/** The address that visitors type. */
export function urlOf({ wanted, lease }: Tunnel): string | undefined {
  if (!lease || wanted.endToEnd !== 'http') return lease?.endpoint.url
  const { host, port } = lease.endpoint
  return `https://${host}${port === 443 ? '' : `:${port}`}`
}

/** A label for a tunnel that may have no name yet. */
export function labelOf(tunnel: Tunnel): string {
  return tunnel.name ?? `${tunnel.wanted.kind} ${formatUpstream(tunnel.wanted.upstream)}`
}

function stateOf(tunnel: Tunnel): TunnelState {
  if (tunnel.stopped) return 'stopped'
  if (!tunnel.lease) return 'waiting'
  return tunnel.bound.size > 0 ? 'online' : 'connecting'
}

export function statusOf(tunnel: Tunnel): TunnelStatus {
  let { bytesIn, bytesOut } = tunnel
  for (const stream of tunnel.streams) {
    bytesIn += stream.bytesIn
    bytesOut += stream.bytesOut
  }
  const { group, port } = tunnel.wanted
  const requests = rulesOf(tunnel)
  const settings = settingsOf({ ...tunnel.wanted, ...(requests && { requests }) })
  const url = urlOf(tunnel)
  const trouble = tunnel.stopped ?? tunnel.refused ?? tunnel.health?.failure ?? tunnel.upstreamFailure
  return {
    name: labelOf(tunnel),
    kind: tunnel.wanted.kind,
    upstream: formatUpstream(tunnel.wanted.upstream),
    ...(group !== undefined && port !== undefined && { range: { name: group, port } }),
    ...(settings.length > 0 && { settings }),
    state: stateOf(tunnel),
    isShared: tunnel.lease?.agents === 'many',
    ...(url !== undefined && { url }),
    relays: tunnel.bound.size,
    active: tunnel.streams.size,
    total: tunnel.total + tunnel.streams.size,
    bytesIn,
    bytesOut,
    ...(tunnel.health && { health: tunnel.health.state }),
    ...(trouble && { problem: problemOf(trouble) }),
  }
}
