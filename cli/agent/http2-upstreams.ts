/** The HTTP/2 connections of an agent to its upstreams: those of a tunnel are shared by all of its visitors. */
import type { Clock } from '@porttunneler/shared/base/clock'
import { UpstreamSessions } from '../http/upstream-h2/sessions.ts'
import { dialUpstream, type LoopbackMemory } from './dial-upstream.ts'
import type { Tunnel, WantedTunnel } from './tunnels.ts'
import { formatUpstream } from './upstream.ts'

export class Http2Upstreams {
  readonly #clock: Clock
  readonly #memory: LoopbackMemory
  readonly #sessions = new Map<
    Tunnel,
    { readonly wanted: WantedTunnel; readonly sessions: UpstreamSessions }
  >()

  constructor(clock: Clock, memory: LoopbackMemory) {
    this.#clock = clock
    this.#memory = memory
  }

  /** Those for a visitor who comes now; undefined if the upstream speaks HTTP/1.1. */
  of(tunnel: Tunnel): UpstreamSessions | undefined {
    const { wanted } = tunnel
    const known = this.#sessions.get(tunnel)
    if (known?.wanted === wanted) return known.sessions
    // Earlier visitors are served as they began.
    known?.sessions.retire()
    this.#sessions.delete(tunnel)
    if (!wanted.upstreamProtocol) return undefined
    const sessions = new UpstreamSessions(http2Options(wanted, this.#clock, this.#memory))
    this.#sessions.set(tunnel, { wanted, sessions })
    return sessions
  }

  /** Ends those of one tunnel, or all. */
  close(tunnel?: Tunnel): void {
    for (const [one, { sessions }] of this.#sessions) {
      if (tunnel !== undefined && one !== tunnel) continue
      sessions.close()
      this.#sessions.delete(one)
    }
  }
}

/** How to reach an upstream that speaks HTTP/2. */
export function http2Options(
  { upstream, tls, upstreamProtocol }: WantedTunnel,
  clock: Clock,
  memory: LoopbackMemory,
): ConstructorParameters<typeof UpstreamSessions>[0] {
  const isTls = upstreamProtocol === 'h2'
  return {
    clock,
    scheme: isTls ? 'https' : 'http',
    name: formatUpstream(upstream),
    dial: (handlers) =>
      dialUpstream(upstream, { clock, memory, tls, ...(isTls && { protocol: 'h2' as const }), ...handlers }),
  }
}
