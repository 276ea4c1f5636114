/** Ports that are free now, for servers whose port must be known before they listen, and for ports without one. */
import { createServer, type Server } from 'node:net'

/** Below the range that the system uses for outgoing ports. */
const ranges = { from: 20_000, size: 64, count: 187, locksFrom: 19_800 }

/**
 * 64 neighbouring ports for this process alone. A server opens the ports of its range one by one, so free ports prove
 * little; a listener that stays shows whose the range is.
 */
export async function freeRange(): Promise<{ readonly from: number; readonly to: number }> {
  const { size, count } = ranges
  for (let tried = 0; tried < count; tried++) {
    const index = (process.pid + tried) % count
    const lock = await listen(ranges.locksFrom + index).catch(() => undefined)
    if (!lock) continue
    lock.unref()
    const from = ranges.from + index * size
    const ports = await Promise.allSettled(Array.from({ length: size }, (_, at) => listen(from + at)))
    const open = ports.flatMap((port) => (port.status === 'fulfilled' ? [port.value] : []))
    await Promise.all(open.map((port) => close(port)))
    if (open.length === size) return { from, to: from + size - 1 }
    await close(lock)
  }
  throw new Error(`no ${size} neighbouring ports are free`)
}

/** Ports of this process's own ranges that no call has given away. */
let rest: readonly number[] = []

/**
 * They differ from each other, and nobody gets one before a program listens on it: a port that the system chose could
 * be chosen again for somebody's connection.
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  while (rest.length < count) {
    const { from, to } = await freeRange()
    rest = [...rest, ...Array.from({ length: to - from + 1 }, (_, at) => from + at)]
  }
  const given = rest.slice(0, count)
  rest = rest.slice(count)
  return given
}

/** One of `freePorts`. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1)
  return port as number
}

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
  })
}
