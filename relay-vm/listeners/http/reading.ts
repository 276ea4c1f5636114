/** Whether a visitor's socket is read, and whether its end is one that the visitor meant. */
import type { Socket } from 'node:net'
import type { Clock } from '@porttunneler/shared/base/clock'
import { type Hearing, hearOut } from '@porttunneler/shared/mux/last-words'
import { Reading } from '@porttunneler/shared/mux/reading'
import type { Turn } from '@porttunneler/shared/mux/turn'

export class VisitorReading extends Reading {
  readonly #hearing: Hearing

  /** The socket stays paused until `goOn`. */
  constructor(socket: Socket, { turn, clock }: { readonly turn: Turn; readonly clock: Clock }) {
    super(socket, turn)
    this.#hearing = hearOut(socket, clock)
    socket.pause()
  }

  /** An end that is read now is that of a reset. */
  get isCutShort(): boolean {
    return this.#hearing.isCutShort
  }
}
