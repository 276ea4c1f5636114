/** Bytes gathered during a turn for one write to one socket. */
import type { Writable } from 'node:stream'
import type { Slab, Slabs } from './slab.ts'

/** A part of a slab that its holder extends while nobody else takes from it. */
type Run = { readonly slab: Slab; readonly start: number; end: number }

export class Gather {
  readonly #slabs: Slabs
  /** One, unless somebody else took from the slab in between. */
  readonly #runs: Run[] = []
  /** What each write that the socket has not finished with lies in, in order. */
  readonly #writing: (Slab | undefined)[] = []

  constructor(slabs: Slabs) {
    this.#slabs = slabs
  }

  get isEmpty(): boolean {
    return this.#runs.length === 0
  }

  /** Room for `bytes` behind what is gathered; answers where it starts in the slabs' current one. */
  take(bytes: number): number {
    const slabs = this.#slabs
    const start = slabs.take(bytes)
    const last = this.#runs.at(-1)
    if (last && last.slab === slabs.current && last.end === start) last.end += bytes
    else {
      slabs.current.hold()
      this.#runs.push({ slab: slabs.current, start, end: start + bytes })
    }
    return start
  }

  /** Writes it all; answers the bytes. */
  writeTo(socket: Writable): number {
    const runs = this.#runs
    let bytes = 0
    if (runs.length > 1) socket.cork()
    for (const { slab, start, end } of runs) {
      bytes += end - start
      const part = slab.buffer.subarray(start, end)
      // A peer that does not read must not keep whole slabs for the little it is sent.
      const isCopied = this.#slabs.isTight
      this.#writing.push(isCopied ? undefined : slab)
      socket.write(isCopied ? Buffer.from(part) : part, this.#onWritten)
      if (isCopied) slab.release()
    }
    if (runs.length > 1) socket.uncork()
    runs.length = 0
    return bytes
  }

  /** Forgets what was gathered; answers the bytes. */
  drop(): number {
    let bytes = 0
    for (const { slab, start, end } of this.#runs.splice(0)) {
      bytes += end - start
      slab.release()
    }
    return bytes
  }

  /** The socket is done with its oldest write, in one way or the other. */
  readonly #onWritten = (): void => this.#writing.shift()?.release()
}
