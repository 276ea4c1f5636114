import type { RequestListener } from 'node:http'
import type { Server } from 'node:net'

export type ForwardOptions = {
  /** Default: http. */
  readonly kind?: 'http' | 'tcp' | 'tls'
  /** Name of the tunnel, and first label of its host name. Default: the server makes one up, and it stays. */
  readonly name?: string
  /** tcp only: the public port to ask for. */
  readonly port?: number
  /** Default: PTUN_SERVER, or the one signed in to last. */
  readonly server?: string
  /** An API key. Default: PTUN_KEY, or the sign-in of `ptun login`. */
  readonly key?: string
  readonly cell?: string
  /** Take the tunnel over from another agent. */
  readonly takeover?: boolean
  /** Several agents may serve it. */
  readonly pool?: boolean
  /** The Host that the upstream gets: `rewrite` for its own, or a name. */
  readonly hostHeader?: string
  readonly rewriteOrigin?: boolean
  /** Logins (`user:password`) of visitors. */
  readonly auth?: readonly string[]
  /** Gives up waiting, or ends the tunnel at once. */
  readonly signal?: AbortSignal
  /** Called with each event of `ptun --json`. */
  readonly onEvent?: (event: { readonly event: string }) => void
}

export type Listener = {
  /** Where visitors come. */
  readonly url: string
  readonly name: string
  /** Resolves when the tunnel is over: with the reason if it ended by itself (taken over, key revoked). */
  readonly closed: Promise<Error | undefined>
  /** Takes no new visitors, lets open connections finish for 10 s, and gives the address back. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * A port, `host:port`, `unix:/path`, a server (one that does not listen yet does so at the loopback), or a handler of
 * requests, such as an Express application.
 */
export type Forwardable = number | string | Server | RequestListener

/**
 * Opens a tunnel, and resolves when visitors get in. It waits while the server or the line is away, and rejects with an
 * error that has a `code` (`PT-2310`) where waiting cannot help.
 */
export function forward(target: Forwardable, options?: ForwardOptions): Promise<Listener>
