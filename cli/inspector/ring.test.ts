import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { newTunnel } from '../agent/tunnels.ts'
import { Entry } from './entry.ts'
import { KeptBytes } from './kept-bytes.ts'
import { Ring } from './ring.ts'

const limits = { bytes: 50_000, requests: 12, pinnedBytes: 25_000, pinned: 4 }
const tunnel = newTunnel(1, { kind: 'http', upstream: { host: 'localhost', port: 1 } })
const info = { bind: 1, visitorAddress: '', visitorPort: 1, localPort: 1, atMs: 0, awaitsUpgrade: false }
const bytes = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')

function entryOf(id: number): Entry {
  const origin = { tunnel, label: 'web', visitor: '', info, endToEnd: false }
  return new Entry({ bytes, method: 'GET', host: 'a' }, { id, origin, at: 0, startedAt: 0 })
}

describe('the ring', () => {
  test('never keeps more than its bounds, whatever comes, and counts what it keeps', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('add' as const), which: fc.nat(40), bytes: fc.nat(9_000) }),
      fc.record({ kind: fc.constant('charge' as const), which: fc.nat(40), bytes: fc.nat(60_000) }),
      fc.record({ kind: fc.constant('refund' as const), which: fc.nat(40), bytes: fc.nat(500) }),
      fc.record({ kind: fc.constant('pin' as const), which: fc.nat(40), bytes: fc.nat(1) }),
      fc.record({ kind: fc.constant('clear' as const), which: fc.nat(40), bytes: fc.nat(1) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const ring = new Ring(limits)
        const all: Entry[] = []
        for (const { kind, which, bytes: size } of steps) {
          const entry = all[which % Math.max(1, all.length)]
          if (kind === 'add') {
            const fresh = entryOf(all.length + 1)
            all.push(fresh)
            ring.add(fresh)
            ring.charge(fresh, size)
          } else if (kind === 'clear') ring.clear()
          else if (entry && kind === 'charge') ring.charge(entry, size)
          else if (entry && kind === 'refund') ring.refund(entry, Math.min(size, entry.charged))
          else if (entry) ring.pin(entry, size === 1)
          const kept = ring.newest()
          const pinned = kept.filter(({ id }) => ring.isPinned(id))
          const sum = (entries: readonly Entry[]) => entries.reduce((all, { charged }) => all + charged, 0)
          expect(sum(kept)).toBe(ring.bytes)
          expect(ring.bytes).toBeLessThanOrEqual(limits.bytes)
          expect(ring.size).toBeLessThanOrEqual(limits.requests)
          expect(sum(pinned)).toBeLessThanOrEqual(limits.pinnedBytes)
          expect(pinned.length).toBeLessThanOrEqual(limits.pinned)
        }
      }),
      { numRuns: 150 },
    )
  })

  test('the oldest goes, a pinned one stays, and what went keeps no bytes', () => {
    const ring = new Ring(limits)
    const first = entryOf(1)
    ring.add(first)
    ring.pin(first, true)
    const second = entryOf(2)
    ring.add(second)
    second.request.body.append(Buffer.alloc(500), (more) => ring.charge(second, more))
    for (let id = 3; id <= 30; id++) ring.add(entryOf(id))
    expect(ring.has(first)).toBe(true)
    expect(ring.has(second)).toBe(false)
    expect(second.request.body.bytes.length).toBe(0)
    second.request.body.append(Buffer.alloc(500), (more) => ring.charge(second, more))
    expect(second.request.body.bytes.length).toBe(0)
  })
})

describe('kept bytes', () => {
  test('are the beginning, bounded, without a gap, and charge what they take', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 3_000 })), fc.nat(8_000), (parts, room) => {
        const kept = new KeptBytes(5_000)
        let charged = 0
        for (const part of parts)
          kept.append(Buffer.from(part), (more) => {
            if (charged + more > room) return false
            charged += more
            return true
          })
        const whole = Buffer.concat(parts)
        expect(kept.total).toBe(whole.length)
        expect(kept.bytes.length).toBeLessThanOrEqual(Math.min(5_000, charged))
        expect(kept.bytes).toEqual(whole.subarray(0, kept.bytes.length))
      }),
    )
  })
})
