/**
 * Visitors that are gone while their sockets are not read. Node watches a socket only while it reads it or has bytes
 * to write: a reset, or the silence that TCP keep-alive found, goes unnoticed once the visitor has half-closed or while
 * the upstream takes nothing. Such a visitor would keep its place, and its connection at the upstream, for as long as
 * the upstream is silent. Writing no bytes sends nothing and fails when the connection is broken.
 */
import type { Socket } from 'node:net'

const nothing = Buffer.alloc(0)
/** A look costs 3 µs where it asks the kernel, and a relay has 50,000 visitors. */
const looksPerTurn = 1_000

export class Unread {
  /** By the TCP socket: what reads it, where that is a TLS socket. */
  readonly #readers = new WeakMap<Socket, Socket>()
  /** What was not read at the last look, with the bytes read until then. */
  readonly #unread = new WeakMap<Socket, number>()
  /** Those of the present look that have not had their turn. */
  #left: Socket[] = []

  /** `tls` reads all that comes from `raw`. */
  readBy(raw: Socket, tls: Socket): void {
    this.#readers.set(raw, tls)
  }

  /**
   * Asks the kernel about each of `sockets` that was not read since the last look, a share a turn of the loop. A broken
   * one fails and closes. While a look is under way, this does nothing.
   */
  look(sockets: Iterable<Socket>): void {
    if (this.#left.length > 0) return
    this.#left = [...sockets]
    this.#lookAtSome()
  }

  readonly #lookAtSome = (): void => {
    for (const raw of this.#left.splice(-looksPerTurn)) this.#lookAt(raw)
    if (this.#left.length > 0) setImmediate(this.#lookAtSome)
  }

  #lookAt(raw: Socket): void {
    const socket = this.#readers.get(raw) ?? raw
    // With bytes to write it is watched.
    const isWatched = !(socket.isPaused() || socket.readableEnded) || socket.writableLength > 0
    if (isWatched || !raw.writable) {
      this.#unread.delete(raw)
      return
    }
    const { bytesRead } = socket
    // TLS passes nothing on when it gets nothing, so this goes to the socket below it.
    if (this.#unread.get(raw) === bytesRead) raw.write(nothing)
    else this.#unread.set(raw, bytesRead)
  }
}
