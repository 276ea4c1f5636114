/** Reads a visitor's socket, says whether it is being read, and whether its end is one that the visitor meant. */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Clock } from '@porttunneler/shared/base/clock'
import { type Hearing, hearOut } from '@porttunneler/shared/mux/last-words'
import { type LetGo, readInto } from '@porttunneler/shared/mux/read-into'
import { Reading } from '@porttunneler/shared/mux/reading'
import type { Turn } from '@porttunneler/shared/mux/turn'

export class VisitorReading extends Reading {
  readonly #socket: Socket
  readonly #hearing: Hearing
  #letGo: LetGo = () => {}

  /** The socket stays paused until `goOn`. */
  constructor(socket: Socket, { turn, clock }: { readonly turn: Turn; readonly clock: Clock }) {
    super(socket, turn)
    this.#socket = socket
    this.#hearing = hearOut(socket, clock)
    socket.pause()
  }

  /** Begins to read. `onBytes` gets bytes that are valid only until it returns. */
  start(onBytes: (bytes: Buffer) => void): void {
    const socket = this.#socket
    const take = (bytes: Buffer) => {
      this.took(bytes.length)
      onBytes(bytes)
    }
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
