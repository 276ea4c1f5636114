import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { limits } from '../protocol/limits.ts'
import { Ahead } from './ahead.ts'

/** Every byte shows its place. */
const bytesAt = (from: number, length: number) =>
  Buffer.from(Array.from({ length }, (_, index) => (from + index) % 251))

function takeAll(ahead: Ahead, next: number): Buffer {
  const chunks: Buffer[] = []
  ahead.take(next, (bytes) => chunks.push(bytes))
  return Buffer.concat(chunks)
}

describe('bytes that arrived ahead', () => {
  test('a run of many pieces on one carrier is one range', () => {
    const ahead = new Ahead()
    const pieces = limits.rangesMax * 4
    for (let piece = 1; piece <= pieces; piece++) ahead.keep(piece * 10, bytesAt(piece * 10, 10))
    expect(takeAll(ahead, 10)).toEqual(bytesAt(10, pieces * 10))
    expect(ahead.isEmpty).toBe(true)
  })

  test('more separate ranges than the limit are refused', () => {
    const ahead = new Ahead()
    for (let range = 0; range < limits.rangesMax; range++) ahead.keep(1 + range * 10, bytesAt(0, 5))
    expect(() => ahead.keep(1 + limits.rangesMax * 10, bytesAt(0, 5))).toThrow('PT-3007')
  })

  test('single bytes are joined, so an honest sender never has more pieces than the limit', () => {
    const ahead = new Ahead()
    const bytes = 256 * 1024
    for (let at = 1; at <= bytes; at++) ahead.keep(at, bytesAt(at, 1))
    const pieces: Buffer[] = []
    ahead.take(1, (piece) => pieces.push(piece))
    expect(Buffer.concat(pieces).equals(bytesAt(1, bytes))).toBe(true)
    expect(pieces.length).toBeLessThanOrEqual(bytes / (16 * 1024))
    const memory = pieces.reduce((sum, { buffer }) => sum + buffer.byteLength, 0)
    expect(memory).toBeLessThan(bytes * 2)
  })

  test('no frames of a window are more pieces than the limit', () => {
    const ahead = new Ahead()
    // Two that may not be joined: the worst case.
    for (let at = 1; at + 4_097 < limits.windowBytesMax; at += 4_098) {
      ahead.keep(at, Buffer.alloc(4_097))
      ahead.keep(at + 4_097, Buffer.alloc(1))
    }
  })

  test('with any overlap and in any order, each byte comes once and in its place', () => {
    const piece = fc.record({
      from: fc.integer({ min: 1, max: 60 }),
      length: fc.integer({ min: 1, max: 20 }),
    })
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const ahead = new Ahead()
        for (const { from, length } of pieces) ahead.keep(from, bytesAt(from, length))
        ahead.keep(0, bytesAt(0, 1))
        let reached = 1
        while (pieces.some(({ from, length }) => from <= reached && from + length > reached)) reached += 1
        expect(takeAll(ahead, 0)).toEqual(bytesAt(0, reached))
      }),
    )
  })
})
