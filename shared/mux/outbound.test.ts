import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { limits } from '../protocol/limits.ts'
import { Budget } from './budget.ts'
import { Outbound } from './outbound.ts'
import type { Outlet } from './rides.ts'
import { Slabs } from './slab.ts'

const slabs = new Slabs()
const carrier = countingCarrier(1, false)
const all = Number.POSITIVE_INFINITY

describe('outbound', () => {
  test('a window of gigabytes does not decide how much is kept: 8 MiB a stream', () => {
    const outbound = new Outbound(limits.windowBytesInitial, new Budget(all), slabs)
    outbound.acknowledge(0, 0xffffffff)
    for (let n = 0; n < 200; n++) outbound.push(Buffer.alloc(64 * 1024))
    outbound.pump(carrier, 1, all)
    expect(outbound.nxt).toBe(limits.windowBytesMax)
  })

  test('without memory to keep more a stream starves, and goes on when some is free again', () => {
    const budget = new Budget(128 * 1024)
    const one = new Outbound(limits.windowBytesMax, budget, slabs)
    const two = new Outbound(limits.windowBytesMax, budget, slabs)
    for (let n = 0; n < 4; n++) one.push(Buffer.alloc(64 * 1024))
    two.push(Buffer.alloc(64 * 1024))
    one.pump(carrier, 1, all)
    expect([one.nxt, one.isStarved, one.canPump]).toEqual([128 * 1024, true, false])
    two.pump(carrier, 2, all)
    expect(two.nxt).toBe(limits.windowBytesTight)
    one.acknowledge(64 * 1024, limits.windowBytesMax)
    one.feed()
    one.pump(carrier, 1, all)
    expect(one.nxt).toBe(192 * 1024)
  })

  test('45,000 streams that are never acknowledged keep little when no memory is left', () => {
    const budget = new Budget(64 * 1024 * 1024)
    budget.take(64 * 1024 * 1024)
    const session = new Budget(all, budget)
    const chunk = Buffer.alloc(16 * 1024)
    const streams = Array.from({ length: 45_000 }, (_, n) => {
      const outbound = new Outbound(limits.windowBytesMax, session, slabs)
      outbound.push(chunk)
      outbound.pump(carrier, n, all)
      return outbound
    })
    const sent = streams.reduce((sum, { nxt }) => sum + nxt, 0)
    expect(streams.every(({ nxt }) => nxt > 0)).toBe(true)
    expect(sent).toBe(budget.lentBytes)
    expect(sent).toBeLessThan(50 * 1024 * 1024)
    for (const outbound of streams.slice(0, 22_500)) outbound.acknowledge(outbound.nxt, limits.windowBytesMax)
    for (const outbound of streams.slice(22_500)) outbound.clear()
    expect([budget.lentBytes, budget.usedBytes]).toEqual([0, 64 * 1024 * 1024])
  })

  test('kept memory is returned, by acknowledgement or by the end', () => {
    const budget = new Budget(1024 * 1024)
    const outbound = new Outbound(limits.windowBytesMax, budget, slabs)
    for (const size of [1, 70_000, 300, 64 * 1024]) outbound.push(Buffer.alloc(size))
    outbound.pump(carrier, 1, all)
    expect(budget.usedBytes).toBe(outbound.nxt)
    outbound.acknowledge(50_000, limits.windowBytesMax)
    expect(budget.usedBytes).toBe(outbound.nxt - 50_000)
    outbound.finish()
    outbound.pump(carrier, 1, all)
    outbound.acknowledge(outbound.nxt + 1, 0)
    expect([budget.usedBytes, outbound.isDone]).toEqual([0, true])
    outbound.push(Buffer.alloc(10))
    outbound.clear()
    expect(budget.usedBytes).toBe(0)
  })

  test('bytes that came one by one are kept, and repeated, as few pieces', () => {
    const outbound = new Outbound(limits.windowBytesMax, new Budget(all), slabs)
    const [first, second] = [countingCarrier(1), countingCarrier(2)]
    const bytes = 60_000
    for (let at = 0; at < bytes; at++) {
      outbound.push(Buffer.of(at % 251))
      outbound.pump(first, 1, all)
    }
    expect(first.sent).toHaveLength(bytes)
    outbound.acknowledge(1_000, limits.windowBytesMax)
    outbound.repeatLost(2_000, (number) => number === 1)
    outbound.pump(second, 1, all)
    expect(second.sent.length).toBeLessThanOrEqual(bytes / (8 * 1024))
    const again = Buffer.concat(second.sent)
    expect(
      again.equals(Buffer.from(Array.from({ length: bytes - 2_000 }, (_, at) => (at + 2_000) % 251))),
    ).toBe(true)
  })

  test('bytes that wait one by one for credit wait as few pieces', () => {
    const outbound = new Outbound(0, new Budget(all), slabs)
    const one = countingCarrier(1)
    for (let at = 0; at < 60_000; at++) {
      outbound.push(Buffer.of(at % 251))
      outbound.own()
    }
    outbound.acknowledge(0, limits.windowBytesMax)
    outbound.pump(one, 1, all)
    expect(one.sent.length).toBeLessThanOrEqual(60_000 / (8 * 1024))
    expect(Buffer.concat(one.sent).every((byte, at) => byte === at % 251)).toBe(true)
  })

  test('a kept byte costs no more than three, however it came', () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const memory = () => {
      collect()
      const { heapUsed, arrayBuffers } = process.memoryUsage()
      return heapUsed + arrayBuffers
    }
    const kept: Outbound[] = []
    const before = memory()
    for (let stream = 0; stream < 20; stream++) {
      const outbound = new Outbound(limits.windowBytesMax, new Budget(all), slabs)
      kept.push(outbound)
      for (let at = 0; at < 30_000; at++) {
        outbound.push(Buffer.of(1))
        outbound.pump(carrier, 1, all)
      }
    }
    expect((memory() - before) / (kept.length * 30_000)).toBeLessThan(3)
  })

  test('a SYNC checks pieces only if one is on a lost carrier, and then once', () => {
    const outbound = new Outbound(limits.windowBytesMax, new Budget(all), slabs)
    const [first, second] = [countingCarrier(1), countingCarrier(2)]
    // Too large to be joined.
    for (let piece = 0; piece < 1_000; piece++) outbound.push(Buffer.alloc(5_000))
    outbound.pump(first, 1, all)
    let looks = 0
    const lost = new Set<number>()
    const isLost = (number: number) => {
      looks += 1
      return lost.has(number)
    }
    for (let sync = 0; sync < 10_000; sync++) outbound.repeatLost(0, isLost)
    expect(looks).toBeLessThanOrEqual(10_000)
    lost.add(1)
    // The other side has half of it, and says so again and again without using it.
    for (let sync = 0; sync < 10_000; sync++) outbound.repeatLost(2_500_000, isLost)
    outbound.pump(second, 1, all)
    for (let sync = 0; sync < 10_000; sync++) outbound.repeatLost(2_500_000, isLost)
    expect(looks).toBeLessThanOrEqual(40_000)
    expect(second.sent).toHaveLength(500)
  })

  test('a carrier knows whether anything unacknowledged is left on it', () => {
    const outbound = new Outbound(limits.windowBytesMax, new Budget(all), slabs)
    const [first, second] = [countingCarrier(1), countingCarrier(2)]
    outbound.push(Buffer.alloc(5_000))
    outbound.pump(first, 1, all)
    outbound.push(Buffer.alloc(5_000))
    outbound.finish()
    outbound.pump(second, 1, all)
    expect([first.dependents, second.dependents]).toEqual([1, 1])
    expect(outbound.liveCarriers(3, () => true)).toBe(3)
    outbound.acknowledge(5_000, limits.windowBytesMax)
    expect([first.dependents, second.dependents]).toEqual([0, 1])
    outbound.acknowledge(10_000, 0)
    expect(second.dependents, 'FIN is still on its way').toBe(1)
    outbound.acknowledge(10_001, 0)
    expect([second.dependents, outbound.isDone]).toEqual([0, true])
  })
})

/** Keeps copies of what it is told to send, if `isKept`. */
function countingCarrier(number: number, isKept = true): Outlet & { sent: Buffer[]; dependents: number } {
  const sent: Buffer[] = []
  const outlet = {
    number,
    dependents: 0,
    sent,
    boarded: () => void outlet.dependents++,
    left: () => void outlet.dependents--,
    frames: {
      slabs,
      sendData(_stream: number, _offset: number, bytes: Buffer) {
        if (isKept) sent.push(Buffer.from(bytes))
        return -1
      },
      sendFin() {},
    },
  }
  return outlet
}
