/** Where visitors of all tunnels arrive: a limit for all of them, and what the visitors of one tunnel share. */
import type { Clock } from '@porttunneler/shared/base/clock'
import { FairPool } from '@porttunneler/shared/base/fair-pool'
import type { OpenInfo } from '@porttunneler/shared/mux/open-info'
import { deafSink, type StreamSink } from '@porttunneler/shared/mux/stream-sink'
import type { Turn } from '@porttunneler/shared/mux/turn'
import { Guesses } from '../http/stages/guesses.ts'
import { HeldRoom } from '../http/webhooks/held-room.ts'
import type { LoopbackMemory } from './dial-upstream.ts'
import type { Emit } from './events.ts'
import { Http2Upstreams } from './http2-upstreams.ts'
import type { Inspect, Visit } from './inspect.ts'
import { rulesOf, speaksHttp, type Tunnel } from './tunnels.ts'
import { visitorPath } from './visitor-ends.ts'
import type { EndTls, PlainVisitor, VisitorStream } from './visitor-stream.ts'
import { Visitor } from './visitors.ts'
import { visitorsMax } from './visitors-max.ts'

export type VisitorDeskOptions = {
  readonly clock: Clock
  readonly turn: Turn
  readonly emit: Emit
  /**
   * Maximum at a time; when it is reached, the tunnel and visitor with most yields. Default: what descriptors allow.
   */
  readonly visitorsMax?: number
  /** For tunnels whose visitors' TLS ends here. */
  readonly endTls?: EndTls
  /** Looks at what visitors of http tunnels send and get. */
  readonly inspect?: Inspect | undefined
  /** The last visitor has left. */
  onIdle(): void
}

export class VisitorDesk {
  readonly #options: VisitorDeskOptions
  readonly #memory: LoopbackMemory = new Map()
  readonly #visitors: FairPool<Visitor>
  /** Wrong passwords, for as long as the tunnel is served. */
  readonly #guesses = new WeakMap<Tunnel, Guesses>()
  readonly #http2: Http2Upstreams
  readonly #room = new HeldRoom()

  constructor(options: VisitorDeskOptions) {
    this.#options = options
    this.#visitors = new FairPool({ limit: options.visitorsMax ?? visitorsMax(), yields: 'newest' })
    this.#http2 = new Http2Upstreams(options.clock, this.#memory)
    options.inspect?.joinDesk((stream, visit, host) => this.#welcome(stream, visit, () => host).sink)
  }

  get active(): number {
    return this.#visitors.size
  }

  accept(stream: VisitorStream, info: OpenInfo, tunnel: Tunnel | undefined): StreamSink {
    if (!tunnel || tunnel.stopped) {
      stream.reset('session.revoked')
      return deafSink
    }
    // Another agent may do better: the relay tries the next one, and comes back when this one is well.
    const { health, lease } = tunnel
    const isShared = lease?.agents === 'many'
    if (isShared && health?.state === 'unhealthy') {
      stream.reset(health.failure?.key ?? 'upstream.unhealthy')
      return deafSink
    }
    const path = visitorPath(info)
    if (this.#visitors.refusal(path) !== undefined) {
      stream.reset('session.limit')
      return deafSink
    }
    const { endToEnd } = tunnel.wanted
    const wish = endToEnd && { inside: endToEnd, tunnel: tunnel.name, isShared }
    const tls = wish && this.#options.endTls?.(stream, wish)
    if (typeof tls === 'string') {
      stream.reset(tls)
      return deafSink
    }
    const hostOfTls = tls && endToEnd === 'http' ? () => tls.host : undefined
    const visit = { tunnel, info, endToEnd: tls !== undefined }
    const { visitor, sink } = this.#welcome(tls ?? stream, visit, hostOfTls)
    this.#visitors.add(visitor, path, () => visitor.close('session.limit'))
    if (tls) return tls.lead(sink)
    visitor.start()
    return sink
  }

  /** A visitor, and what gets its plain bytes. A repeated request has no place among visitors: it is the user's own. */
  #welcome(
    stream: VisitorStream,
    visit: Visit,
    hostOfTls: (() => string) | undefined,
  ): { readonly visitor: Visitor; readonly sink: PlainVisitor } {
    const { tunnel, info, endToEnd } = visit
    const watched = speaksHttp(tunnel.wanted) ? this.#options.inspect?.watch(stream, visit) : undefined
    const visitor: Visitor = new Visitor(watched?.stream ?? stream, info, {
      tunnel,
      ...(endToEnd && hostOfTls && { hostOfTls }),
      memory: this.#memory,
      rules: rulesOf(tunnel),
      guesses: () => this.#guessesOf(tunnel),
      room: this.#room,
      sessions: this.#http2.of(tunnel),
      ...this.#options,
      onEnd: () => {
        this.#visitors.remove(visitor)
        if (this.#visitors.size === 0) this.#options.onIdle()
      },
    })
    return { visitor, sink: watched?.lead(visitor) ?? visitor }
  }

  #guessesOf(tunnel: Tunnel): Guesses {
    const guesses = this.#guesses.get(tunnel) ?? new Guesses(this.#options.clock)
    this.#guesses.set(tunnel, guesses)
    return guesses
  }

  /** Resets all visitors, or all of one tunnel. */
  close(tunnel?: Tunnel): void {
    for (const visitor of [...this.#visitors.members()])
      if (tunnel === undefined || visitor.tunnel === tunnel) visitor.close()
    this.#http2.close(tunnel)
  }
}
