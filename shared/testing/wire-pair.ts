/** Two ends of an in-memory connection: bytes arrive in order, cut at random, one turn of the loop later. */
import { Duplex } from 'node:stream'

export type WirePair = {
  readonly a: Duplex
  readonly b: Duplex
  /** Bytes written from now on vanish, as on a path without RST. */
  blackHole(): void
}

export function wirePair(random: () => number = () => 0.5): WirePair {
  let isBlack = false
  const ends: Duplex[] = []
  const make = (other: () => Duplex): Duplex =>
    new Duplex({
      allowHalfOpen: false,
      read() {},
      write(written: Buffer, _encoding, done) {
        // After `done`, the memory belongs to the writer again.
        const chunk = Buffer.from(written)
        setImmediate(() => {
          if (!isBlack && !other().destroyed) {
            const cut = 1 + Math.floor(random() * chunk.length)
            other().push(chunk.subarray(0, cut))
            if (cut < chunk.length) other().push(chunk.subarray(cut))
          }
          done()
        })
      },
      final(done) {
        setImmediate(() => {
          if (!isBlack && !other().destroyed) other().push(null)
          done()
        })
      },
      destroy(error, done) {
        setImmediate(() => {
          if (!isBlack && !other().destroyed) other().destroy()
          done(error)
        })
      },
    })
  const a = make(() => ends[1] as Duplex)
  const b = make(() => ends[0] as Duplex)
  ends.push(a, b)
  return {
    a,
    b,
    blackHole() {
      isBlack = true
    },
  }
}

/** A seeded random number generator (mulberry32), uniform in [0, 1): its seed repeats a failing run. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
