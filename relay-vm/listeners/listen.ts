/** Opens and closes server sockets, with errors that say which port and why. */
import { once } from 'node:events'
import { connect, type Server } from 'node:net'
import { systemClock } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'
import { listenPrivately } from '@porttunneler/shared/base/private-files'
import { sayListenError } from '@porttunneler/shared/base/system-errors'

/** When the loop is busy, a burst of visitors waits in the kernel and is not refused (net.core.somaxconn caps it). */
const backlog = 4_096

/** A listener of this machine answers at once, unless a packet filter swallows it. */
const answerMs = 1_000

/** Under a flood the queue is never empty. */
const acceptTurnsMax = 2 * backlog

/** How long a turn takes that has nothing to do. Twice as long is accepted after each `patientTurns` longer turns. */
const shortTurnMs = 0.05
const patientTurns = 8

export type ListenAt = {
  readonly host: string
  readonly port: number
  /** undefined: nobody else may listen there. */
  readonly sharing?: PortSharing | undefined
}

/** Other processes of this user listen there too, and the kernel spreads the visitors (SO_REUSEPORT). */
export type PortSharing = {
  /**
   * Whether none of the permitted processes is there: then the port is a stranger's, who must not get half of the
   * visitors.
   */
  isAlone(): Promise<boolean>
}

/**
 * Listens, and logs later failures to accept.
 * @returns the port that it got, which matters when 0 was requested
 * @throws relay.port
 */
export async function listen(
  server: Server,
  { host, port, sharing, log }: ListenAt & { readonly log: Log },
): Promise<number> {
  if (port !== 0 && (await sharing?.isAlone())) await refuseStranger({ host, port })
  server.listen({ host, port, backlog, exclusive: true, reusePort: sharing !== undefined })
  await listening(server, `${host}:${port}`)
  server.on('error', (error) => log.error({ host, port, error }, 'A listener failed to accept a connection'))
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : port
}

/**
 * It connects instead of binding, because permitted processes may be opening the port at this moment. @throws
 * relay.port
 */
async function refuseStranger({
  host,
  port,
}: {
  readonly host: string
  readonly port: number
}): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect({ host, port, timeout: answerMs })
  socket.once('connect', () => resolve(true))
  for (const event of ['error', 'timeout']) socket.once(event, () => resolve(false))
  const isTaken = await promise
  socket.destroy()
  if (isTaken)
    throw fail(
      'relay.port',
      `${host}:${port} is another program's (EADDRINUSE): stop it, or choose another port`,
    )
}

/** `listen` at a Unix socket. @throws relay.port */
export async function listenAt(server: Server, path: string, log: Log): Promise<void> {
  listenPrivately(() => server.listen({ path, backlog }))
  await listening(server, path)
  server.on('error', (error) => log.error({ path, error }, 'A listener failed to accept a connection'))
}

async function listening(server: Server, at: string): Promise<void> {
  try {
    await once(server, 'listening')
  } catch (cause) {
    throw fail('relay.port', `${at} cannot be listened on${sayListenError(cause)}`, { cause })
  }
}

/**
 * Stops listening as soon as nobody waits to be accepted, because the kernel resets waiting connections. Node accepts
 * one connection in each turn of its loop: a whole turn without one means that none was there when the turn looked. A
 * visitor that comes while that turn does other work is still reset, so the turn has to be a short one.
 */
export function closeWhenEmpty(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let turns = 0
  let begunMs = systemClock.monotonic()
  // Nothing is known about the turn in which this is called.
  let isEmpty = false
  const onConnection = () => {
    isEmpty = false
  }
  const look = () => {
    const nowMs = systemClock.monotonic()
    const isShort = nowMs - begunMs <= shortTurnMs * 2 ** Math.floor(turns / patientTurns)
    if ((isEmpty && isShort) || ++turns > acceptTurnsMax) {
      server.off('connection', onConnection)
      closeServer(server)
      resolve()
      return
    }
    isEmpty = true
    begunMs = nowMs
    setImmediate(look)
  }
  server.on('connection', onConnection)
  setImmediate(look)
  return promise
}

/** Stops listening. Connections that are open go on: they belong to others. */
export function closeServer(server: Server): void {
  if (server.listening) server.close()
}
