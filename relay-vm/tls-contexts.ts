/**
 * TLS contexts of certificates, those that were used last (certificates.ts). A context takes 33 KiB outside the heap,
 * of which V8 knows nothing, so one that goes is closed at once: left to the collector, those of ten thousand names
 * that visitors ask for in turn would all be there. A handshake that uses one keeps what it needs of it.
 */
import { createSecureContext, type SecureContext } from 'node:tls'

export type ContextOptions = {
  readonly minVersion: 'TLSv1.2'
  readonly ciphers: string
  /** Roots of visitors' certificates; only servers that demand one use them. */
  readonly ca?: string
}

export class TlsContexts<Owner> {
  readonly #options: ContextOptions
  readonly #max: number
  /** In the order of their last use. */
  readonly #contexts = new Map<Owner, SecureContext>()

  constructor(options: ContextOptions, max: number) {
    this.#options = options
    this.#max = max
  }

  has(owner: Owner): boolean {
    return this.#contexts.has(owner)
  }

  /** Use it before the next call: it may be closed then. */
  use(owner: Owner): SecureContext | undefined {
    const context = this.#contexts.get(owner)
    if (context === undefined) return undefined
    this.#contexts.delete(owner)
    this.#contexts.set(owner, context)
    return context
  }

  /** @throws the error of OpenSSL, when chain and key cannot be used */
  make(owner: Owner, { cert, key }: { readonly cert: string; readonly key: string }): void {
    this.drop(owner)
    this.#contexts.set(owner, createSecureContext({ ...this.#options, cert, key }))
    const [oldest] = this.#contexts.keys()
    if (this.#contexts.size > this.#max && oldest !== undefined) this.drop(oldest)
  }

  /** The context of `before` is that of `after` from now on. */
  move(before: Owner, after: Owner): void {
    const context = this.#contexts.get(before)
    this.#contexts.delete(before)
    if (context) this.#contexts.set(after, context)
  }

  drop(owner: Owner): void {
    const context = this.#contexts.get(owner)
    this.#contexts.delete(owner)
    // Node's own class; without `close` the collector does it later.
    const native = context?.context as { close?(): void } | undefined
    native?.close?.()
  }

  clear(): void {
    for (const owner of [...this.#contexts.keys()]) this.drop(owner)
  }
}
