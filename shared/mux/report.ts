/**
 * The report after a loss (rule 12): every stream reports its state, some of them each turn. All at once they would be
 * a megabyte of frames before anybody else's byte, and a peer that makes losses could cause that at will. So when the
 * next loss comes a pass goes on where it is, and only the streams reported before that loss are reported again.
 */
import { limits } from '../protocol/limits.ts'
import type { Carrier } from './carrier.ts'

/** What the report keeps about a stream: how many losses there had been when it began, or last reported its state. */
export class Told {
  losses = 0
}

type Teller = { readonly told: Told }

export type ReportOptions<S> = {
  readonly streams: ReadonlyMap<number, S>
  /** Reports the state of one stream, and sends what waits for that. */
  readonly tell: (stream: S, carrier: Carrier) => void
}

/** `S` is the stream. */
export class Report<S extends Teller> {
  readonly #options: ReportOptions<S>
  /** Losses so far. */
  #losses = 0
  #passLosses = 0
  #pass: IterableIterator<S> | undefined
  /** Streams that the other side asked about. */
  readonly #asked = new Set<S>()

  constructor(options: ReportOptions<S>) {
    this.#options = options
  }

  /** The stream is new: losses before it do not concern it. */
  began(stream: S): void {
    stream.told.losses = this.#losses
  }

  get isUnderWay(): boolean {
    return this.#pass !== undefined || this.#asked.size > 0
  }

  /** There was a loss: all streams are reported, the first of them now. */
  begin(carrier: Carrier): void {
    this.#losses += 1
    if (this.#pass) return
    this.#startPass()
    this.goOn(carrier)
  }

  /** The other side asks for the state of one stream. */
  ask(stream: S, carrier: Carrier): void {
    this.#asked.add(stream)
    if (carrier.canSend) this.#answer(carrier)
  }

  /** The carrier has room: sends the next part. It is written this turn, and then there is room again. */
  goOn(carrier: Carrier): void {
    this.#answer(carrier)
    for (let told = 0; told < limits.reportStreamsPerTurn; ) {
      const next = this.#pass?.next()
      if (!next) return
      if (next.done) this.#endPass()
      else if (next.value.told.losses < this.#losses) {
        this.#tell(next.value, carrier)
        told += 1
      }
    }
  }

  forget(stream: S): void {
    this.#asked.delete(stream)
  }

  close(): void {
    this.#pass = undefined
    this.#asked.clear()
  }

  #answer(carrier: Carrier): void {
    for (const stream of this.#asked) {
      if (!carrier.canSend) return
      this.#asked.delete(stream)
      this.#tell(stream, carrier)
    }
  }

  #tell(stream: S, carrier: Carrier): void {
    stream.told.losses = this.#losses
    this.#options.tell(stream, carrier)
  }

  #startPass(): void {
    this.#passLosses = this.#losses
    this.#pass = this.#options.streams.values()
  }

  /** Streams that were reported before a later loss are reported again. */
  #endPass(): void {
    this.#pass = undefined
    if (this.#passLosses < this.#losses) this.#startPass()
  }
}
