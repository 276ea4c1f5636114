/**
 * Where taps write: it numbers requests, keeps them in the ring, and tells who listens that something has changed, some
 * times a second at most and never from the path of a byte.
 */
import type { Buffer } from 'node:buffer'
import type { InspectedFrame } from '@porttunneler/shared/api/schemas/inspection'
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import type { RequestHead } from '@porttunneler/shared/http/head'
import { Entry, type Message, type Origin } from './entry.ts'
import { FrameLog, type Room } from './frame-log.ts'
import type { Ring } from './ring.ts'
import { Lane, type LaneOptions, Unpacking } from './unpacking.ts'

/** A page that shows ten changes a second reads as live; each costs it a request. */
const tellMs = 100

export class Recorder {
  readonly clock: Clock
  readonly ring: Ring
  #ids = 0
  #revisions = 0
  readonly #listeners = new Set<() => void>()
  readonly #unpacking = new Unpacking()
  #telling: Timer | undefined
  /** Called when a request has come whole; what it does costs no connection its turn. */
  readonly #onWhole: (entry: Entry) => void

  constructor(clock: Clock, ring: Ring, onWhole: (entry: Entry) => void = () => {}) {
    this.clock = clock
    this.ring = ring
    this.#onWhole = onWhole
  }

  /** The number of the newest request. */
  get lastId(): number {
    return this.#ids
  }

  get revision(): number {
    return this.#revisions
  }

  begin(head: RequestHead, origin: Origin): Entry {
    const { clock, ring } = this
    const entry = new Entry(head, {
      id: ++this.#ids,
      origin,
      at: clock.now(),
      startedAt: clock.monotonic(),
    })
    ring.add(entry)
    // The head is kept as it came, and as it is shown.
    ring.charge(entry, 3 * entry.headBytes)
    this.changed(entry)
    return entry
  }

  charge(entry: Entry, bytes: number): void {
    this.ring.charge(entry, bytes)
  }

  keep(entry: Entry, message: Message, bytes: Buffer): void {
    message.body.append(bytes, (more) => this.ring.charge(entry, more))
    entry.revision = ++this.#revisions
    this.#tell()
  }

  logFrames(entry: Entry): void {
    entry.frames ??= new FrameLog(this.#roomOf(entry))
  }

  /** The messages of a WebSocket, unpacked where that is possible. */
  logMessages(entry: Entry, deflate: LaneOptions['deflate']): Lane {
    this.logFrames(entry)
    return new Lane({
      unpacking: this.#unpacking,
      deflate,
      room: this.#roomOf(entry),
      isKept: () => this.ring.has(entry),
      now: () => this.clock.now(),
      onFrame: (frame) => this.frame(entry, frame),
    })
  }

  #roomOf(entry: Entry): Room {
    return {
      take: (bytes) => this.ring.charge(entry, bytes),
      give: (bytes) => this.ring.refund(entry, bytes),
    }
  }

  frame(entry: Entry, frame: Omit<InspectedFrame, 'n'>): void {
    entry.frames?.add(frame)
    this.changed(entry)
  }

  changed(entry: Entry): void {
    entry.revision = ++this.#revisions
    this.#tell()
  }

  /** A request has come whole. */
  whole(entry: Entry): void {
    this.#onWhole(entry)
    this.changed(entry)
  }

  /** Something changed that has no request of its own. */
  touched(): void {
    this.#revisions += 1
    this.#tell()
  }

  /** @returns how to stop listening */
  listen(onChange: () => void): () => void {
    this.#listeners.add(onChange)
    return () => this.#listeners.delete(onChange)
  }

  close(): void {
    this.#telling?.clear()
    this.#listeners.clear()
  }

  #tell(): void {
    if (this.#telling || this.#listeners.size === 0) return
    const tell = () => {
      this.#telling = undefined
      for (const listener of this.#listeners) listener()
    }
    this.#telling = this.clock.after(tellMs, tell, { background: true })
  }
}
