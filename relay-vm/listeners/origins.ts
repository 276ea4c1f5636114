/**
 * Tells who is at the far end of a visitor's socket. Behind a load balancer that the operator trusts it is the visitor
 * that the balancer names in a PROXY header, which must come before anything else at the ports that the operator names.
 * From everybody else such a header is ordinary bytes. Proxies that speak HTTP name the visitor in each request
 * (http/forwarded.ts).
 */
import type { Socket } from 'node:net'
import { plainAddress, sourcePath } from '@porttunneler/shared/base/addresses'
import type { Clock } from '@porttunneler/shared/base/clock'
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import type { FairPool } from '@porttunneler/shared/base/fair-pool'
import type { TrustedProxies } from '@porttunneler/shared/base/trusted-proxies'
import { limits } from '@porttunneler/shared/protocol/limits'
import { readProxyHeader } from '@porttunneler/shared/protocol/proxy-header'
import { makePool } from '../policy/pools.ts'

export type Origin = {
  /** As `plainAddress` returns it. */
  readonly address: string
  readonly port: number
  /** The port that the visitor dialled, or that the balancer dialled if there is one. */
  readonly localPort: number
}

/** The ports that visitors come to, by what is spoken there. */
export type VisitorPort = 'http' | 'tls' | 'tcp'

export type OriginsOptions = {
  readonly clock: Clock
  /** Balancers and proxies. */
  readonly proxies: TrustedProxies
  /** The ports where a connection from the operator's own begins with a PROXY header. */
  readonly headerAt: readonly VisitorPort[]
  /** Connections whose header is still to come. */
  readonly waitingMax: number
  refused(reason: ErrorKey): void
}

export class Origins {
  readonly #options: OriginsOptions
  readonly #told = new WeakMap<Socket, Origin>()
  /** Sockets of a balancer that did not say who is behind it. */
  readonly #untold = new WeakSet<Socket>()
  readonly #waiting: FairPool<Socket>
  /** Whom `of` was asked for last: one visitor's is asked for at each step of its admission. */
  #last: { readonly socket: Socket; readonly origin: Origin } | undefined

  constructor(options: OriginsOptions) {
    this.#options = options
    this.#waiting = makePool('header', options.waitingMax)
  }

  /**
   * Calls `next` once the visitor is known: at once, or behind a trusted balancer when its header is complete; the
   * socket is then paused and its next byte is the first after the header. Without a header it never calls `next`.
   */
  whenKnown(socket: Socket, port: VisitorPort, next: () => void): void {
    const { headerAt, proxies } = this.#options
    const { remoteAddress } = socket
    // Most relays stand alone: their visitors need no lookup.
    const mayBegin = headerAt.includes(port) && remoteAddress !== undefined
    if (mayBegin && proxies.isOwn(plainAddress(remoteAddress))) this.#awaitHeader(socket, next)
    else next()
  }

  /**
   * Whom to believe at this socket about its visitors; undefined: nobody. Otherwise the socket's address is a proxy's.
   */
  trustAt(socket: Socket): TrustedProxies | undefined {
    const { proxies } = this.#options
    return proxies.knows(this.of(socket).address) && !this.#untold.has(socket) ? proxies : undefined
  }

  /**
   * Whom the socket counts for where places are shared by source. A proxy that speaks for many has no share of its own:
   * each of its connections counts for itself, until it has named its visitor.
   */
  pathOf(socket: Socket): readonly string[] {
    const { address, port } = this.of(socket)
    return this.trustAt(socket) ? [`proxy ${address} ${port}`] : sourcePath(address)
  }

  of(socket: Socket): Origin {
    if (this.#last?.socket !== socket)
      this.#last = { socket, origin: this.#told.get(socket) ?? ownOrigin(socket) }
    return this.#last.origin
  }

  /** Sets the origin that another process of this machine has told. */
  tell(socket: Socket, origin: Origin): void {
    this.#last = undefined
    this.#told.set(socket, origin)
    this.#untold.add(socket)
  }

  /** Drops the connections whose header has not come. */
  close(): void {
    this.#last = undefined
    for (const socket of [...this.#waiting.members()]) socket.destroy()
  }

  #awaitHeader(socket: Socket, next: () => void): void {
    const { clock } = this.#options
    const { address } = ownOrigin(socket)
    this.#waiting.add(socket, sourcePath(address), () => {
      stop()
      this.#refuse(socket, 'visitor.silent')
    })
    let seen: Buffer = Buffer.alloc(0)
    const stop = () => {
      timer.clear()
      this.#waiting.remove(socket)
      socket.off('data', onData).off('end', stopAndDrop).off('error', ignore).off('close', stop)
    }
    const refuse = () => {
      stop()
      this.#refuse(socket, 'proxy.header')
    }
    // A balancer's probe may connect and send nothing: that is no refusal.
    const stopAndDrop = () => (seen.length === 0 ? socket.destroy() : refuse())
    const onData = (chunk: Buffer) => {
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk])
      const verdict = readProxyHeader(seen)
      if (verdict === 'more') return
      if (verdict === 'malformed') {
        refuse()
        return
      }
      stop()
      socket.pause()
      if (seen.length > verdict.length) socket.unshift(seen.subarray(verdict.length))
      this.#last = undefined
      this.#told.set(socket, originOf(socket, verdict.ends))
      // It may be a stranger whose address the balancer cannot tell.
      if (verdict.ends === undefined) this.#untold.add(socket)
      next()
    }
    const timer = clock.after(limits.headDeadlineMs, refuse)
    socket.on('data', onData).on('end', stopAndDrop).on('error', ignore).on('close', stop)
    socket.resume()
  }

  #refuse(socket: Socket, reason: ErrorKey): void {
    this.#options.refused(reason)
    // The other side may send a reset at the same time.
    socket.on('error', ignore)
    socket.resetAndDestroy()
  }
}

/** 'close' follows and has a listener. */
function ignore(): void {}

function ownOrigin({ remoteAddress = '', remotePort = 0, localPort = 0 }: Socket): Origin {
  return { address: plainAddress(remoteAddress), port: remotePort, localPort }
}

/** Without `ends` the balancer speaks for itself, or does not know the visitor. */
function originOf(
  socket: Socket,
  ends: { sourceAddress: string; sourcePort: number; destinationPort: number } | undefined,
): Origin {
  if (ends === undefined) return ownOrigin(socket)
  return { address: ends.sourceAddress, port: ends.sourcePort, localPort: ends.destinationPort }
}
