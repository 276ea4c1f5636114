/** Ports that are free now, for servers that must come back at the same ones after a restart. */
import { type AddressInfo, createServer, type Server } from 'node:net'

/** Different from each other. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => listen(0)))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => close(server)))
  return ports
}

/** A run of neighbouring ports outside the range that the system itself takes outgoing ports from. */
export async function freeRange(size: number): Promise<{ readonly from: number; readonly to: number }> {
  for (let from = 20_000 + ((process.pid * 64) % 8_000); from + size < 32_000; from += size) {
    const servers = await Promise.allSettled(Array.from({ length: size }, (_, index) => listen(from + index)))
    const open = servers.flatMap((server) => (server.status === 'fulfilled' ? [server.value] : []))
    await Promise.all(open.map((server) => close(server)))
    if (open.length === size) return { from, to: from + size - 1 }
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
