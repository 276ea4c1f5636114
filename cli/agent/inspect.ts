/**
 * How somebody may look at what passes between a visitor and its upstream (cli/inspector). Without it visitors get
 * their own stream and sink, so that nothing stands between, and no object is made.
 */
import type { OpenInfo } from '@porttunneler/shared/mux/open-info'
import type { Tunnel } from './tunnels.ts'
import type { PlainVisitor, VisitorStream } from './visitor-stream.ts'

export type Visit = {
  readonly tunnel: Tunnel
  readonly info: OpenInfo
  /** TLS ends at this agent. */
  readonly endToEnd: boolean
  /** The number of the request that it repeats. */
  readonly replayOf?: number
}

/** Both are put in the place of the visitor's own. */
export type Watched = { readonly stream: VisitorStream; lead(visitor: PlainVisitor): PlainVisitor }

/** Sends a request as if a visitor had come with it. */
export type Resend = (stream: VisitorStream, visit: Visit, host: string) => PlainVisitor

export type Inspect = {
  watch(stream: VisitorStream, visit: Visit): Watched
  /** Called once, before there are visitors. */
  joinDesk(resend: Resend): void
}
