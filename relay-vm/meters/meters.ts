/** All tunnel meters of one relay. A meter outlives its bindings, so an agent that reconnects goes on counting. */
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import { TransferShares } from './shares.ts'
import { TunnelMeter } from './tunnel-meter.ts'

type HttpProtocol = 'http1' | 'h2'

export class Meters {
  /** How much accounts may still carry. */
  readonly shares = new TransferShares()
  readonly #meters = new Map<string, TunnelMeter>()
  readonly #refused = new Map<ErrorKey, number>()
  readonly #spoken = new Map<HttpProtocol, number>()
  /** What meters that were dropped had carried. */
  #droppedBytes = 0
  readonly #onDropped: (tunnel: string) => void

  constructor(onDropped: (tunnel: string) => void = () => {}) {
    this.#onDropped = onDropped
  }

  /** The meter of a tunnel, made on the first call. */
  of(tunnel: string, account: string): TunnelMeter {
    const known = this.#meters.get(tunnel)
    if (known?.account === account) return known
    if (known) this.#droppedBytes += bytesOf(known)
    const meter = new TunnelMeter({ tunnel, account })
    this.#meters.set(tunnel, meter)
    return meter
  }

  get(tunnel: string): TunnelMeter | undefined {
    return this.#meters.get(tunnel)
  }

  all(): Iterable<TunnelMeter> {
    return this.#meters.values()
  }

  /** A visitor or a socket turned away before its tunnel was known. */
  refused(reason: ErrorKey): void {
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1)
  }

  /** Refusals before a tunnel was known; refusals of tunnels are in their meters. */
  refusals(): ReadonlyMap<ErrorKey, number> {
    return this.#refused
  }

  /** A connection that speaks HTTP, to any name. */
  spoke(protocol: HttpProtocol): void {
    this.#spoken.set(protocol, (this.#spoken.get(protocol) ?? 0) + 1)
  }

  /** Connections so far by what they speak. */
  spoken(): ReadonlyMap<HttpProtocol, number> {
    return this.#spoken
  }

  /** Bytes of all tunnels since the process started, both ways. It never goes back. */
  carriedBytes(): number {
    let bytes = this.#droppedBytes
    for (const meter of this.#meters.values()) bytes += bytesOf(meter)
    return bytes
  }

  /** Drops the meters of tunnels that are neither in use nor in `keep`. Their last bytes must have been accounted. */
  prune(keep: (tunnel: string) => boolean): void {
    for (const [tunnel, meter] of this.#meters) {
      if (meter.active > 0 || keep(tunnel)) continue
      this.#meters.delete(tunnel)
      this.#droppedBytes += bytesOf(meter)
      this.shares.left(meter)
      this.#onDropped(tunnel)
    }
  }
}

function bytesOf(meter: TunnelMeter): number {
  const { in: bytesIn, out } = meter.read()
  return bytesIn + out
}
