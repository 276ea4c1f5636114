/**
 * The visitors of one agent: all kinds at once, each checking every byte it gets. The pace of each is limited, so that
 * the machine stays about half idle and its limit is not what is measured.
 */
import { createHash } from 'node:crypto'
import { Agent as ConnectionPool, type IncomingMessage, request } from 'node:http'
import type { Socket } from 'node:net'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { Transfer } from '../chaos/transfers.ts'
import { within } from '../harness/events.ts'
import { type Address, dial, endOf, readBytes, readToEnd } from '../harness/sockets.ts'
import { receiveHashed, sendHashed } from '../harness/transfer.ts'
import { knownBytes, knownSha256, page } from './known.ts'
import { type Kind, type Ledger, type Side, WrongBytes } from './ledger.ts'

export type Doors = {
  readonly echo: Address
  readonly source: Address
  readonly sink: Address
  readonly web: Address & { readonly name: string }
}

type Crowd = {
  readonly kind: Kind
  readonly visitors: number
  readonly pauseMs: number
  visit(): Promise<number>
}

/** The pause after a failed visit. */
const pauseMs = 300
const wholeSha256 = knownSha256(knownBytes)
const uploadBytes = 4 * 1024 ** 2
const pingsOfIdle = 6
const pingEveryMs = 15_000
/** A slow reader takes this much, half a second after the last. */
const sipBytes = 32 * 1024
const sips = 60

/**
 * A request and the end of its kept connection crossed. One that waits longer is cut. While the machine lets this
 * process wait, it can hear no end, so time is counted in turns of its loop.
 */
class Crossed extends Error {}
const turnMs = 50
const crossedTurns = 20
const cutOf = (cause: Error, isKept: boolean, turns: number) =>
  new Error(`${cause} on a ${isKept ? 'kept' : 'new'} connection, ${turns} turns of ${turnMs} ms`, { cause })

export class Load {
  readonly #doors: Doors
  readonly #random: () => number
  readonly #pool = new ConnectionPool({ keepAlive: true, maxSockets: 8 })
  readonly #over = new AbortController()
  readonly #running: Promise<unknown>
  readonly #sockets = new Set<Socket>()
  #turn = 0
  readonly #sinceMs = systemClock.monotonic()
  readonly #turns = systemClock.every(turnMs, () => {
    this.#turn += 1
  })

  constructor(side: Side, { doors, ledger, random }: { doors: Doors; ledger: Ledger; random: () => number }) {
    this.#doors = doors
    this.#random = random
    this.#running = Promise.all(
      this.#crowds().flatMap((crowd) =>
        Array.from({ length: crowd.visitors }, () => this.#come(side, crowd, ledger)),
      ),
    )
  }

  /** How many of the turns that were due the loop of this process has had, 0 to 1. */
  get turnShare(): number {
    return (this.#turn * turnMs) / (systemClock.monotonic() - this.#sinceMs)
  }

  /**
   * No new visitors come, and the connected ones leave, transfers when they are whole; what they see of it is not
   * noted.
   */
  async stop(): Promise<void> {
    this.#over.abort()
    for (const socket of this.#sockets) socket.destroy(new Error('told to go'))
    this.#pool.destroy()
    await this.#running
    this.#turns.clear()
    // A request that began meanwhile has left its connection in the pool.
    this.#pool.destroy()
  }

  #crowds(): readonly Crowd[] {
    return [
      { kind: 'transfer', visitors: 4, pauseMs: 100, visit: () => this.#transfer() },
      { kind: 'download', visitors: 1, pauseMs: 3_000, visit: () => this.#download() },
      { kind: 'upload', visitors: 1, pauseMs: 3_000, visit: () => this.#upload() },
      { kind: 'web', visitors: 8, pauseMs: 60, visit: () => this.#web() },
      { kind: 'idle', visitors: 24, pauseMs: 100, visit: () => this.#idle() },
      { kind: 'short', visitors: 2, pauseMs: 120, visit: () => this.#short() },
      { kind: 'slow', visitors: 2, pauseMs: 500, visit: () => this.#slow() },
    ]
  }

  async #come(side: Side, crowd: Crowd, ledger: Ledger): Promise<void> {
    await this.#pause(this.#random() * 1_000)
    while (!this.#over.signal.aborted) {
      const isWhole = await ledger.note(side, crowd.kind, async () => {
        try {
          return await crowd.visit()
        } catch (error) {
          // A visitor that was told to leave was not cut.
          if (this.#over.signal.aborted && !(error instanceof WrongBytes)) return 0
          throw error
        }
      })
      await this.#pause(isWhole ? crowd.pauseMs * (0.5 + this.#random()) : pauseMs)
    }
  }

  #pause(ms: number): Promise<void> {
    return sleep(systemClock, ms, this.#over.signal).catch(() => undefined)
  }

  /** Both ways at once and at a steady pace, for 5 to 15 s. */
  async #transfer(): Promise<number> {
    const bytes = (5 + Math.floor(10 * this.#random())) * 1_024 ** 2
    const shape = { bytes, chunkBytes: 32_768, everyMs: 30, seed: Math.floor(this.#random() * 2 ** 31) }
    const transfer = await Transfer.start(this.#doors.echo, shape)
    await transfer.done.catch((error: unknown) => {
      if (String(error).includes('other bytes')) throw new WrongBytes(String(error))
      throw error
    })
    return 2 * bytes
  }

  async #download(): Promise<number> {
    const { sha256, bytes } = await this.#with(this.#doors.source, (socket) => receiveHashed(socket))
    if (bytes !== knownBytes) throw new Error(`ended after ${bytes} bytes`)
    if (sha256 !== wholeSha256) throw new WrongBytes('a download of other bytes')
    return bytes
  }

  async #upload(): Promise<number> {
    await this.#with(this.#doors.sink, async (socket) => {
      const answer = readToEnd(socket)
      answer.catch(() => undefined)
      const sent = await sendHashed(socket, { bytes: uploadBytes, seed: 9 })
      const taken = (await answer).toString()
      if (taken === '') throw new Error('ended without an answer')
      if (taken !== sent) throw new WrongBytes('an upload of other bytes')
    })
    return uploadBytes
  }

  /**
   * Every client asks again where a kept connection ends just as it sends its request (RFC 9112, section 9.3.1), on a
   * new connection: nothing excuses the end of that.
   */
  async #web(): Promise<number> {
    try {
      return await this.#ask(this.#pool)
    } catch (error) {
      if (!(error instanceof Crossed) || this.#over.signal.aborted) throw error
      return await this.#ask(false)
    }
  }

  async #ask(agent: ConnectionPool | false): Promise<number> {
    const { host, port, name } = this.#doors.web
    const turn = this.#turn
    const asked = new Promise<IncomingMessage>((resolve, reject) => {
      const asking = request({ host, port, headers: { host: name }, agent }, resolve)
      asking
        .once('error', (error) => {
          const turns = this.#turn - turn
          const isCrossed = asking.reusedSocket && turns < crossedTurns
          reject(
            isCrossed
              ? new Crossed(String(error), { cause: error })
              : cutOf(error, asking.reusedSocket, turns),
          )
        })
        .end()
    })
    const answer = await within(asked, 'a web page')
    const chunks: Buffer[] = []
    for await (const chunk of answer) chunks.push(chunk)
    const body = Buffer.concat(chunks)
    if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${body.toString().slice(0, 200)}`)
    if (!body.equals(page)) throw new WrongBytes(`a page of ${body.length} other bytes`)
    return body.length
  }

  /** Like a WebSocket that sends something now and then, for a minute and a half. */
  #idle(): Promise<number> {
    return this.#with(this.#doors.echo, async (socket) => {
      for (let ping = 0; ping < pingsOfIdle && !this.#over.signal.aborted; ping++) {
        await this.#echo(socket, 32)
        await this.#untilGone(socket, pingEveryMs * (0.5 + this.#random()))
      }
      return 64 * pingsOfIdle
    })
  }

  #short(): Promise<number> {
    return this.#with(this.#doors.echo, async (socket) => {
      await this.#echo(socket, 512)
      const ended = endOf(socket)
      socket.end()
      if ((await ended) === 'reset') throw new Error('reset at its end')
      return 1_024
    })
  }

  /** Leaves in the middle, as people do. */
  #slow(): Promise<number> {
    return this.#with(this.#doors.source, async (socket) => {
      const hash = createHash('sha256')
      let bytes = 0
      for (let sip = 0; sip < sips && !this.#over.signal.aborted; sip++) {
        const taken = await readBytes(socket, sipBytes)
        hash.update(taken)
        bytes += taken.length
        await this.#untilGone(socket, 500)
      }
      if (hash.digest('hex') !== knownSha256(bytes)) throw new WrongBytes('a slow reader got other bytes')
      return bytes
    })
  }

  async #echo(socket: Socket, bytes: number): Promise<void> {
    const said = Buffer.alloc(bytes, Math.floor(this.#random() * 256))
    const echoed = readBytes(socket, bytes)
    socket.write(said)
    if (!(await within(echoed, 'an echo')).equals(said)) throw new WrongBytes('another echo')
  }

  /** A connection of its own, closed when `use` is over. */
  async #with<T>(address: Address, use: (socket: Socket) => Promise<T>): Promise<T> {
    const socket = await dial(address)
    this.#sockets.add(socket)
    socket.on('error', () => undefined)
    try {
      return await use(socket)
    } finally {
      this.#sockets.delete(socket)
      socket.destroy()
    }
  }

  async #untilGone(socket: Socket, ms: number): Promise<void> {
    await this.#pause(ms)
    if (socket.destroyed) throw new Error('cut while it was idle')
  }
}
