/** Bytes gathered during a turn for one write to one socket. */
import type { Writable } from 'node:stream'
import { mayJoin, SmallBytes } from './pieces.ts'
import type { Slab, Slabs } from './slab.ts'

/** A part of a slab that its holder extends while nobody else reserves room in it. */
type Run = { readonly slab: Slab; readonly start: number; end: number }

export class Gather {
  readonly #slabs: Slabs
  /** The run that grows. */
  #run: Run | undefined
  /** Those before it: there are some only when another writer reserved room in between. */
  #earlier: Run[] | undefined
  /** The slab of each write that the socket has not finished, in order. */
  readonly #writing: (Slab | undefined)[] = []
  /** Bytes too few for a write of their own while the socket is full. Made when first needed. */
  #held: SmallBytes | undefined

  constructor(slabs: Slabs) {
    this.#slabs = slabs
  }

  get isEmpty(): boolean {
    return this.#run === undefined
  }

  /** Reserves room for `bytes` after what is gathered. @returns where it starts in the slabs' current one */
  take(bytes: number): number {
    const slabs = this.#slabs
    const start = slabs.take(bytes)
    const last = this.#run
    if (last && last.slab === slabs.current && last.end === start) last.end += bytes
    else {
      slabs.current.hold()
      if (last) this.#earlier = [...(this.#earlier ?? []), last]
      this.#run = { slab: slabs.current, start, end: start + bytes }
    }
    return start
  }

  /**
   * Writes everything, or keeps it until `writeHeld` if it is little and the socket is full. Each write that a full
   * socket keeps costs hundreds of bytes, and a peer that does not read decides how many there are.
   * @returns the bytes
   */
  writeTo(socket: Writable): number {
    if (socket.writableNeedDrain) {
      const held = this.#hold()
      if (held > 0) return held
    }
    if (this.#held) this.writeHeld(socket)
    const last = this.#run
    const earlier = this.#earlier
    this.#run = this.#earlier = undefined
    if (!last) return 0
    if (!earlier) return this.#write(socket, last)
    socket.cork()
    let bytes = 0
    for (const run of earlier) bytes += this.#write(socket, run)
    bytes += this.#write(socket, last)
    socket.uncork()
    return bytes
  }

  /** @returns the bytes */
  #write(socket: Writable, { slab, start, end }: Run): number {
    const part = slab.buffer.subarray(start, end)
    // A peer that does not read must not keep whole slabs for a few bytes.
    const isCopied = this.#slabs.isTight
    this.#writing.push(isCopied ? undefined : slab)
    socket.write(isCopied ? Buffer.from(part) : part, this.#onWritten)
    if (isCopied) slab.release()
    return end - start
  }

  /** Writes the kept bytes: the socket has drained, or is to end. */
  writeHeld(socket: Writable): void {
    const held = this.#held?.take()
    this.#held = undefined
    if (!held) return
    this.#writing.push(undefined)
    socket.write(held, this.#onWritten)
  }

  /** Forgets what was gathered. @returns the bytes since the last `writeTo` */
  drop(): number {
    let bytes = 0
    this.#held = undefined
    for (const { slab, start, end } of this.#takeRuns()) {
      bytes += end - start
      slab.release()
    }
    return bytes
  }

  #takeRuns(): readonly Run[] {
    const runs = [...(this.#earlier ?? []), ...(this.#run ? [this.#run] : [])]
    this.#run = this.#earlier = undefined
    return runs
  }

  /** @returns the bytes that are kept; 0: they are worth a write of their own */
  #hold(): number {
    let bytes = this.#run ? this.#run.end - this.#run.start : 0
    for (const { start, end } of this.#earlier ?? []) bytes += end - start
    if (!mayJoin(this.#held?.length ?? 0, bytes)) return 0
    this.#held ??= new SmallBytes()
    for (const { slab, start, end } of this.#takeRuns()) {
      this.#held.add(slab.buffer.subarray(start, end))
      slab.release()
    }
    return bytes
  }

  /** The socket has finished its oldest write, with success or without. */
  readonly #onWritten = (): void => this.#writing.shift()?.release()
}
