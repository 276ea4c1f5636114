/**
 * A connection with a rate, a delay and the buffers of two kernels, in simulated time: what a carrier meets on a real
 * path, as fast as the processor allows. `SlowLink` is a relay's and an agent's session over such connections, cut and
 * rejoined by hand.
 */
import { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import type { PortTunnelerError } from '../base/errors.ts'
import { Budget } from '../mux/budget.ts'
import { Carrier } from '../mux/carrier.ts'
import { deafHandler } from '../mux/carrier-handler.ts'
import { Liveness } from '../mux/liveness.ts'
import { Session } from '../mux/session.ts'
import type { SessionEvents } from '../mux/session-frames.ts'
import { Turn } from '../mux/turn.ts'
import { limits } from '../protocol/limits.ts'
import { FakeClock } from './fake-clock.ts'

/** How far Linux grows a send buffer by itself. */
const kernelBytes = 4 * 1024 * 1024
const highWaterMark = 16 * 1024

export type Path = { readonly bytesPerMs: number; readonly rttMs: number }

/** One end. What is written waits in the program, then in the kernel, then on the path. */
class SlowEnd extends EventEmitter {
  peer: SlowEnd | undefined
  destroyed = false
  writable = true
  writableNeedDrain = false
  writableLength = 0
  readonly #waiting: { bytes: Buffer; done: (() => void) | undefined }[] = []
  readonly #kernel: Buffer[] = []
  #kernelBytes = 0
  readonly #flight: { atMs: number; bytes: Buffer }[] = []
  #isPaused = false

  write(bytes: Buffer, done?: () => void): boolean {
    this.#waiting.push({ bytes, done })
    this.writableLength += bytes.length
    if (this.writableLength >= highWaterMark) this.writableNeedDrain = true
    return !this.writableNeedDrain
  }

  cork(): void {}
  uncork(): void {}

  pause(): void {
    this.#isPaused = true
  }
  resume(): void {
    this.#isPaused = false
  }
  isPaused(): boolean {
    return this.#isPaused
  }

  end(): void {
    this.destroy()
  }
  destroy(): void {
    this.destroyed = true
    this.writable = false
  }

  /** Moves data: `bytes` of the path's capacity are available now. */
  step(nowMs: number, { bytesPerMs, rttMs }: Path, ms: number): void {
    this.#toKernel()
    for (let left = bytesPerMs * ms; left > 0 && this.#kernel.length > 0; ) {
      const first = this.#kernel[0] as Buffer
      const part = first.subarray(0, Math.max(1, Math.floor(left)))
      if (part.length === first.length) this.#kernel.shift()
      else this.#kernel[0] = first.subarray(part.length)
      this.#kernelBytes -= part.length
      left -= part.length
      this.#flight.push({ atMs: nowMs + rttMs / 2, bytes: part })
    }
    const peer = this.peer as SlowEnd
    while (this.#flight[0] && this.#flight[0].atMs <= nowMs && !peer.#isPaused) {
      const { bytes } = this.#flight.shift() as { bytes: Buffer }
      if (!peer.destroyed) peer.emit('data', bytes)
    }
  }

  #toKernel(): void {
    if (this.destroyed) this.#waiting.length = 0
    while (this.#waiting[0] && this.#kernelBytes < kernelBytes) {
      const { bytes, done } = this.#waiting.shift() as { bytes: Buffer; done: (() => void) | undefined }
      this.#kernel.push(Buffer.from(bytes))
      this.#kernelBytes += bytes.length
      this.writableLength -= bytes.length
      done?.()
    }
    if (!this.writableNeedDrain || this.writableLength > 0) return
    this.writableNeedDrain = false
    if (!this.destroyed) this.emit('drain')
  }
}

type SideName = 'relay' | 'agent'

export class SlowLink {
  readonly clock = new FakeClock()
  readonly sessions: Record<SideName, Session>
  /** Carriers that were lost, with the side that noticed, except those that `cut` took. */
  readonly losses: { side: SideName; reason: PortTunnelerError }[] = []
  readonly closed: Partial<Record<SideName, PortTunnelerError>> = {}
  readonly #path: Path
  readonly #kind: Carrier['kind']
  readonly #events: Partial<Record<SideName, Partial<SessionEvents>>>
  readonly #ends: { relay: SlowEnd; agent: SlowEnd }[] = []
  readonly #flushes: (() => void)[] = []
  readonly #turn = new Turn((run) => this.#flushes.push(run))
  #isCutting = false

  /** `kind`: the kind of all its connections. */
  constructor(
    path: Path,
    events: Partial<Record<SideName, Partial<SessionEvents>>> = {},
    kind: Carrier['kind'] = 'shared',
  ) {
    this.#path = path
    this.#kind = kind
    this.#events = events
    const { relay, agent } = this.#connect(1)
    this.sessions = { relay: this.#begin('relay', relay), agent: this.#begin('agent', agent) }
  }

  /** Time passes, and everything moves meanwhile. */
  pass(ms: number): void {
    const stepMs = 0.5
    for (let left = ms; left > 0; left -= stepMs) {
      this.clock.advance(stepMs)
      const nowMs = this.clock.monotonic()
      for (const { relay, agent } of this.#ends) {
        relay.step(nowMs, this.#path, stepMs)
        agent.step(nowMs, this.#path, stepMs)
      }
      this.turn()
    }
  }

  /** Runs turns of the loop while there is something to do. */
  turn(): void {
    for (let turns = 0; this.#flushes.length > 0 && turns < 50; turns++)
      for (const flush of this.#flushes.splice(0)) flush()
  }

  /** Every connection breaks, and both sides see it. */
  cut(): void {
    this.#isCutting = true
    for (const { relay, agent } of this.#ends.splice(0)) {
      relay.emit('close')
      agent.emit('close')
    }
    this.#isCutting = false
  }

  /** The agent is back, over a new connection that both sides have agreed on. */
  join(): void {
    const { relay, agent } = this.sessions
    const number = agent.nextCarrierNumber()
    const carriers = this.#connect(number)
    const told = { relay: relay.carriers.unconfirmed, agent: agent.carriers.unconfirmed }
    relay.attach(carriers.relay, { lost: told.agent, told: told.relay })
    agent.attach(carriers.agent, { lost: told.relay, told: told.agent })
  }

  #connect(number: number): Record<SideName, Carrier> {
    const relay = new SlowEnd()
    const agent = new SlowEnd()
    relay.peer = agent
    agent.peer = relay
    this.#ends.push({ relay, agent })
    const make = (end: SlowEnd) => {
      const socket = end as unknown as Duplex
      const { clock } = this
      const carrier = new Carrier({ socket, number, turn: this.#turn, clock, handler: deafHandler })
      carrier.introduce({ number, kind: this.#kind })
      return carrier
    }
    return { relay: make(relay), agent: make(agent) }
  }

  #begin(side: SideName, carrier: Carrier): Session {
    const { clock } = this
    const id = 'ses_slow'
    const agentWindow = limits.agentWindowBytes
    const liveness = new Liveness({ clock, side })
    const budget = new Budget(Number.POSITIVE_INFINITY)
    const events: SessionEvents = {
      ...this.#events[side],
      onCarrierLost: (_number, reason) => {
        if (!this.#isCutting) this.losses.push({ side, reason })
      },
      onClosed: (reason) => {
        this.closed[side] = reason
      },
    }
    const own = { carrier, liveness, budget, agentWindow, events }
    return new Session({ side, id, secret: 's', clock, turn: this.#turn, ...own })
  }
}

/** A program that takes all bytes at once and counts them. */
export class Counting {
  bytes = 0
  writableTotal = 0
  resetCode: number | undefined
  stream: { consumed(bytes: number): void } | undefined
  isHungry: boolean

  constructor(isHungry = true) {
    this.isHungry = isHungry
  }

  onData({ length }: Buffer): void {
    this.bytes += length
    if (this.isHungry) this.stream?.consumed(length)
  }

  onFin(): void {}

  onWritable(): void {
    this.writableTotal += 1
  }

  onReset(code: number): void {
    this.resetCode = code
  }
}
