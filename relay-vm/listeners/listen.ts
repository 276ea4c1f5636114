/** Opening and closing server sockets with errors that say which port and why. */
import { once } from 'node:events'
import { connect, type Server } from 'node:net'
import { systemClock } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'
import { listenPrivately } from '@porttunneler/shared/base/private-files'
import { sayListenError } from '@porttunneler/shared/base/system-errors'

/** A burst of visitors while the loop is busy waits in the kernel and is not refused (net.core.somaxconn caps it). */
const backlog = 4_096

/** A listener of this machine answers at once, unless a packet filter swallows it. */
const answerMs = 1_000

/** Under a flood the queue never is empty. */
const acceptTurnsMax = 2 * backlog

/** What a turn takes that has nothing to do; twice as much will do after each `patientTurns` longer ones. */
const shortTurnMs = 0.05
const patientTurns = 8

export type ListenAt = {
  readonly host: string
  readonly port: number
  /** Absent: nobody else may listen there. */
  readonly sharing?: PortSharing | undefined
}

/** Other processes of this user listen there too, and the kernel spreads the visitors (SO_REUSEPORT). */
export type PortSharing = {
  /** None of those that may is there: whoever has the port is a stranger, who must not get half of the visitors. */
  isAlone(): Promise<boolean>
}

/**
 * Listens, and logs what goes wrong with accepting later.
 * @returns the port that was got, which matters when 0 was asked
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

/** By asking, not by taking it: others who may have the port may be opening it at this moment. @throws relay.port */
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

/** The same at a Unix socket. @throws relay.port */
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
 * Stops listening as soon as nobody waits to be accepted, because the kernel resets who does. Node accepts one
 * connection in each turn of its loop: a whole turn without one means that none was there when the turn looked. Whoever
 * comes while that turn has other things to do is reset all the same, so it has to be a short one.
 */
export function closeWhenEmpty(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let turns = 0
  let begunMs = systemClock.monotonic()
  // Nothing is known about the turn in which it is called.
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
