/**
 * For whom the requests of one visitor connection are: for whoever has connected, or behind a proxy that the operator
 * trusts for whom each request says. Every head goes to the upstream by way of here.
 */
import type { Buffer } from 'node:buffer'
import type { RequestHead } from '@porttunneler/shared/http/head'
import type { HttpVisitorInfo, HttpVisitorOptions } from './deps.ts'
import { type Caller, readCaller } from './forwarded.ts'
import { HeadRewriter, withHost } from './rewrite.ts'

export class Calls {
  readonly #near: Caller
  readonly #trusts: HttpVisitorOptions['trusts']
  readonly #sni: string | undefined
  #caller: Caller
  #rewriter: HeadRewriter

  constructor({ origin, tls, trusts }: HttpVisitorOptions) {
    this.#near = { ...origin, proto: tls ? 'https' : 'http' }
    this.#trusts = trusts
    this.#sni = tls?.sni
    this.#caller = this.#near
    this.#rewriter = new HeadRewriter(this.#near)
  }

  get caller(): Caller {
    return this.#caller
  }

  /**
   * Whether the request can go where those before it went, to `host`, if there were any; `elsewhere`: it comes from a
   * proxy, and is for another visitor or another host. TLS has named the host of all requests, but for a proxy's.
   */
  placeOf(head: RequestHead, host: string | undefined): 'here' | 'elsewhere' | 'misdirected' {
    if (!this.#trusts) return head.host === (host ?? this.#sni ?? head.host) ? 'here' : 'misdirected'
    const { address, proto, host: asked = head.host } = readCaller(head, this.#near, this.#trusts)
    const isSame = address === this.#caller.address && proto === this.#caller.proto
    return host === undefined || (isSame && asked === host) ? 'here' : 'elsewhere'
  }

  /** From here on it is about this one. @returns the host that is asked for */
  take(head: RequestHead): string {
    if (!this.#trusts) return head.host
    const { address, proto } = this.#caller
    this.#caller = readCaller(head, this.#near, this.#trusts)
    if (address !== this.#caller.address || proto !== this.#caller.proto)
      this.#rewriter = new HeadRewriter(this.#caller)
    return this.#caller.host ?? head.host
  }

  /** What the agent is told. */
  infoOf({ wantsUpgrade }: RequestHead): HttpVisitorInfo {
    const { address, port, localPort } = this.#caller
    return { visitorAddress: address, visitorPort: port, localPort, awaitsUpgrade: wantsUpgrade }
  }

  /** What the upstream gets. */
  rewrite(head: RequestHead, isLast: boolean): Buffer {
    return this.#rewriter.rewrite(head, isLast, this.#caller.hostField)
  }

  /** For whoever reads it again: as it came, but for the host. */
  reread(head: RequestHead): Buffer {
    const { hostField } = this.#caller
    return hostField === undefined ? head.bytes : withHost(head, hostField)
  }
}
