/** Opening and closing server sockets with errors that say which port and why. */
import { once } from 'node:events'
import type { Server } from 'node:net'
import { fail } from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'

/** A burst of visitors while the loop is busy waits in the kernel and is not refused (net.core.somaxconn caps it). */
const backlog = 4_096

/**
 * Listens, and logs what goes wrong with accepting later.
 * @returns the port that was got, which matters when 0 was asked
 * @throws relay.port
 */
export async function listen(
  server: Server,
  { host, port, log }: { readonly host: string; readonly port: number; readonly log: Log },
): Promise<number> {
  try {
    server.listen({ host, port, backlog, exclusive: true })
    await once(server, 'listening')
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : ''
    throw fail('relay.port', `${host}:${port} cannot be listened on${reason}`, { cause })
  }
  server.on('error', (error) => log.error({ host, port, error }, 'A listener failed to accept a connection'))
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : port
}

/** Stops listening. Connections that are open go on: they belong to others. */
export function closeServer(server: Server): void {
  if (server.listening) server.close()
}
