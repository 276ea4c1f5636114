import { describe, expect, test } from 'vitest'
import { limits } from '../protocol/limits.ts'
import { Budget } from './budget.ts'
import type { Carrier } from './carrier.ts'
import { Outbound } from './outbound.ts'

const carrier = { number: 1, sendData: () => -1, sendFin() {} } as unknown as Carrier
const all = Number.POSITIVE_INFINITY

describe('outbound', () => {
  test('a window of gigabytes does not decide what is kept: 8 MiB a stream', () => {
    const outbound = new Outbound(limits.windowBytesInitial, new Budget(all))
    outbound.acknowledge(0, 0xffffffff)
    for (let n = 0; n < 200; n++) outbound.push(Buffer.alloc(64 * 1024))
    outbound.pump(carrier, 1, all)
    expect(outbound.nxt).toBe(limits.windowBytesMax)
  })

  test('without memory to keep more a stream starves, and goes on when some is free again', () => {
    const budget = new Budget(128 * 1024)
    const one = new Outbound(limits.windowBytesMax, budget)
    const two = new Outbound(limits.windowBytesMax, budget)
    for (let n = 0; n < 4; n++) one.push(Buffer.alloc(64 * 1024))
    two.push(Buffer.alloc(64 * 1024))
    one.pump(carrier, 1, all)
    expect([one.nxt, one.isStarved, one.canPump]).toEqual([128 * 1024, true, false])
    two.pump(carrier, 2, all)
    expect(two.nxt).toBe(limits.windowBytesTight)
    one.acknowledge(64 * 1024, limits.windowBytesMax)
    one.isStarved = false
    one.pump(carrier, 1, all)
    expect(one.nxt).toBe(192 * 1024)
  })

  test('what was kept is given back, by acknowledgement or by the end', () => {
    const budget = new Budget(1024 * 1024)
    const outbound = new Outbound(limits.windowBytesMax, budget)
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
})
