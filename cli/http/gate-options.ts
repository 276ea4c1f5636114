/** What the gate needs to know, and what it asks of the visitor that it belongs to. */
import type { Clock } from '@porttunneler/shared/base/clock'
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import type { HeadRewriter } from '@porttunneler/shared/http/rewrite'
import type { Stage } from './pipeline.ts'
import type { WebhookKeeper } from './webhooks/held-webhook.ts'

export type GateOptions = {
  readonly stages: readonly Stage[]
  readonly clock: Clock
  readonly visitorAddress: string
  /** Only requests with its signature reach the upstream. */
  readonly webhooks?: WebhookKeeper | undefined
  readonly awaitsUpgrade: boolean
  /** TLS ends here, so nobody has looked at the requests before. */
  readonly endToEnd?: {
    /** The host that the handshake was for. */
    readonly host: () => string
    /** Makes heads as the relay sends them. */
    readonly rewriter: HeadRewriter
  }
  /** Bytes for the upstream, ours until it returns. The first ones belong to a request that was let in. */
  deliver(bytes: Buffer): void
  /** The visitor will send no more. */
  finish(): void
  /**
   * The visitor is about to be answered here: the upstream, if there is one, is no longer needed. `key`: why, unless it
   * is sent elsewhere.
   */
  onAnswered(key: ErrorKey | undefined): void
  /** The stream was reset. */
  onOver(key: ErrorKey): void
}
