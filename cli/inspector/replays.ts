/**
 * Sends recorded requests again, as they were or with changes. A repeated request goes the way of a visitor's from the
 * stream on: through the agent's rules to the same upstream, and into the record, as the request of nobody else.
 */
import type { ReplayAnswer, ReplayWish } from '@porttunneler/shared/api/schemas/inspection'
import type { Timer } from '@porttunneler/shared/base/clock'
import { fail, wireCode } from '@porttunneler/shared/base/errors'
import type { Resend } from '../agent/inspect.ts'
import type { PlainVisitor, VisitorStream } from '../agent/visitor-stream.ts'
import type { Entry } from './entry.ts'
import type { Recorder } from './recorder.ts'
import { replayBytes } from './replay-request.ts'

/** At a time, so that an upstream is not flooded by a slip of the keyboard; the others wait for their turn. */
const activeMax = 8
const pendingMax = 100
/** An answer that takes longer is cut off: a stream of events has no end of its own. */
const answerMsMax = 60_000
/** How long an upstream may take to close the connection behind its answer. */
const closeMsMax = 5_000

type Job = { readonly entry: Entry; readonly bytes: Buffer; readonly host: string }

export class Replays {
  readonly #recorder: Recorder
  #resend: Resend | undefined
  readonly #active = new Set<Replay>()
  readonly #pending: Job[] = []

  constructor(recorder: Recorder) {
    this.#recorder = recorder
  }

  joinDesk(resend: Resend): void {
    this.#resend = resend
  }

  /**
   * @returns the numbers of those that were begun at once
   * @throws inspector.replay, inspector.busy
   */
  send(entry: Entry, wish: ReplayWish): ReplayAnswer {
    const { bytes, host, revealed } = replayBytes(entry, wish)
    if (entry.origin.tunnel.stopped)
      throw fail('inspector.replay', 'This agent no longer serves that tunnel.')
    const times = wish.times ?? 1
    if (this.#pending.length + this.#active.size + times > pendingMax) throw fail('inspector.busy')
    for (let i = 0; i < times; i++) this.#pending.push({ entry, bytes, host })
    return { ids: this.#begin(), revealed }
  }

  /** A stream has got a complete answer. */
  answered(stream: VisitorStream): void {
    if (stream instanceof Replay) stream.answered()
  }

  close(): void {
    this.#pending.length = 0
    for (const replay of this.#active) replay.abort()
  }

  #begin(): readonly number[] {
    const ids: number[] = []
    while (this.#active.size < activeMax) {
      const job = this.#pending.shift()
      if (!job) break
      ids.push(this.#start(job))
    }
    return ids
  }

  #start({ entry, bytes, host }: Job): number {
    const resend = this.#resend
    if (!resend) throw fail('inspector.replay', 'The agent is not ready yet.')
    const { clock } = this.#recorder
    const replay: Replay = new Replay(
      (ms, fn) => clock.after(ms, fn, { background: true }),
      () => {
        this.#active.delete(replay)
        this.#begin()
      },
    )
    const { tunnel, info, endToEnd } = entry.origin
    const visit = { tunnel, info: { ...info, awaitsUpgrade: false }, endToEnd, replayOf: entry.id }
    const before = this.#recorder.lastId
    this.#active.add(replay)
    replay.run(resend(replay, visit, host), bytes)
    return before + 1
  }
}

/** A visitor that is no connection: it sends one request and reads the answer as fast as it comes. */
class Replay implements VisitorStream {
  bytesIn = 0
  bytesOut = 0
  isOver = false
  readonly #wait: (ms: number, fn: () => void) => Timer
  readonly #onOver: () => void
  #sink: PlainVisitor | undefined
  #timer: Timer | undefined
  #hasEnded = false

  constructor(wait: (ms: number, fn: () => void) => Timer, onOver: () => void) {
    this.#wait = wait
    this.#onOver = onOver
  }

  run(sink: PlainVisitor, bytes: Buffer): void {
    this.#sink = sink
    this.#timer = this.#wait(answerMsMax, () => this.abort())
    sink.start()
    this.bytesIn += bytes.length
    sink.onData(bytes)
  }

  /** The answer is complete: the upstream may close, and has to after a while. */
  answered(): void {
    if (this.isOver || this.#hasEnded) return
    this.#hasEnded = true
    this.#timer?.clear()
    this.#timer = this.#wait(closeMsMax, () => this.abort())
    this.#sink?.onFin()
  }

  abort(): void {
    if (this.isOver) return
    this.#leave()
    this.#sink?.onReset(wireCode('stream.aborted'))
  }

  write(bytes: Buffer): boolean {
    this.bytesOut += bytes.length
    return true
  }

  end(): void {
    if (this.isOver) return
    this.#leave()
    // A stream tells its end behind what it was called for.
    queueMicrotask(() => this.#sink?.onClosed?.())
  }

  reset(): void {
    if (!this.isOver) this.#leave()
  }

  resetBehind(): void {
    if (!this.isOver) this.#leave()
  }

  opened(): void {}
  consumed(): void {}
  answeredUpgrade(): void {}

  #leave(): void {
    this.isOver = true
    this.#timer?.clear()
    // Not in the middle of the call that ended it.
    queueMicrotask(this.#onOver)
  }
}
