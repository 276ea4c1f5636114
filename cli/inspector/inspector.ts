/**
 * The inspector of one agent: what is recorded, what can be asked of it, and sending requests again. The server
 * (server.ts) shows it to the user's browser, the terminal uses `resendLast` and `recent`.
 */
import { randomBytes } from 'node:crypto'
import type {
  InspectedConnection,
  InspectedSummary,
  InspectorAbout,
} from '@porttunneler/shared/api/schemas/inspection'
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import type { AgentEvent } from '../agent/events.ts'
import type { Inspect, Visit, Watched } from '../agent/inspect.ts'
import { labelOf } from '../agent/tunnels.ts'
import { visitorText } from '../agent/visitor-ends.ts'
import type { VisitorStream } from '../agent/visitor-stream.ts'
import { ruleFor, verdictOf, type WebhookRule } from '../http/webhooks/signatures.ts'
import { version } from '../version.ts'
import { ConnectionLog } from './connection-log.ts'
import { bodyBytesMax, type Entry } from './entry.ts'
import { Recorder } from './recorder.ts'
import { redactedHeaders, redactedParameters } from './redaction.ts'
import { Replays } from './replays.ts'
import { Ring, type RingLimits, ringLimits } from './ring.ts'
import { Tap } from './tap.ts'

/** Names of tunnels for the page's choice; an agent serves up to 500. */
const tunnelsMax = 500

export type InspectorOptions = {
  readonly limits?: RingLimits | undefined
  /** Which requests have signatures to be checked. */
  readonly webhooks?: readonly WebhookRule[]
}

export class Inspector implements Inspect {
  /** Every call must have it (guard.ts). New each time, as an old one may lie in histories. 128 bits. */
  readonly token = randomBytes(16).toString('base64url')
  readonly recorder: Recorder
  readonly replays: Replays
  readonly #clock: Clock
  readonly #webhooks: readonly WebhookRule[]
  readonly #connections: ConnectionLog
  readonly #tunnels = new Set<string>()

  constructor(clock: Clock, { limits = ringLimits, webhooks = [] }: InspectorOptions = {}) {
    this.#clock = clock
    this.#webhooks = webhooks
    this.recorder = new Recorder(clock, new Ring(limits), (entry) => this.#checkSignature(entry))
    this.replays = new Replays(this.recorder)
    this.#connections = new ConnectionLog(clock)
  }

  // --- what the agent calls ---

  joinDesk(resend: Parameters<Inspect['joinDesk']>[0]): void {
    this.replays.joinDesk(resend)
  }

  watch(stream: VisitorStream, visit: Visit): Watched {
    const { tunnel, info, endToEnd, replayOf } = visit
    const label = labelOf(tunnel)
    const visitor = visitorText(info)
    this.#knows(label)
    const origin = { tunnel, label, visitor, info, endToEnd, ...(replayOf !== undefined && { replayOf }) }
    const tap = new Tap(this.recorder, origin, () => this.replays.answered(stream))
    return { stream: tap.stream(stream), lead: (sink) => tap.lead(sink) }
  }

  /** Connections of tunnels whose bytes nobody reads are known from the agent's events. */
  onEvent(event: AgentEvent): void {
    if (event.event === 'tunnel.online') {
      this.#knows(event.tunnel)
      this.#connections.follow(event.tunnel, event.kind)
    }
    if (this.#connections.onEvent(event)) this.recorder.touched()
  }

  close(): void {
    this.replays.close()
    this.recorder.close()
  }

  // --- what pages and the terminal ask ---

  get about(): InspectorAbout {
    return {
      version,
      tunnels: [...this.#tunnels],
      redacted: { headers: redactedHeaders, parameters: redactedParameters },
      limits: {
        bytes: ringLimits.bytes,
        bodyBytes: bodyBytesMax,
        requests: ringLimits.requests,
        pinnedBytes: ringLimits.pinnedBytes,
      },
      usedBytes: this.recorder.ring.bytes,
    }
  }

  get connections(): readonly InspectedConnection[] {
    return this.#connections.list
  }

  summaryOf(entry: Entry): InspectedSummary {
    return entry.summary(this.recorder.ring.isPinned(entry.id))
  }

  /** The newest requests, newest first. */
  recent(count: number): readonly InspectedSummary[] {
    return this.recorder.ring
      .newest()
      .slice(0, count)
      .map((entry) => this.summaryOf(entry))
  }

  /** @throws inspector.gone */
  entry(id: number): Entry {
    const entry = this.recorder.ring.get(id)
    if (!entry) throw fail('inspector.gone', `Request ${id} is not kept.`)
    return entry
  }

  /** @throws inspector.gone, inspector.pins */
  pin(id: number, isWanted: boolean): void {
    const entry = this.entry(id)
    if (!this.recorder.ring.pin(entry, isWanted)) throw fail('inspector.pins')
    this.recorder.changed(entry)
  }

  clear(): void {
    this.recorder.ring.clear()
    this.recorder.touched()
  }

  /**
   * Sends the last request of a visitor again.
   * @returns the number of the new request
   * @throws inspector.gone, inspector.replay, inspector.busy
   */
  resendLast(tunnel?: string): number {
    const isLast = ({ origin, request }: Entry) =>
      origin.replayOf === undefined && request.isWhole && (tunnel === undefined || origin.label === tunnel)
    const entry = this.recorder.ring.newest().find(isLast)
    if (!entry) throw fail('inspector.gone', 'No visitor has sent a request yet.')
    return this.replays.send(entry, {}).ids[0] ?? 0
  }

  /** Later, so that no byte waits for it. */
  #checkSignature(entry: Entry): void {
    if (this.#webhooks.length === 0) return
    const rule = ruleFor(this.#webhooks, entry.target)
    if (!rule) return
    const check = () => {
      const { request } = entry
      const isKept = request.body.length === request.body.total
      const nowMs = entry.at
      entry.signature = isKept
        ? verdictOf(rule, { headers: request, body: request.body.bytes, nowMs })
        : 'unchecked'
      this.recorder.changed(entry)
    }
    this.#clock.after(0, check, { background: true })
  }

  #knows(tunnel: string): void {
    if (this.#tunnels.size < tunnelsMax) this.#tunnels.add(tunnel)
  }
}
