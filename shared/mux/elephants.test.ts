import { describe, expect, test } from 'vitest'
import { limits } from '../protocol/limits.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import type { Carrier } from './carrier.ts'
import { Burst, Elephants } from './elephants.ts'

const full = 64 * 1024

/** Streams on one shared carrier, the number of wanted dedicated carriers, and the existing ones. */
function herd() {
  const carriers: Carrier[] = []
  const clock = new FakeClock()
  clock.advance(1_000)
  const wanted: number[] = []
  const elephants = new Elephants({
    clock,
    carriers,
    shared: () => undefined,
    onWant: (count) => wanted.push(count),
  })
  const stream = () => {
    const mover = {
      carrier: undefined as Carrier | undefined,
      isOpening: false,
      mayMove: () => true,
      moveTo: (carrier: Carrier) => {
        mover.carrier = carrier
      },
    }
    return Object.assign(new Burst(mover, clock.monotonic()), { mover })
  }
  /** One more carrier is ready. */
  const dial = () => {
    const carrier = { kind: 'dedicated', isSuspect: false, isRetiring: false, isLost: false }
    carriers.push(carrier as Carrier)
    elephants.assign()
  }
  return { clock, carriers, dial, elephants, stream, wanted }
}

describe('elephants', () => {
  test('streams that can send little on a lossy carrier each want their own', () => {
    const { clock, elephants, stream, wanted } = herd()
    const streams = Array.from({ length: 32 }, stream)
    for (const one of streams) elephants.waits(one, full)
    for (let round = 0; round < 4; round++) {
      clock.advance(200)
      for (const one of streams) elephants.sent(one, 4_096, full)
    }
    expect(wanted.at(-1)).toBe(32)
    elephants.close()
  })

  test('streams whose turn does not come are not forgotten', () => {
    const { clock, elephants, stream, wanted } = herd()
    const streams = Array.from({ length: 128 }, stream)
    for (const one of streams) elephants.waits(one, full)
    elephants.sent(stream(), 100, 0)
    clock.advance(2 * limits.elephantHeldMs)
    expect(wanted.at(-1)).toBe(128)
    for (const one of streams) elephants.forget(one)
    elephants.close()
  })

  test('more elephants than allowed carriers share them; when some go, the others have one each', () => {
    const { clock, carriers, dial, elephants, stream } = herd()
    const streams = Array.from({ length: 2 * limits.dedicatedPerSession }, stream)
    for (const one of streams) elephants.waits(one, full)
    elephants.sent(stream(), 100, 0)
    clock.advance(2 * limits.elephantHeldMs)
    for (let n = 0; n < limits.dedicatedPerSession; n++) dial()
    clock.advance(1_000)
    expect(new Set(carriers.map((carrier) => elephants.countOn(carrier)))).toEqual(new Set([2]))
    // The streams that leave let their partners, and half of the carriers, alone.
    const gone = carriers.slice(0, limits.dedicatedPerSession / 2)
    for (const one of streams)
      if (one.mover.carrier && gone.includes(one.mover.carrier)) elephants.forget(one)
    clock.advance(1_000)
    expect(new Set(carriers.map((carrier) => elephants.countOn(carrier)))).toEqual(new Set([1]))
    elephants.close()
  })

  test('a stream whose OPEN is not answered stays on the carrier of its OPEN', () => {
    const { clock, dial, elephants, stream } = herd()
    const one = stream()
    one.mover.isOpening = true
    elephants.waits(one, full)
    elephants.sent(stream(), 100, 0)
    clock.advance(2 * limits.elephantHeldMs)
    dial()
    clock.advance(1_000)
    expect(one.mover.carrier).toBeUndefined()
    one.mover.isOpening = false
    clock.advance(1_000)
    expect(one.mover.carrier).toBeDefined()
    elephants.close()
  })

  test('a stream that left its silent carrier comes back', () => {
    const { clock, carriers, dial, elephants, stream } = herd()
    const one = stream()
    elephants.waits(one, full)
    elephants.sent(stream(), 100, 0)
    clock.advance(2 * limits.elephantHeldMs)
    dial()
    const [own] = carriers
    expect(one.mover.carrier).toBe(own)
    one.mover.carrier = undefined
    clock.advance(1_000)
    expect(one.mover.carrier).toBe(own)
    elephants.close()
  })

  test('a mouse that waits behind others stays a mouse', () => {
    const { clock, elephants, stream, wanted } = herd()
    const [mouse, other] = [stream(), stream()]
    for (let round = 0; round < 20; round++) {
      elephants.waits(mouse, 100)
      clock.advance(400)
      elephants.sent(mouse, 100, 0)
      elephants.sent(other, 100, 0)
    }
    expect(wanted).toEqual([])
  })

  test('short waits that are a small part of the time do not count', () => {
    const { clock, elephants, stream, wanted } = herd()
    const [one, other] = [stream(), stream()]
    for (let round = 0; round < 100; round++) {
      elephants.waits(one, full)
      clock.advance(20)
      elephants.sent(one, full / 8, 0)
      clock.advance(limits.elephantMs / 10)
      elephants.sent(other, 1, 0)
    }
    expect(wanted).toEqual([])
  })

  test('a single stream is no elephant, however long it waits', () => {
    const { clock, elephants, stream, wanted } = herd()
    const one = stream()
    elephants.sent(one, 1, full)
    clock.advance(limits.elephantCompanyMs + 1)
    elephants.waits(one, full)
    for (let round = 0; round < 20; round++) {
      clock.advance(400)
      elephants.sent(one, full, full)
    }
    expect(wanted).toEqual([])
  })

  test('a single stream is no elephant from its first byte on, also after another has gone', () => {
    const { clock, elephants, stream, wanted } = herd()
    for (let next = 0; next < 3; next++) {
      const one = stream()
      elephants.waits(one, full)
      for (let round = 0; round < 20; round++) {
        clock.advance(100)
        elephants.sent(one, limits.elephantBytes, full)
      }
      elephants.forget(one)
    }
    expect(wanted).toEqual([])
    elephants.close()
  })
})
