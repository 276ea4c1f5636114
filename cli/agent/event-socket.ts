/**
 * How `ptun logs` follows an agent: each listens on a second Unix socket in its user's runtime folder. Who connects
 * gets the last events, one JSON object a line as with --json, then `log.now`, then what happens. Nothing is written
 * to disk.
 */
import { rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Clock } from '@porttunneler/shared/base/clock'
import { listenPrivately } from '@porttunneler/shared/base/private-files'
import { makePrivateFolder } from '../paths.ts'
import type { AgentEvent } from './events.ts'

export const eventSuffix = '.events'
/** As many lines as a high window has. Single connections are not kept: they would push out everything else. */
const keptMax = 200
/** A reader who is more than this behind is cut off, so that a stopped `ptun logs` costs the agent nothing. */
const behindBytesMax = 1024 * 1024
const readersMax = 8
/** A reader that does not read is not waited for. */
const closeMs = 200

/** An event and when it happened: ISO 8601, as --json writes it. */
export type LoggedEvent = AgentEvent & { readonly at: string }

export class EventSocket {
  readonly #clock: Clock
  readonly #kept: LoggedEvent[] = []
  readonly #readers = new Set<Socket>()
  #server: Server | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Events before it are kept, too. @throws cli.folder, or the system's error */
  async listen(folder: string, pid: number): Promise<void> {
    await makePrivateFolder(folder)
    const path = join(folder, `${pid}${eventSuffix}`)
    // The leftover of a killed process with the same number.
    await rm(path, { force: true })
    const server = createServer((socket) => this.#welcome(socket))
    server.maxConnections = readersMax
    await new Promise<void>((resolve, reject) => {
      server.on('error', reject)
      listenPrivately(() => server.listen(path, resolve))
    })
    server.unref()
    this.#server = server
  }

  take(event: AgentEvent): void {
    const isKept = !event.event.startsWith('connection.')
    if (!isKept && this.#readers.size === 0) return
    const logged = { ...event, at: new Date(this.#clock.now()).toISOString() }
    if (isKept) this.#kept.push(logged)
    if (this.#kept.length > keptMax) this.#kept.shift()
    if (this.#readers.size === 0) return
    const line = `${JSON.stringify(logged)}\n`
    for (const socket of this.#readers) {
      if (socket.writableLength > behindBytesMax) socket.destroy()
      else socket.write(line)
    }
  }

  /** Readers still get the last events. */
  async close(): Promise<void> {
    const server = this.#server
    if (!server) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = this.#clock.after(closeMs, resolve)
    server.close(() => resolve())
    for (const socket of this.#readers) socket.end()
    await promise
    timer.clear()
    for (const socket of this.#readers) socket.destroy()
  }

  #welcome(socket: Socket): void {
    this.#readers.add(socket)
    socket.unref()
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#readers.delete(socket))
    socket.resume()
    socket.write(this.#kept.map((event) => `${JSON.stringify(event)}\n`).join(''))
    socket.write('{"event":"log.now"}\n')
  }
}
