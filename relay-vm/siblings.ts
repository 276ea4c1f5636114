/**
 * The relay processes of one machine that share the visitors' ports. The kernel gives a visitor to any of them. A
 * process without a session for its endpoint (it has just started, or the agent lost that one connection) asks the
 * others at that moment and hands the visitor to the first that has one. They keep no common state: they are asked over
 * Unix sockets in one folder, `<instance>.sock`, which only their user can open.
 */
import { mkdir, readdir, rm } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { sourcePath } from '@porttunneler/shared/base/addresses'
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import { isListening } from '@porttunneler/shared/base/is-listening'
import type { Log } from '@porttunneler/shared/base/log'
import { closeToOthers } from '@porttunneler/shared/base/private-files'
import { endBehind, hearOut, resetBehind } from '@porttunneler/shared/mux/last-words'
import { decodeHop, encodeHop, type Hop } from './hop-header.ts'
import { closeServer, listenAt } from './listeners/listen.ts'
import { makePool } from './policy/pools.ts'

export type SiblingsOptions = {
  readonly folder: string
  /** The name of this process. */
  readonly instance: string
  readonly clock: Clock
  readonly log: Log
}

/** What this process does for visitors of the others. */
export type HopService = {
  /** Whether an attached session serves the endpoint here, in the way that the hop asks for. */
  accepts(hop: Hop): boolean
  serve(socket: Socket, hop: Hop): void
}

/** They are on the same machine: one that does not answer within this time hangs, and the visitor should not wait. */
const answerMs = 1_000
/** A restart changes who the others are; visitors who ask for unknown endpoints come by the thousand. */
const latelyMs = 250
/** Running questions; beyond them a visitor gets the answer that it would get from a relay alone. */
const asksMax = 512
/** Hops whose header is not read yet. */
const hopsMax = 1_024
const taken = Buffer.of(1)

export class Siblings {
  readonly #options: SiblingsOptions
  readonly #server: Server
  #service: HopService | undefined
  #lately: Promise<readonly string[]> | undefined
  readonly #asks = makePool<object>('asks', asksMax)
  readonly #hops = makePool<Socket>('hops', hopsMax)

  constructor(options: SiblingsOptions) {
    this.#options = options
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#receive(socket))
  }

  /**
   * Call it before any port is opened: from here on the others know this process, though it declines until it serves.
   * @throws relay.port when another process has its name
   */
  async listen(): Promise<void> {
    const { folder, instance, log } = this.#options
    await mkdir(folder, { recursive: true, mode: 0o700 })
    closeToOthers(folder)
    if (await isListening(this.#path))
      throw fail('relay.port', `Relay ${instance} still runs (EADDRINUSE): stop it first`)
    // A killed process leaves its socket behind.
    await rm(this.#path, { force: true })
    await listenAt(this.#server, this.#path, log)
  }

  /** Lets the others ask. */
  serve(service: HopService): void {
    this.#service = service
  }

  /** Whether nobody is there to share a port with. */
  async isAlone(): Promise<boolean> {
    for (const path of await this.#others()) if (await isListening(path)) return false
    return true
  }

  /** Takes no more hops; those taken go on. */
  close(): void {
    closeServer(this.#server)
  }

  /**
   * Asks the others one after the other for a session at the hop's endpoint. Never rejects.
   * @returns a paused connection to the process that has one: everything written to it reaches the agent
   */
  async find(hop: Hop): Promise<Socket | undefined> {
    const ask = { isGivenUp: false }
    const giveUp = () => {
      ask.isGivenUp = true
    }
    if (this.#asks.add(ask, [...sourcePath(hop.origin.address), hop.endpoint], giveUp) !== undefined)
      return undefined
    try {
      const header = encodeHop(hop)
      this.#lately ??= this.#lookLately()
      for (const path of await this.#lately) {
        if (ask.isGivenUp) return undefined
        const socket = await this.#ask(path, header)
        if (socket !== undefined) return socket
      }
    } catch (error) {
      this.#options.log.error({ error, folder: this.#options.folder }, 'Other processes could not be asked')
    } finally {
      this.#asks.remove(ask)
    }
    return undefined
  }

  get #path(): string {
    return join(this.#options.folder, `${this.#options.instance}.sock`)
  }

  async #lookLately(): Promise<readonly string[]> {
    this.#options.clock.after(latelyMs, () => (this.#lately = undefined), { background: true })
    return await this.#others()
  }

  async #others(): Promise<readonly string[]> {
    const { folder, instance } = this.#options
    const names = await readdir(folder)
    const others = names.filter((name) => name.endsWith('.sock') && name !== `${instance}.sock`)
    return others.map((name) => join(folder, name))
  }

  #ask(path: string, header: Buffer): Promise<Socket | undefined> {
    const { promise, resolve } = Promise.withResolvers<Socket | undefined>()
    const socket = connect({ path, allowHalfOpen: true })
    const timer = this.#options.clock.after(answerMs, () => socket.destroy())
    socket.on('error', () => {
      // 'close' follows: nobody listens there any more, or it declined.
    })
    socket.once('end', () => socket.destroy())
    socket.once('close', () => {
      timer.clear()
      resolve(undefined)
    })
    socket.once('data', (chunk: Buffer) => {
      timer.clear()
      socket.pause().removeAllListeners('end').removeAllListeners('close')
      // The first bytes of an upstream may come in the same read as the consent.
      if (chunk.length > taken.length) socket.unshift(chunk.subarray(taken.length))
      resolve(socket)
    })
    socket.write(header)
    return promise
  }

  #receive(socket: Socket): void {
    const { clock } = this.#options
    socket.on('error', () => {
      // 'close' follows.
    })
    this.#hops.add(socket, [], () => socket.destroy())
    let bytes: Buffer = Buffer.alloc(0)
    const timer = clock.after(answerMs, () => socket.destroy())
    const stop = () => {
      this.#hops.remove(socket)
      timer.clear()
      socket.off('data', onData).off('close', stop)
    }
    const onData = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      const hop = decodeHop(bytes)
      if (hop === 'more') return
      stop()
      this.#take(socket, hop)
    }
    socket.on('data', onData).once('close', stop)
  }

  #take(socket: Socket, hop: Hop | 'malformed'): void {
    if (hop === 'malformed' || !this.#service?.accepts(hop)) {
      socket.destroy()
      return
    }
    // A Unix socket knows no reset: the visitor sees the end of the connection instead.
    socket.resetAndDestroy = () => socket.destroy()
    socket.pause()
    socket.write(taken)
    this.#service.serve(socket, hop)
  }
}

export type JoinOptions = {
  readonly clock: Clock
  /** Bytes that the visitor has sent already. */
  readonly first?: Buffer
  /** The TCP socket below the visitor's TLS. */
  readonly raw?: Socket | undefined
}

/**
 * Joins a visitor and the process that serves it, both paused. Bytes that one side sends before it breaks reach the
 * other.
 */
export function joinSibling(
  visitor: Socket,
  sibling: Socket,
  { clock, first = Buffer.alloc(0), raw }: JoinOptions,
): void {
  hearOut(visitor, clock)
  const hearing = hearOut(sibling, clock)
  if (first.length > 0) sibling.write(first)
  visitor.once('close', () => sibling.destroySoon())
  sibling.once('close', () => {
    visitor.unpipe(sibling)
    if (sibling.readableEnded && !hearing.failure) endBehind(visitor, clock, raw)
    else resetBehind(visitor, clock, raw)
  })
  if (visitor.destroyed) {
    sibling.destroy()
    return
  }
  if (visitor.readableEnded) sibling.end()
  // Each direction passes on its end by itself: both sides are half-open.
  visitor.pipe(sibling)
  sibling.pipe(visitor)
}
