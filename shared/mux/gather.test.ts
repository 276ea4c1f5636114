import { Writable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { Gather } from './gather.ts'
import { Slabs } from './slab.ts'

/** A socket that finishes a write when the test says so. */
class SlowSocket extends Writable {
  readonly written: Buffer[] = []
  readonly finish: (() => void)[] = []

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(chunk)
    this.finish.push(done)
  }
}

function put(gather: Gather, slabs: Slabs, text: string): void {
  const start = gather.take(text.length)
  slabs.current.buffer.write(text, start)
}

describe('gather', () => {
  test('bytes gathered without interruption are one write', () => {
    const slabs = new Slabs()
    const gather = new Gather(slabs)
    const socket = new SlowSocket()
    for (const text of ['one ', 'two ', 'three']) put(gather, slabs, text)
    expect(gather.writeTo(socket)).toBe(13)
    expect(socket.written.map(String)).toEqual(['one two three'])
  })

  test('two writers that alternate in one slab each write their own bytes', () => {
    const slabs = new Slabs()
    const [one, two] = [new Gather(slabs), new Gather(slabs)]
    const socket = new SlowSocket({ highWaterMark: 1e6 })
    for (const text of ['a', 'b', 'c']) {
      put(one, slabs, text)
      put(two, slabs, '-')
    }
    one.writeTo(socket)
    for (let count = 0; count < 3; count++) socket.finish[count]?.()
    expect(Buffer.concat(socket.written).toString()).toBe('abc')
    expect(two.drop()).toBe(3)
  })

  test('memory is free when the socket is done with it, not before', () => {
    const slabs = new Slabs()
    const gather = new Gather(slabs)
    const socket = new SlowSocket()
    gather.take(200_000)
    const { current } = slabs
    gather.writeTo(socket)
    slabs.take(200_000)
    expect([slabs.current === current, slabs.held]).toEqual([false, 2])
    socket.finish[0]?.()
    return new Promise<void>((resolve) => process.nextTick(resolve)).then(() => expect(slabs.held).toBe(1))
  })

  test('sockets that never finish hold no more than 16 MiB of slabs, however much they were sent', () => {
    const slabs = new Slabs()
    for (let count = 0; count < 300; count++) {
      const gather = new Gather(slabs)
      gather.take(10)
      gather.writeTo(new SlowSocket())
      // Another writer fills the slab.
      slabs.take(slabs.current.buffer.length - 10)
    }
    expect(slabs.held).toBeLessThanOrEqual(66)
  })

  test('a full socket keeps one write for many small ones, in order, until it drains', () => {
    const slabs = new Slabs()
    const gather = new Gather(slabs)
    const socket = new SlowSocket({ highWaterMark: 4 })
    for (let count = 0; count < 1_000; count++) {
      put(gather, slabs, `${count % 10}`)
      expect(gather.writeTo(socket)).toBe(1)
      slabs.take(50)
    }
    const before = socket.writableLength
    expect(before, 'what filled it').toBeLessThanOrEqual(4)
    expect(slabs.held, 'no slab is kept for them').toBe(1)
    gather.writeHeld(socket)
    expect(socket.writableLength).toBe(1_000)
    while (socket.finish.length > 0) socket.finish.shift()?.()
    return new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      while (socket.finish.length > 0) socket.finish.shift()?.()
      const text = Array.from({ length: 1_000 }, (_, count) => count % 10).join('')
      expect(Buffer.concat(socket.written).toString()).toBe(text)
    })
  })

  test('many bytes for a full socket are written at once, after the kept ones', () => {
    const slabs = new Slabs()
    const gather = new Gather(slabs)
    const socket = new SlowSocket({ highWaterMark: 1 })
    put(gather, slabs, 'a')
    gather.writeTo(socket)
    put(gather, slabs, 'b')
    gather.writeTo(socket)
    put(gather, slabs, 'c'.repeat(5_000))
    gather.writeTo(socket)
    expect(socket.writableLength).toBe(5_002)
    expect(gather.drop()).toBe(0)
  })
})
