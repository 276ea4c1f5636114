/**
 * A TCP proxy between an agent and its relay that can fail as networks do: fall silent (the peers see neither bytes nor
 * FIN nor RST, and bytes on the way arrive when the silence ends), cut, or deliver late.
 */
import { connect, type Socket } from 'node:net'
import { systemClock } from '@porttunneler/shared/base/clock'
import { type Address, listenTcp } from './sockets.ts'

export type FaultProxy = {
  readonly port: number
  /** How many connections go through it now. */
  readonly connections: number
  /** Nothing passes in either direction, also for new connections, until `heal`. */
  blackHole(): void
  heal(): void
  /** Resets all connections. */
  cut(): void
  /** One-way delay in ms, for bytes that come from now on. */
  delay(ms: number): void
  close(): Promise<void>
}

type Pair = { readonly sockets: readonly [Socket, Socket]; isBroken: boolean }
type State = { isSilent: boolean; delayMs: number }

export async function startFaultProxy(target: Address): Promise<FaultProxy> {
  const pairs = new Set<Pair>()
  const state: State = { isSilent: false, delayMs: 0 }
  const settle = (pair: Pair) => {
    if (!pair.isBroken || state.isSilent) return
    pairs.delete(pair)
    for (const socket of pair.sockets) socket.destroy()
  }
  const server = await listenTcp((near) => {
    const far = connect({ ...target, allowHalfOpen: true, noDelay: true })
    const pair: Pair = { sockets: [near, far], isBroken: false }
    pairs.add(pair)
    const end = () => {
      pair.isBroken = true
      settle(pair)
    }
    for (const socket of pair.sockets) socket.on('error', end).once('close', end)
    pass(near, far, state)
    pass(far, near, state)
    if (state.isSilent) for (const socket of pair.sockets) socket.pause()
  })
  const cut = () => {
    for (const { sockets } of pairs) for (const socket of sockets) socket.resetAndDestroy()
  }
  return {
    port: server.port,
    get connections() {
      return pairs.size
    },
    blackHole: () => {
      state.isSilent = true
      for (const { sockets } of pairs) for (const socket of sockets) socket.pause()
    },
    heal: () => {
      state.isSilent = false
      for (const { sockets } of pairs) for (const socket of sockets) socket.resume()
      for (const pair of [...pairs]) settle(pair)
    },
    cut,
    delay: (ms) => {
      state.delayMs = ms
    },
    close: async () => {
      state.isSilent = false
      cut()
      await server.close()
    },
  }
}

/** Keeps the order, however the delay changes meanwhile: a timer releases the oldest waiting bytes, not its own. */
function pass(source: Socket, sink: Socket, state: State): void {
  const waiting: (() => void)[] = []
  const later = (deliver: () => void) => {
    if (state.delayMs === 0 && waiting.length === 0) return deliver()
    waiting.push(deliver)
    systemClock.after(state.delayMs, () => waiting.shift()?.(), { background: true })
  }
  source.on('data', (chunk: Buffer) => later(() => void (sink.writable && sink.write(chunk))))
  source.on('end', () => later(() => sink.end()))
}
