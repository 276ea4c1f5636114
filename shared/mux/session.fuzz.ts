/**
 * Fuzz of the session: a peer that sends frames of every type with plausible and absurd numbers, some of them legal.
 * Whatever comes, the session lives on or ends with a code; it throws nothing else, keeps its budgets, and holds
 * nothing after its end. A simple reference says which streams may exist.
 */
import { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import { FrameType } from '../protocol/frames.ts'
import { limits } from '../protocol/limits.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { anyVisitor, Recorder } from '../testing/mux-pair.ts'
import { seededRandom } from '../testing/wire-pair.ts'
import { Budget } from './budget.ts'
import { Carrier } from './carrier.ts'
import { deafHandler } from './carrier-handler.ts'
import { Liveness } from './liveness.ts'
import { Session } from './session.ts'
import { Turn } from './turn.ts'

/** A socket whose other end is the fuzzer: writes go nowhere. */
class Void extends EventEmitter {
  readonly writableNeedDrain = false
  readonly writableLength = 0
  write(): boolean {
    return true
  }
  cork(): void {}
  uncork(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
}

const {
  data,
  fin,
  credit,
  sync,
  reset,
  opened,
  upgraded,
  plain,
  open,
  lost,
  want,
  retire,
  ping,
  pong,
  goAway,
} = FrameType
const both = [data, data, data, fin, credit, credit, sync, reset]
/** What each side may receive for a stream; other frames end the session, which is tried too but not always. */
const heardBy = { relay: [...both, opened, upgraded, plain], agent: [...both, open, open] } as const
const anyType = [...heardBy.relay, open, lost, want, retire, ping, pong, goAway]

class Case {
  readonly #random: () => number
  readonly #side: 'relay' | 'agent'
  readonly #socket = new Void()
  readonly #clock = new FakeClock()
  readonly #budget = new Budget(limits.sessionBufferBytes)
  readonly #recorders: Recorder[] = []
  readonly #flushes: (() => void)[] = []
  readonly #session: Session
  isClosed = false
  #opened = 0

  constructor(random: () => number) {
    this.#random = random
    this.#side = random() < 0.5 ? 'relay' : 'agent'
    const clock = this.#clock
    const turn = new Turn((run) => this.#flushes.push(run))
    const socket = this.#socket as unknown as Duplex
    const carrier = new Carrier({ socket, number: 1, turn, clock, handler: deafHandler })
    this.#session = new Session({
      side: this.#side,
      id: 'ses_fuzz',
      secret: 'secret',
      carrier,
      clock,
      turn,
      liveness: new Liveness({ clock, side: this.#side }),
      budget: this.#budget,
      agentWindow: limits.agentWindowBytes,
      events: {
        onOpen: (stream) => {
          this.#opened += 1
          const recorder = new Recorder()
          recorder.stream = stream
          recorder.isHungry = random() < 0.7
          this.#recorders.push(recorder)
          return recorder
        },
        onClosed: () => {
          this.isClosed = true
        },
      },
    })
  }

  /** @returns how many steps the session lived */
  run(steps: number): number {
    let n = 0
    for (; n < steps && !this.isClosed; n++) {
      const dice = this.#random()
      if (dice < 0.75) this.#socket.emit('data', this.#frame())
      else if (dice < 0.9) this.#act()
      else if (dice < 0.97) for (const flush of this.#flushes.splice(0)) flush()
      else this.#clock.advance(250)
      this.#check()
    }
    this.#session.close('session.closed')
    for (const flush of this.#flushes.splice(0)) flush()
    if (this.#budget.usedBytes !== 0)
      throw new Error(`${this.#budget.usedBytes} bytes of budget are not given back`)
    if (this.#session.activeStreams !== 0) throw new Error('streams outlive their session')
    return n
  }

  #check(): void {
    const { usedBytes } = this.#budget
    if (usedBytes < 0 || usedBytes > limits.sessionBufferBytes)
      throw new Error(`the budget says ${usedBytes}`)
    if (this.#session.activeStreams > this.#opened) throw new Error('a stream that nobody opened')
  }

  /** Does what the local program does meanwhile. */
  #act(): void {
    const recorder = this.#recorders[Math.floor(this.#random() * this.#recorders.length)]
    const dice = this.#random()
    if (this.#side === 'relay' && (dice < 0.4 || !recorder)) this.#open()
    else if (dice < 0.7) recorder?.stream?.write(Buffer.alloc(1 + Math.floor(this.#random() * 9_000)))
    else if (dice < 0.8) recorder?.stream?.end()
    else if (dice < 0.85) recorder?.stream?.reset('stream.aborted')
    else recorder?.stream?.opened(3)
  }

  #open(): void {
    if (this.#session.state !== 'open') return
    const recorder = new Recorder()
    recorder.stream = this.#session.open(anyVisitor, recorder)
    this.#recorders.push(recorder)
    this.#opened += 1
  }

  #frame(): Buffer {
    const types = this.#random() < 0.97 ? heardBy[this.#side] : anyType
    const type = types[Math.floor(this.#random() * types.length)] as number
    const payload = this.#payload(type)
    const head = Buffer.alloc(8)
    head.writeUInt32BE(type * 0x1000000 + payload.length, 0)
    const isNew = type === open && this.#random() < 0.9
    const stream = isNew ? this.#opened + 1 : 1 + this.#number(this.#opened + (this.#random() < 0.01 ? 2 : 0))
    head.writeUInt32BE(stream, 4)
    return Buffer.concat([head, payload])
  }

  #payload(type: number): Buffer {
    const u48 = () => {
      const buffer = Buffer.alloc(6)
      const dice = this.#random()
      buffer.writeUIntBE(
        dice < 0.5 ? this.#number(4) * 1_000 : this.#number(dice < 0.95 ? 40_000 : 2 ** 40),
        0,
        6,
      )
      return buffer
    }
    const u32 = () => {
      const buffer = Buffer.alloc(4)
      buffer.writeUInt32BE(this.#random() < 0.9 ? this.#number(70_000) : 0xffffffff)
      return buffer
    }
    if (type === data)
      return Buffer.concat([u48(), Buffer.alloc(this.#random() < 0.5 ? 1_000 : 1 + this.#number(3_000))])
    if (type === open) return Buffer.concat([u32(), u32(), Buffer.alloc(11), Buffer.from('192.0.2.1')])
    if (type === fin) return u48()
    if (type === credit) return Buffer.concat([u48(), u32()])
    if (type === sync) return Buffer.concat([u48(), u48(), u32()])
    if (type === reset) return Buffer.from([0, this.#number(4)])
    if (type === opened) return u32()
    if (type === lost) return Buffer.from([0, 0, 0, 2 + this.#number(5), this.#number(2)])
    if (type === want) return Buffer.from([this.#number(256)])
    if (type === ping || type === pong) return Buffer.alloc(8, this.#number(3))
    if (type === goAway)
      return Buffer.from(
        JSON.stringify({ code: 'PT-3020', message: '', graceMs: this.#number(2) * 1_000, redialMs: 0 }),
      )
    return Buffer.alloc(0)
  }

  #number(below: number): number {
    return Math.floor(this.#random() * below)
  }
}

/**
 * A case is one frame or action.
 * @returns how many sessions there were
 * @throws with the seed of the session that broke a promise
 */
export function runCases({ seed, cases }: { readonly seed: number; readonly cases: number }): {
  sessions: number
} {
  let sessions = 0
  for (let left = cases; left > 0; sessions++) {
    try {
      left -= new Case(seededRandom(seed + sessions)).run(Math.min(left, 300))
    } catch (cause) {
      throw new Error(
        `session of seed ${seed + sessions}: ${cause instanceof Error ? cause.message : cause}`,
        { cause },
      )
    }
  }
  return { sessions }
}
