/** Reads a visitor's socket, says whether it is being read, and whether its end is one that the visitor meant. */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Clock } from '@porttunneler/shared/base/clock'
import { type Hearing, hearOut } from '@porttunneler/shared/mux/last-words'
import { type LetGo, readInto } from '@porttunneler/shared/mux/read-into'
import { type Reader, Reading } from '@porttunneler/shared/mux/reading'
import type { JointWork } from '@porttunneler/shared/mux/work-share'
import type { HttpVisitorDeps, HttpVisitorOptions } from './deps.ts'

export class VisitorReading extends Reading {
  readonly #socket: Socket
  readonly #hearing: Hearing
  readonly #clock: Clock
  readonly #work: JointWork | undefined
  #letGo: LetGo = () => {}

  /** The socket stays paused until `goOn`. */
  constructor(visitor: HttpVisitorOptions, deps: Pick<HttpVisitorDeps, 'turn' | 'clock' | 'work'>) {
    const { socket } = visitor
    super(socket, deps.turn)
    this.#socket = socket
    this.#clock = deps.clock
    this.#hearing = hearOut(socket, deps.clock)
    this.#work = deps.work?.(visitor, this)
    if (this.#work) socket.once('close', () => this.#work?.close())
    socket.pause()
  }

  /** Begins to read. */
  start(reader: Reader): void {
    const socket = this.#socket
    const onBytes = (bytes: Buffer) => {
      const startMs = this.#work ? this.#clock.monotonic() : 0
      reader.onBytes(bytes)
      this.#work?.read(startMs, bytes.length)
    }
    const counted = { onBytes }
    const take = (bytes: Buffer) => this.pass(bytes, counted)
    this.#letGo = readInto(socket, socket instanceof TLSSocket ? 'visitorTls' : 'raw', take)
    this.goOn()
  }

  override detach(): void {
    super.detach()
    this.#letGo()
  }

  /** Whether an end that is read now comes from a reset. */
  get isCutShort(): boolean {
    return this.#hearing.isCutShort
  }
}
