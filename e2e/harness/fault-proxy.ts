/**
 * A TCP proxy that can fail as networks do: fall silent without a word (the peers see neither FIN nor RST), cut, or
 * deliver late. Stands between an agent and its relay, or between a visitor and its endpoint.
 */
import { connect, type Socket } from 'node:net'
import { systemClock } from '@porttunneler/shared/base/clock'
import { type Address, listenTcp } from './sockets.ts'

export type FaultProxy = {
  readonly port: number
  /** Connections that go through it now. */
  readonly connections: number
  /** Swallows every byte in both directions, of new connections too, until `heal`. */
  blackHole(): void
  heal(): void
  /** Resets all connections. */
  cut(): void
  /** One way, in ms, for bytes that come from now on. */
  delay(ms: number): void
  close(): Promise<void>
}

export async function startFaultProxy(target: Address): Promise<FaultProxy> {
  const pairs = new Set<readonly [Socket, Socket]>()
  const state = { silent: false, delayMs: 0 }

  const pass = (source: Socket, sink: Socket) => {
    const later = (fn: () => void) => {
      if (state.silent) return
      if (state.delayMs === 0) fn()
      else systemClock.after(state.delayMs, fn, { background: true })
    }
    source.on('data', (chunk: Buffer) => later(() => void (sink.writable && sink.write(chunk))))
    source.on('end', () => later(() => sink.end()))
  }

  const server = await listenTcp((near) => {
    const far = connect({ ...target, allowHalfOpen: true, noDelay: true })
    const pair = [near, far] as const
    pairs.add(pair)
    const end = () => {
      pairs.delete(pair)
      if (!state.silent) for (const socket of pair) socket.destroy()
    }
    for (const socket of pair) {
      socket.on('error', end)
      socket.once('close', end)
    }
    pass(near, far)
    pass(far, near)
  })

  const cut = () => {
    for (const pair of pairs) for (const socket of pair) socket.resetAndDestroy()
  }
  return {
    port: server.port,
    get connections() {
      return pairs.size
    },
    blackHole: () => {
      state.silent = true
    },
    heal: () => {
      state.silent = false
    },
    cut,
    delay: (ms) => {
      state.delayMs = ms
    },
    close: async () => {
      cut()
      await server.close()
    },
  }
}
