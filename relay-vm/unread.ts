/**
 * Visitors that are gone while their sockets are not read. Node watches a socket only while it reads it or has bytes
 * to write: a reset, or the silence that TCP keep-alive found, goes unnoticed once the visitor has half-closed or while
 * the upstream takes nothing. Such a visitor would keep its place, and its connection at the upstream, for as long as
 * the upstream is silent. Writing no bytes sends nothing and fails when the connection is broken.
 */
import type { Socket } from 'node:net'

const nothing = Buffer.alloc(0)

export class Unread {
  /** By the TCP socket: what reads it, where that is a TLS socket. */
  readonly #readers = new WeakMap<Socket, Socket>()
  /** What was not read at the last look, with the bytes read until then. */
  #unread: ReadonlyMap<Socket, number> = new Map()

  /** `tls` reads all that comes from `raw`. */
  readBy(raw: Socket, tls: Socket): void {
    this.#readers.set(raw, tls)
  }

  /** Asks the kernel about each of `sockets` that was not read since the last look. A broken one fails and closes. */
  look(sockets: Iterable<Socket>): void {
    const before = this.#unread
    const now = new Map<Socket, number>()
    for (const raw of sockets) {
      const socket = this.#readers.get(raw) ?? raw
      // With bytes to write it is watched.
      const isWatched = !(socket.isPaused() || socket.readableEnded) || socket.writableLength > 0
      if (isWatched || !raw.writable) continue
      now.set(raw, socket.bytesRead)
      // TLS passes nothing on when it gets nothing, so this goes to the socket below it.
      if (before.get(raw) === socket.bytesRead) raw.write(nothing)
    }
    this.#unread = now
  }
}
