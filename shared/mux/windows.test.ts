/** What idle streams cost, and which streams are reset when too much is held. */
import { describe, expect, test } from 'vitest'
import { keyOfCode } from '../base/errors.ts'
import { limits } from '../protocol/limits.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { turns } from '../testing/mux-link.ts'
import { anyVisitor, muxPair } from '../testing/mux-pair.ts'
import { Budget } from './budget.ts'
import type { OpenInfo } from './open-info.ts'
import type { Stream } from './stream.ts'
import type { StreamSink } from './stream-sink.ts'

const MiB = 1024 * 1024

/** Counts the bytes it gets, and takes them at once while it is hungry. */
class Reader implements StreamSink {
  stream: Stream | undefined
  isHungry = true
  isFull = false
  bytes = 0
  resetKey: string | undefined

  onData(bytes: Buffer): void {
    this.bytes += bytes.length
    if (this.isHungry) this.stream?.consumed(bytes.length)
  }

  onFin(): void {}
  onWritable(): void {
    this.isFull = false
  }

  onReset(code: number): void {
    this.resetKey = keyOfCode(code)
  }
}

/** A relay and an agent, 40 ms apart; every visitor has an upstream that sends as much as it is told. */
function relayOf(budget: Budget) {
  const clock = new FakeClock()
  const upstreams: Reader[] = []
  const onOpen = (stream: Stream) => {
    const upstream = new Reader()
    upstream.stream = stream
    upstreams.push(upstream)
    return upstream
  }
  const pair = muxPair({ clock, budget, agent: { onOpen } })
  const pass = async (trips: number) => {
    for (let n = 0; n < trips; n++) {
      await turns(2)
      clock.advance(20)
      await turns(2)
      clock.advance(20)
    }
  }
  /** The upstream sends as much as it may, for this many round trips or until the reader has `bytes`. */
  const send = async ({ reader, upstream }: Visit, { trips = 400, bytes = Number.POSITIVE_INFINITY }) => {
    for (let n = 0; n < trips && reader.bytes < bytes && !reader.resetKey; n++) {
      while (!upstream.isFull) upstream.isFull = !upstream.stream?.write(piece)
      await pass(1)
    }
  }
  return {
    pair,
    pass,
    send,
    async visit(info: Partial<OpenInfo> = {}) {
      const reader = new Reader()
      reader.stream = pair.relay.open({ ...anyVisitor, ...info }, reader)
      await pass(1)
      return { reader, upstream: upstreams.at(-1) as Reader }
    },
  }
}

type Visit = { readonly reader: Reader; readonly upstream: Reader }

const piece = Buffer.alloc(256 * 1024)

describe('windows', () => {
  test('twelve idle connections that downloaded much leave a new one its whole window', async () => {
    const { pair, pass, send, visit } = relayOf(new Budget(64 * MiB))
    await pass(5)
    let atFirst = 0
    for (let n = 0; n < 12; n++) {
      const visitor = await visit()
      await send(visitor, { trips: 15 })
      atFirst ||= visitor.reader.bytes
      await send(visitor, { bytes: 40 * MiB })
      expect(visitor.reader.bytes).toBeGreaterThanOrEqual(40 * MiB)
      visitor.upstream.isFull = true
    }
    await pass(3)
    expect(pair.budgets.relay.usedBytes, 'of what is idle').toBe(0)
    const late = await visit()
    late.reader.isHungry = false
    await send(late, { trips: 3 })
    expect(late.reader.bytes).toBe(limits.windowBytesInitial)
    const next = await visit()
    await send(next, { trips: 15 })
    expect(next.reader.bytes, 'its window grows as that of the first did').toBeGreaterThan(atFirst * 0.8)
  })

  test('when all fill their windows at once, memory keeps to its limit and the worst holders are reset', async () => {
    const limit = 6 * MiB
    const { pair, pass, send, visit } = relayOf(new Budget(limit))
    await pass(5)
    const hogs: Visit[] = []
    for (let n = 0; n < 8; n++) {
      const hog = await visit({ visitorAddress: '192.0.2.66' })
      await send(hog, { bytes: 20 * MiB })
      hogs.push(hog)
    }
    const guest = await visit({ visitorAddress: '198.51.100.1' })
    guest.reader.isHungry = false
    await send(guest, { trips: 3 })
    for (const { reader } of hogs) reader.isHungry = false
    let most = 0
    for (let n = 0; n < 60; n++) {
      for (const hog of hogs) await send(hog, { trips: 1 })
      most = Math.max(most, pair.budgets.relay.usedBytes)
    }
    expect(most).toBeLessThanOrEqual(limit)
    expect(most).toBeGreaterThan(limit / 2)
    const keys = new Set(hogs.map(({ reader }) => reader.resetKey))
    expect(keys).toContain('stream.memory')
    expect(guest.reader.resetKey, 'a small holder stays').toBeUndefined()
    expect(guest.reader.bytes).toBe(limits.windowBytesInitial)
  })

  test('one tunnel of an agent costs its others nothing, and neither do many small holders', async () => {
    const { pass, send, visit } = relayOf(new Budget(2 * MiB))
    await pass(5)
    const large = await visit({ bind: 2 })
    const many: Visit[] = []
    for (let n = 0; n < 40; n++) many.push(await visit({ bind: 1, visitorAddress: `192.0.2.${n}` }))
    for (const visitor of [large, ...many]) {
      visitor.reader.isHungry = false
      await send(visitor, { trips: 3 })
    }
    expect(many.some(({ reader }) => reader.resetKey === 'stream.memory')).toBe(true)
    expect(large.reader.resetKey, 'only the largest, of a tunnel that holds little').toBeUndefined()
  })

  test('pieces are counted at their real cost: single bytes to a reader that waits are not free', async () => {
    const { pair, pass, visit } = relayOf(new Budget(64 * MiB))
    await pass(5)
    const { reader, upstream } = await visit()
    reader.isHungry = false
    for (let n = 0; n < 1_000; n++) {
      upstream.stream?.write(Buffer.alloc(1))
      await pass(1)
    }
    expect(pair.budgets.relay.usedBytes).toBeGreaterThan(100 * reader.bytes)
  })
})
