/**
 * Where ptunctl reaches a running server: a socket in its data folder, which only the server's own user can open. One
 * order for each connection, JSON both ways. So acts run in the server's own process, whose caches and bus know of them
 * at once, and the database has one writer.
 */
import { rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { relative } from 'node:path'
import { fail, isFailure, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'
import { listenPrivately } from '@porttunneler/shared/base/private-files'
import type { Office } from '@porttunneler/shared/control/operator/act'
import { runAct } from '@porttunneler/shared/control/operator/acts'
import type { DataFolder } from './data-folder.ts'

/** Far larger than any order. */
const orderBytesMax = 64 * 1024
/** The size of sun_path on Linux and macOS, less the end mark. */
const pathBytesMax = 103
/** An order arrives whole at once; an act may make tens of thousands of ports. */
const idleMs = 60_000

/** The shorter path to the socket: relative, or from the root. */
export function socketPath(data: string): string {
  const path = `${data}/ptunctl.sock`
  const short = relative(process.cwd(), path)
  return short.length < path.length ? short : path
}

/** @returns how to end it. A path too long for a socket is logged and does not stop the start. */
export async function openOfficeSocket(
  office: Office,
  { folder, log }: { readonly folder: Pick<DataFolder, 'path'>; readonly log: Log },
): Promise<() => Promise<void>> {
  const path = socketPath(folder.path)
  if (Buffer.byteLength(path) > pathBytesMax) {
    log.warn({ path }, 'ptunctl cannot reach this server while it runs: the path of its socket is too long')
    return async () => {}
  }
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.setTimeout(idleMs, () => socket.destroy())
    // A client that leaves in the middle does not see the end.
    socket.on('error', () => socket.destroy())
    serve(office, socket, log).catch((error: unknown) => {
      log.error({ error }, 'an order of ptunctl failed')
      socket.destroy()
    })
  })
  // The folder's lock is ours, so a server that was killed left this.
  rmSync(path, { force: true })
  const listening = Promise.withResolvers<void>()
  server.once('error', listening.reject)
  listenPrivately(() => server.listen(path, listening.resolve))
  try {
    await listening.promise
  } catch (error) {
    log.warn({ error, path }, 'ptunctl cannot reach this server while it runs')
    return async () => {}
  }
  return async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  }
}

async function serve(office: Office, socket: Socket, log: Log): Promise<void> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > orderBytesMax) throw fail('operator.input', 'The order is too large.')
  }
  socket.end(JSON.stringify(await answer(office, Buffer.concat(chunks).toString(), log)))
}

async function answer(office: Office, text: string, log: Log): Promise<object> {
  try {
    return { result: await runAct(office, parse(text)) }
  } catch (error) {
    if (isFailure(error)) return { failure: toFailure(error) }
    log.error({ error }, 'an order of ptunctl failed')
    return { failure: toFailure(fail('api.internal')) }
  }
}

function toFailure({ code, detail }: PortTunnelerError) {
  return { code, detail }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw fail('operator.input', 'The order is not JSON.')
  }
}
