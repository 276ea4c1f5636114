/**
 * A relay's and an agent's session, with real carriers, codec and handshake, over connections that a seed cuts, delays
 * and delivers in pieces. Every byte is checked by its place; nothing waits for real time.
 */
import { EventEmitter } from 'node:events'
import type { TLSSocket } from 'node:tls'
import { acceptAgent } from '../mux/accept.ts'
import { Budget } from '../mux/budget.ts'
import { dialCarrier, dialRelay } from '../mux/dial.ts'
import type { MuxShared } from '../mux/fresh-carrier.ts'
import { Liveness } from '../mux/liveness.ts'
import type { Session } from '../mux/session.ts'
import type { Stream } from '../mux/stream.ts'
import type { StreamSink } from '../mux/stream-sink.ts'
import { Turn } from '../mux/turn.ts'
import { FakeClock } from './fake-clock.ts'
import { anyVisitor } from './mux-pair.ts'
import { seededRandom } from './wire-pair.ts'

const side = { relay: 'relay', agent: 'agent' } as const
type SideName = keyof typeof side
const other = (name: SideName): SideName => (name === 'relay' ? 'agent' : 'relay')

/** One end of an in-memory connection; bytes go to the other end's inbox unless the path is cut. */
class End extends EventEmitter {
  readonly inbox: Buffer[] = []
  writableNeedDrain = false
  readonly writableLength = 0
  destroyed = false
  peer: End | undefined
  path: { isCut: boolean }
  readonly #random: () => number

  constructor(path: { isCut: boolean }, random: () => number) {
    super()
    this.path = path
    this.#random = random
  }

  write(bytes: Buffer, done?: () => void): boolean {
    if (!this.destroyed && !this.path.isCut && this.peer && !this.peer.destroyed)
      this.peer.inbox.push(Buffer.from(bytes))
    done?.()
    if (this.#random() < 0.3) this.writableNeedDrain = true
    return !this.writableNeedDrain
  }

  drain(): void {
    this.writableNeedDrain = false
    if (!this.destroyed) this.emit('drain')
  }

  exportKeyingMaterial(): Buffer {
    return Buffer.alloc(32, 7)
  }

  cork(): void {}
  uncork(): void {}
  resume(): void {}
  setNoDelay(): void {}

  end(): void {
    this.destroy()
  }

  destroy(): void {
    this.destroyed = true
    this.inbox.length = 0
  }
}

type Path = { readonly isCut: boolean; readonly ends: Record<SideName, End>; cut(): void }

/** What one side's program does with a stream, and what it has checked. */
class Party implements StreamSink {
  readonly name: SideName
  readonly id: number
  stream: Stream | undefined
  sent = 0
  got = 0
  unused = 0
  hasEnded = false
  hasFin = false
  /** It has ended both directions: at once, or after what it had sent. */
  reset: 'at once' | 'behind' | undefined
  outcome: 'clean' | 'reset' | undefined

  constructor(name: SideName, id: number) {
    this.name = name
    this.id = id
  }

  onData(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += 97)
      if (bytes[at] !== byteAt(other(this.name), this.id, this.got + at))
        throw new ModelFailure(`${this.name} stream ${this.id}: wrong byte at ${this.got + at}`)
    this.got += bytes.length
    this.unused += bytes.length
  }

  onFin(): void {
    if (this.hasFin) throw new ModelFailure('FIN twice')
    this.hasFin = true
  }

  onWritable(): void {}

  onReset(): void {
    this.outcome = 'reset'
  }

  onClosed(): void {
    this.outcome = 'clean'
  }
}

class ModelFailure extends Error {}

function byteAt(from: SideName, id: number, offset: number): number {
  return (Math.imul(offset, 31) + (offset >>> 8) + id * 7 + (from === 'relay' ? 1 : 0)) & 0xff
}
function pattern(from: SideName, id: number, offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  for (let at = 0; at < length; at += 1) bytes[at] = byteAt(from, id, offset + at)
  return bytes
}

export type ModelOutcome = { losses: number; clean: number; resets: number; dials: number; bytes: number }

/** Runs one seed to its end. @throws ModelFailure, or what the session code throws */
export async function runModel(
  seed: number,
  { steps = 1_200 }: { steps?: number } = {},
): Promise<ModelOutcome> {
  const model = new Model(seed)
  try {
    await model.connect()
    for (let n = 0; n < steps; n++) await model.step(true)
    await model.heal()
    return model.outcome()
  } catch (error) {
    if (error instanceof Error) error.message = `seed ${seed}: ${error.message}`
    throw error
  }
}

class Model {
  readonly #random: () => number
  readonly #clock = new FakeClock()
  readonly #paths: Path[] = []
  readonly #parties: Record<SideName, Map<number, Party>> = { relay: new Map(), agent: new Map() }
  readonly #flushes: (() => void)[] = []
  readonly #shared: Record<SideName, MuxShared>
  readonly #abort = new AbortController()
  #relay: Session | undefined
  #agent: Session | undefined
  #dials = 0
  #losses = 0

  constructor(seed: number) {
    this.#random = seededRandom(seed)
    const make = (name: SideName): MuxShared => ({
      clock: this.#clock,
      turn: new Turn((run) => this.#flushes.push(run)),
      // The model makes silence itself, so a clock that stands still judges nobody.
      liveness: new Liveness({ clock: new FakeClock(), side: name }),
      budget: new Budget(Number.POSITIVE_INFINITY),
    })
    this.#shared = { relay: make('relay'), agent: make('agent') }
  }

  async connect(): Promise<void> {
    const options = this.#dialOptions()
    const agent = dialRelay({
      ...options,
      ticket: 'ticket',
      random: this.#random,
      events: {
        onOpen: (stream) => this.#onOpen(stream),
        onClosed: (reason) => {
          throw new ModelFailure(`agent's session ended: ${reason.message}`)
        },
        onCarrierLost: () => {
          this.#losses += 1
        },
      },
    })
    const settled = agent.then((session) => {
      this.#agent = session
    })
    while (!this.#agent) {
      await this.#settle()
      this.#pump()
    }
    await settled
  }

  async step(hasFaults: boolean): Promise<void> {
    const dice = this.#random()
    if (dice < 0.42) this.#deliver()
    else if (dice < 0.5) this.#flush()
    else if (dice < 0.6) this.#write()
    else if (dice < 0.7) this.#use()
    else if (dice < 0.77) hasFaults && this.#open()
    else if (dice < 0.8) hasFaults && this.#reset()
    else if (dice < 0.84) this.#clock.advance(50)
    else if (dice < 0.89) this.#dial()
    else if (dice < 0.92) hasFaults && this.#pick(this.#live())?.cut()
    else this.#notice(hasFaults)
    await Promise.resolve()
  }

  /** No new faults: cut paths are noticed, everybody finishes. */
  async heal(): Promise<void> {
    for (const party of this.#everybody()) party.hasEnded = party.reset !== undefined
    for (let n = 0; n < 30_000; n++) {
      if (this.#session('relay').activeStreams + this.#session('agent').activeStreams === 0) return
      if (n % 40 === 0)
        for (const path of this.#live())
          if (path.isCut) {
            this.#loseAt(path, 'relay')
            this.#loseAt(path, 'agent')
          }
      if (n % 25 === 0 && this.#session('agent').carriers.size === 0) this.#dial()
      if (n % 10 === 0) this.#endAll()
      await this.step(false)
      if (n % 16 === 0) await this.#settle()
    }
    const left = this.#everybody().filter(({ outcome, stream }) => !outcome && stream?.state !== 'closed')
    throw new ModelFailure(
      `stuck: ${left.map((p) => `${p.name} ${p.id} ${p.stream?.state} sent ${p.sent} got ${p.got}`).join('; ')}`,
    )
  }

  outcome(): ModelOutcome {
    let clean = 0
    let bytes = 0
    for (const [id, agent] of this.#parties.agent) {
      const relay = this.#parties.relay.get(id)
      if (!relay) throw new ModelFailure(`the relay never opened ${id}`)
      for (const [from, to] of [[agent, relay] as const, [relay, agent] as const])
        if (from.reset === 'behind' && !to.reset && to.got !== from.sent)
          throw new ModelFailure(`stream ${id}: the ${from.name}'s reset came before its last words`)
      if (agent.outcome !== 'clean' && relay.outcome !== 'clean') continue
      if (agent.outcome === 'clean' && relay.outcome === 'clean') clean += 1
      const isCut = agent.outcome !== relay.outcome
      if (!isCut && (agent.got !== relay.sent || relay.got !== agent.sent))
        throw new ModelFailure(`stream ${id} ended cleanly with bytes missing`)
      bytes += agent.got + relay.got
    }
    const resets = this.#everybody().filter(({ outcome }) => outcome === 'reset').length
    return { losses: this.#losses, clean, resets, dials: this.#dials, bytes }
  }

  // --- the world

  #dialOptions() {
    return {
      ...this.#shared.agent,
      address: { host: 'relay.test', port: 1, sni: 'relay.test' },
      agent: 'agent',
      build: 'model',
      signal: this.#abort.signal,
      connect: async () => this.#newPath().ends.agent as unknown as TLSSocket,
    }
  }

  #newPath(): Path {
    const state = { isCut: false }
    const relay = new End(state, this.#random)
    const agent = new End(state, this.#random)
    relay.peer = agent
    agent.peer = relay
    const path: Path = {
      get isCut() {
        return state.isCut
      },
      ends: { relay, agent },
      cut() {
        state.isCut = true
      },
    }
    this.#paths.push(path)
    void this.#accept(relay)
    return path
  }

  async #accept(end: End): Promise<void> {
    try {
      const accepted = await acceptAgent(end as unknown as TLSSocket, this.#shared.relay)
      if (accepted.hello.resume && this.#relay) accepted.join(this.#relay, 'relay')
      else
        this.#relay = accepted.welcome({
          relay: 'relay',
          events: {
            onClosed: (reason) => {
              throw new ModelFailure(`relay's session ended: ${reason.message}`)
            },
            onCarrierLost: () => {
              this.#losses += 1
            },
          },
        })
    } catch {
      // HELLO never came whole, or the agent had given up the carrier: that connection is over, the session is not.
      end.destroy()
    }
  }

  #dial(): void {
    const agent = this.#session('agent')
    if (this.#live().length >= 4) return
    this.#dials += 1
    dialCarrier(agent, this.#random() < 0.5 ? 'shared' : 'dedicated', this.#dialOptions()).catch(
      () => undefined,
    )
  }

  #deliver(): void {
    const filled = this.#paths
      .flatMap(({ ends }) => [ends.relay, ends.agent])
      .filter((end) => end.inbox.length > 0)
    const end = this.#pick(filled)
    if (!end) return
    const first = end.inbox.shift() as Buffer
    const cut = this.#random() < 0.5 ? first.length : 1 + Math.floor(this.#random() * first.length)
    if (cut < first.length) end.inbox.unshift(first.subarray(cut))
    end.emit('data', first.subarray(0, cut))
  }

  /** One side notices a cut, or closes a healthy connection; the other may see its end. */
  #notice(hasFaults: boolean): void {
    const path = this.#pick(this.#live().filter(({ isCut }) => isCut || (hasFaults && this.#random() < 0.2)))
    if (path) this.#loseAt(path, this.#random() < 0.5 ? 'relay' : 'agent')
    const half = this.#pick(this.#paths.filter(({ ends }) => ends.relay.destroyed !== ends.agent.destroyed))
    if (half && !half.isCut && this.#random() < 0.5)
      this.#loseAt(half, half.ends.relay.destroyed ? 'agent' : 'relay')
  }

  #loseAt(path: Path, name: SideName): void {
    const end = path.ends[name]
    if (end.destroyed) return
    end.destroyed = true
    end.inbox.length = 0
    end.emit('close')
  }

  #live(): Path[] {
    return this.#paths.filter(({ ends }) => !ends.relay.destroyed || !ends.agent.destroyed)
  }

  #flush(): void {
    for (const run of this.#flushes.splice(0)) run()
    for (const { ends } of this.#paths)
      for (const end of [ends.relay, ends.agent])
        if (end.writableNeedDrain && this.#random() < 0.7) end.drain()
  }

  #pump(): void {
    this.#flush()
    this.#deliver()
  }

  #settle(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve))
  }

  // --- the programs at both ends

  #onOpen(stream: Stream): StreamSink {
    if (this.#parties.agent.has(stream.id)) throw new ModelFailure(`stream ${stream.id} was dialled twice`)
    const party = new Party('agent', stream.id)
    party.stream = stream
    this.#parties.agent.set(stream.id, party)
    return party
  }

  #open(): void {
    const relay = this.#session('relay')
    if (relay.activeStreams >= 5 || relay.state !== 'open') return
    const party = new Party('relay', this.#parties.relay.size + 1)
    party.stream = relay.open(anyVisitor, party)
    if (party.stream.id !== party.id) throw new ModelFailure('ids do not rise by one')
    this.#parties.relay.set(party.id, party)
  }

  #write(): void {
    const party = this.#pick(this.#active().filter(({ hasEnded }) => !hasEnded))
    if (!party?.stream) return
    if (this.#random() < 0.08) {
      party.hasEnded = true
      party.stream.end()
      return
    }
    const length = 1 + Math.floor(this.#random() * (this.#random() < 0.1 ? 30_000 : 900))
    party.stream.write(pattern(party.name, party.id, party.sent, length))
    party.sent += length
  }

  #use(): void {
    const party = this.#pick(this.#active().filter(({ unused }) => unused > 0))
    if (!party?.stream) return
    const bytes = Math.min(party.unused, 1 + Math.floor(this.#random() * 20_000))
    party.unused -= bytes
    party.stream.consumed(bytes)
  }

  #reset(): void {
    const party = this.#pick(this.#active())
    if (!party?.stream) return
    party.hasEnded = true
    party.reset ??= this.#random() < 0.5 ? 'behind' : 'at once'
    if (party.reset === 'behind') party.stream.resetBehind('stream.aborted')
    else party.stream.reset('stream.aborted')
    // Otherwise its sink is told later.
    if (party.stream.isOver) party.outcome = 'reset'
  }

  #endAll(): void {
    for (const party of this.#active()) {
      if (!party.hasEnded) {
        party.hasEnded = true
        party.stream?.end()
      }
      const { unused } = party
      party.unused = 0
      if (unused > 0) party.stream?.consumed(unused)
    }
  }

  #active(): Party[] {
    return this.#everybody().filter(({ outcome, stream }) => !outcome && stream !== undefined)
  }

  #everybody(): Party[] {
    return [...this.#parties.relay.values(), ...this.#parties.agent.values()]
  }

  #session(name: SideName): Session {
    const session = name === 'relay' ? this.#relay : this.#agent
    if (!session) throw new ModelFailure('no session yet')
    return session
  }

  #pick<T>(list: readonly T[]): T | undefined {
    return list[Math.floor(this.#random() * list.length)]
  }
}
