/** Ports that are free now, for servers that must come back at the same ones after a restart. */
import { type AddressInfo, createServer, type Server } from 'node:net'

/** They differ from each other. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => listen(0)))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => close(server)))
  return ports
}

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
