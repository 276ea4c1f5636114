/**
 * The agent's conversation with the control plane: claims every tunnel without a lease in one call, renews all leases
 * in one call at the time the server named, and tries again for ever when the server is away. It keeps no state about
 * tunnels itself; it reads and reports through its owner. All its waits are monotonic: changing the wall clock, either
 * way and by any amount, delays nothing.
 */

import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { ClaimResult } from '@porttunneler/shared/api/schemas/tunnels'
import { backoffMs, redialBackoff } from '@porttunneler/shared/base/backoff'
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail, isFailure, keyOfCode, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import type { AgentMode, TunnelKind } from '@porttunneler/shared/protocol/endpoint'
import type { PolicyParts } from '../policy.ts'
import type { Tunnel } from './tunnels.ts'

export type ClaimRequest = {
  /** Stays the same when a call is repeated because no answer came, so that generated names are found again. */
  readonly key: string
  readonly agent: string
  readonly tunnels: readonly {
    readonly name?: string
    readonly kind: TunnelKind
    readonly port?: number
    readonly agents?: AgentMode
    readonly policy?: PolicyParts
    readonly tags?: string[]
  }[]
  readonly takeover: boolean
  /** Since the first of these claims: relays that have reported since then decide whether another agent serves. */
  readonly waitedMs: number
  /** Since the program was started: a stop from afar lasts until somebody starts it again. */
  readonly runningMs: number
}
export type RenewRequest = {
  readonly agent: string
  readonly leases: readonly { readonly tunnel: string; readonly epoch: number }[]
}

export type ReleaseRequest = {
  readonly agent: string
  readonly leases: readonly { readonly tunnel: string; readonly epoch: number; readonly expiresAt: number }[]
}

/** Without a code the upstream works. */
export type ReportRequest = {
  readonly agent: string
  readonly upstreams: readonly { readonly tunnel: string; readonly epoch: number; readonly code?: string }[]
}

/** The API calls that an agent needs. Rejections are PortTunnelerErrors with `fields.retryAfterMs`. */
export type LeaseApi = {
  claim(request: ClaimRequest, signal: AbortSignal): Promise<ClaimResult>
  renew(request: RenewRequest, signal: AbortSignal): Promise<ClaimResult>
  release(request: ReleaseRequest, signal: AbortSignal): Promise<void>
  report(request: ReportRequest, signal: AbortSignal): Promise<void>
}

export type HomeOptions = {
  readonly api: LeaseApi
  readonly agent: string
  readonly takeover: boolean
  readonly clock: Clock
  readonly random: () => number
  readonly tunnels: readonly Tunnel[]
  /** `result.results[i]` is about `asked[i]`. */
  onResult(result: ClaimResult, asked: readonly Tunnel[], call: 'claim' | 'renew'): void
  onFailure(error: PortTunnelerError, retryInMs: number): void
}

/** A claim, to be repeated as it was when no answer came. */
type Claim = {
  readonly key: string
  readonly asked: readonly Tunnel[]
  readonly wants: ClaimRequest['tunnels']
}

/** The maximum of one API call. */
const tunnelsPerCall = 50
/** Code that changes what is due calls `hurry`; a missed call delays by at most this. */
const pauseMsMax = 10_000
/** The longest a server's Retry-After is believed. */
const retryAfterMsMax = 600_000

export class Home {
  readonly #options: HomeOptions
  readonly #startedAt: { readonly wall: number; readonly steady: number }
  #renewAt = 0
  #attempt = 0
  #retryAt = 0
  /** The part of the pause that the server asked for. */
  #askedUntil = 0
  #wake: () => void = () => {}
  #unanswered: Claim | undefined

  constructor(options: HomeOptions) {
    this.#options = options
    const { clock } = options
    this.#startedAt = { wall: clock.now(), steady: clock.monotonic() }
  }

  /** Calls until aborted; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const onAbort = () => this.#wake()
    signal.addEventListener('abort', onAbort)
    while (!signal.aborted) {
      const waitMs = this.#dueAt() - this.#options.clock.monotonic()
      if (waitMs > 0) await this.#pause(Math.min(waitMs, pauseMsMax))
      else await this.#call(signal)
    }
    signal.removeEventListener('abort', onAbort)
  }

  /** Checks again what is due; call it after a tunnel's `claimAt` was brought forward. */
  hurry(): void {
    this.#wake()
  }

  /** Renews early, because the answer says where the relays are. */
  renewNow(): void {
    this.#renewAt = 0
    this.#wake()
  }

  /**
   * The machine slept, or its clock was set: ask at once whether the leases still run, and for everything that waited.
   * Only a pause that the server asked for stays.
   */
  recheck(): void {
    this.#attempt = 0
    this.#retryAt = this.#askedUntil
    for (const tunnel of this.#options.tunnels) if (tunnel.claimAt !== Infinity) tunnel.claimAt = 0
    this.renewNow()
  }

  #dueAt(): number {
    let due = Number.POSITIVE_INFINITY
    for (const tunnel of this.#options.tunnels) {
      if (tunnel.stopped) continue
      due = Math.min(due, tunnel.lease && tunnel.claimAt === Infinity ? this.#renewAt : tunnel.claimAt)
    }
    return Math.max(due, this.#retryAt)
  }

  async #call(signal: AbortSignal): Promise<void> {
    const { clock, tunnels } = this.#options
    const now = clock.monotonic()
    const live = tunnels.filter((tunnel) => !tunnel.stopped)
    const toClaim = live.filter((tunnel) => tunnel.claimAt <= now)
    try {
      if (toClaim.length > 0) await this.#claim(toClaim, signal)
      else
        await this.#renew(
          live.filter((tunnel) => tunnel.lease),
          signal,
        )
      this.#attempt = 0
      this.#retryAt = 0
      this.#askedUntil = 0
    } catch (error) {
      if (signal.aborted) return
      const failure = isFailure(error) ? error : fail('server.unreachable', undefined, { cause: error })
      const retryInMs = this.#retryDelay(failure)
      const failedAt = clock.monotonic()
      this.#retryAt = failedAt + retryInMs
      this.#askedUntil = failedAt + askedMs(failure)
      this.#options.onFailure(failure, retryInMs)
    }
  }

  async #claim(due: readonly Tunnel[], signal: AbortSignal): Promise<void> {
    const { api, agent, takeover } = this.#options
    const claim = this.#nextClaim(due)
    const { key, asked, wants } = claim
    // Take over only once, or two agents with --takeover would evict each other for ever.
    const isFirst = asked.every(({ wasGranted }) => !wasGranted)
    const waitedMs = this.#waited(asked)
    this.#unanswered = claim
    const runningMs = this.#runningMs()
    const request = { key, agent, tunnels: wants, takeover: takeover && isFirst, waitedMs, runningMs }
    const result = await api.claim(request, signal)
    this.#unanswered = undefined
    const granted = asked.filter((_, index) => result.results[index] && 'lease' in result.results[index])
    for (const tunnel of granted) {
      const said = wants[asked.indexOf(tunnel)]
      tunnel.policySet = said?.policy ?? tunnel.policySet
      tunnel.tagsSet = said?.tags ?? tunnel.tagsSet
    }
    // A claim of some tunnels must not delay the renewal of the others.
    const hasOthers = this.#options.tunnels.some((one) => one.lease && !one.stopped && !asked.includes(one))
    const renewAt = this.#accept(result, asked, 'claim')
    // ptun.yaml may have changed while the server was asked.
    for (const tunnel of granted) if (unsetPolicy(tunnel) || unsetTags(tunnel)) tunnel.claimAt = 0
    this.#renewAt = hasOthers ? Math.min(this.#renewAt, renewAt) : renewAt
  }

  /** A claim without an answer is repeated unchanged, alone; the others come next. */
  #nextClaim(due: readonly Tunnel[]): Claim {
    const before = this.#unanswered
    if (before?.asked.every((tunnel) => due.includes(tunnel))) return before
    const asked = due.slice(0, tunnelsPerCall)
    return { key: randomUUID(), asked, wants: asked.map(wantOf) }
  }

  #waited(asked: readonly Tunnel[]): number {
    const now = this.#options.clock.monotonic()
    for (const tunnel of asked) tunnel.askedAtMs ??= now
    return Math.round(Math.min(...asked.map(({ askedAtMs = now }) => now - askedAtMs)))
  }

  /** The monotonic clock stands still while a machine sleeps, and the wall clock may be set back: the longer counts. */
  #runningMs(): number {
    const { clock } = this.#options
    const { wall, steady } = this.#startedAt
    return Math.max(0, Math.round(clock.now() - wall), Math.round(clock.monotonic() - steady))
  }

  /** In batches; a failed batch leaves the time unchanged, so that all are renewed again. */
  async #renew(asked: readonly Tunnel[], signal: AbortSignal): Promise<void> {
    const { api, agent } = this.#options
    let renewAt = Number.POSITIVE_INFINITY
    for (let from = 0; from < asked.length; from += tunnelsPerCall) {
      const part = asked.slice(from, from + tunnelsPerCall).filter(({ stopped }) => !stopped)
      const leases = part.flatMap(({ lease }) =>
        lease ? [{ tunnel: lease.tunnel, epoch: lease.epoch }] : [],
      )
      if (leases.length === 0) continue
      renewAt = Math.min(renewAt, this.#accept(await api.renew({ agent, leases }, signal), part, 'renew'))
    }
    this.#renewAt = renewAt
  }

  /** @returns when to renew the answered ones (monotonic ms) */
  #accept(result: ClaimResult, asked: readonly Tunnel[], call: 'claim' | 'renew'): number {
    if (result.results.length !== asked.length)
      throw fail(
        'server.unexpected',
        `${asked.length} tunnels were asked for, ${result.results.length} answered`,
      )
    const renewAt = this.#options.clock.monotonic() + Math.max(1_000, result.renewInMs)
    this.#options.onResult(result, asked, call)
    return renewAt
  }

  #retryDelay(failure: PortTunnelerError): number {
    const own = backoffMs(redialBackoff, this.#attempt++, this.#options.random)
    return Math.max(own, askedMs(failure))
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        timer.clear()
        this.#wake = () => {}
        resolve()
      }
      const timer = this.#options.clock.after(ms, done)
      this.#wake = done
    })
  }
}

function wantOf(tunnel: Tunnel): ClaimRequest['tunnels'][number] {
  const { name, wanted } = tunnel
  const policy = unsetPolicy(tunnel)
  const tags = unsetTags(tunnel)
  return {
    ...(name !== undefined && { name }),
    kind: wanted.kind,
    ...(wanted.port !== undefined && { port: wanted.port }),
    ...(wanted.isPool && { agents: 'many' as const }),
    ...(policy && { policy }),
    ...(tags && { tags }),
  }
}

/** The policy that the server does not know yet. What somebody changed there since stays. */
function unsetPolicy({ wanted: { policy }, policySet }: Tunnel): PolicyParts | undefined {
  return isDeepStrictEqual(policy, policySet) ? undefined : policy
}

function unsetTags({ wanted: { tags }, tagsSet }: Tunnel): string[] | undefined {
  return isDeepStrictEqual(tags, tagsSet) ? undefined : tags
}

/** How long the server wants no further call. */
function askedMs({ fields: { retryAfterMs } }: PortTunnelerError): number {
  return typeof retryAfterMs === 'number' ? Math.min(retryAfterMs, retryAfterMsMax) : 0
}

/** Why one tunnel of a call got nothing. */
export type Refusal = Extract<ClaimResult['results'][number], { readonly problem: unknown }>['problem']

/** A code of a newer server has no row here: it is shown as it came, and tried again. */
export function refusalOf({ code, detail, title, suggestions, instance }: Refusal): PortTunnelerError {
  const key = keyOfCode(code)
  const from = { ...(instance !== undefined && { requestId: instance }) }
  return key
    ? fail(key, detail, { fields: { ...(suggestions && { suggestions }), ...from } })
    : fail('server.unexpected', `${code} ${detail ?? title}`, { fields: from })
}

/** Delay before claiming a refused tunnel again: 1 s, then doubling to 30 s, or what the server asks for. */
export function claimDelay(attempt: number, retryAfterSeconds = 0): number {
  if (retryAfterSeconds > 0) return retryAfterSeconds * 1_000
  return Math.min(30_000, 1_000 * 2 ** Math.min(attempt, 5))
}
