/**
 * Tells for which visitor the requests of one connection are: the peer that connected, or, behind a proxy that the
 * operator trusts, the visitor that each request names. Every head goes to the upstream through here.
 */
import type { Buffer } from 'node:buffer'
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import type { RequestHead } from '@porttunneler/shared/http/head'
import { HeadRewriter, withHost } from '@porttunneler/shared/http/rewrite'
import type { HttpRoute, HttpVisitorInfo, HttpVisitorOptions } from './deps.ts'
import { readVisitorSource, type VisitorSource } from './forwarded.ts'

export class Calls {
  readonly #near: VisitorSource
  readonly #trusts: HttpVisitorOptions['trusts']
  readonly #sni: string | undefined
  #caller: VisitorSource
  #rewriter: HeadRewriter
  /** How many bytes the body of the present request may still have. */
  #bodyLeft: number | undefined

  /** @param rewriter of the connection, where requests of it have calls of their own */
  constructor({ origin, tls, trusts }: HttpVisitorOptions, rewriter?: HeadRewriter) {
    this.#near = { ...origin, proto: tls ? 'https' : 'http' }
    this.#trusts = trusts
    this.#sni = tls?.sni
    this.#caller = this.#near
    this.#rewriter = rewriter ?? new HeadRewriter(this.#near)
  }

  get caller(): VisitorSource {
    return this.#caller
  }

  /**
   * Whether the request can go where the requests before it went, to `host`, if there were any. `elsewhere`: it comes
   * from a proxy, and is for another visitor or another host. TLS has named the host of all requests, except a proxy's.
   */
  placeOf(head: RequestHead, host: string | undefined): 'here' | 'elsewhere' | 'misdirected' {
    if (!this.#trusts) return head.host === (host ?? this.#sni ?? head.host) ? 'here' : 'misdirected'
    const { address, proto, host: asked = head.host } = readVisitorSource(head, this.#near, this.#trusts)
    const isSame = address === this.#caller.address && proto === this.#caller.proto
    return host === undefined || (isSame && asked === host) ? 'here' : 'elsewhere'
  }

  /** Takes over this request. @returns the host it is for */
  take(head: RequestHead): string {
    if (!this.#trusts) return head.host
    const { address, proto } = this.#caller
    this.#caller = readVisitorSource(head, this.#near, this.#trusts)
    if (address !== this.#caller.address || proto !== this.#caller.proto)
      this.#rewriter = new HeadRewriter(this.#caller)
    return this.#caller.host ?? head.host
  }

  /** Asks the tunnel's policy, after `take`. @returns why the request may not pass */
  judge(head: RequestHead, route: HttpRoute): ErrorKey | undefined {
    const verdict = route.judge(head, this.#caller)
    this.#bodyLeft = typeof verdict === 'number' ? verdict : undefined
    return typeof verdict === 'string' ? verdict : undefined
  }

  /** False: with these bytes the body is too long, which for chunks shows only now. */
  mayHave(body: Buffer): boolean {
    if (this.#bodyLeft === undefined) return true
    this.#bodyLeft -= body.length
    return this.#bodyLeft >= 0
  }

  /** The requested address with HTTPS; behind a proxy it has the usual port. */
  secureUrl({ bytes, host: asked }: RequestHead, port: number): string {
    const { host = asked } = this.#caller
    const [, target = ''] = /^\S+ (?:https?:\/\/[^/?]*)?(\S*)/i.exec(bytes.toString('latin1')) ?? []
    const path = target.startsWith('/') ? target : `/${target.startsWith('?') ? target : ''}`
    return `https://${host}${this.#trusts || port === 443 ? '' : `:${port}`}${path}`
  }

  /** What the agent is told. */
  infoOf({ wantsUpgrade }: RequestHead): HttpVisitorInfo {
    const { address, port, localPort } = this.#caller
    return { visitorAddress: address, visitorPort: port, localPort, awaitsUpgrade: wantsUpgrade }
  }

  /** The head that the upstream gets. */
  rewrite(head: RequestHead, isLast: boolean): Buffer {
    return this.#rewriter.rewrite(head, isLast, this.#caller.hostField)
  }

  /** The head for the next reader: as it came, except for the host. */
  reread(head: RequestHead): Buffer {
    const { hostField } = this.#caller
    return hostField === undefined ? head.bytes : withHost(head, hostField)
  }
}
