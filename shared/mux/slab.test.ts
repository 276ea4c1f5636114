import { describe, expect, test } from 'vitest'
import { type Slab, Slabs } from './slab.ts'

const slabBytes = 256 * 1024

/** Takes and holds, as every user must. */
function take(slabs: Slabs, bytes: number): { slab: Slab; start: number; bytes: Buffer } {
  const start = slabs.take(bytes)
  const slab = slabs.current
  slab.hold()
  return { slab, start, bytes: slab.buffer.subarray(start, start + bytes) }
}

describe('slabs', () => {
  test('held memory is never handed out again', () => {
    const slabs = new Slabs()
    const runs = Array.from({ length: 40 }, (_, index) => {
      const run = take(slabs, 100_000)
      run.bytes.fill(index)
      return run
    })
    for (const [index, run] of runs.entries()) expect(run.bytes.every((byte) => byte === index)).toBe(true)
    expect(slabs.held).toBe(20)
  })

  test('released memory is used again, and the one in use starts over when nobody holds any of it', () => {
    const slabs = new Slabs()
    const runs = Array.from({ length: 10 }, () => take(slabs, slabBytes))
    const memory = new Set(runs.map(({ slab }) => slab))
    for (const { slab } of runs) slab.release()
    expect(slabs.held).toBe(1)
    const again = Array.from({ length: 10 }, () => take(slabs, slabBytes))
    expect(again.every(({ slab }) => memory.has(slab))).toBe(true)
    const last = again.at(-1) as (typeof again)[0]
    last.slab.release()
    expect(take(slabs, 10)).toMatchObject({ slab: last.slab, start: 0 })
  })

  test('4 MiB of free memory are kept for the next rush', () => {
    const slabs = new Slabs()
    const runs = Array.from({ length: 100 }, () => take(slabs, slabBytes))
    const memory = new Set(runs.map(({ slab }) => slab))
    expect(slabs.isTight).toBe(true)
    for (const { slab } of runs) slab.release()
    expect(slabs.isTight).toBe(false)
    const again = Array.from({ length: 100 }, () => take(slabs, slabBytes))
    // The sixteen free ones and the one in use.
    expect(again.filter(({ slab }) => memory.has(slab)).length).toBe(17)
  })

  test('more than a slab comes in memory of its own', () => {
    const slabs = new Slabs()
    const run = take(slabs, slabBytes + 1)
    expect(run.bytes.length).toBe(slabBytes + 1)
    expect(take(slabs, 10).slab.buffer.length).toBe(slabBytes)
  })
})
