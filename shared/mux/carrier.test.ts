import { Duplex } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { limits } from '../protocol/limits.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { Carrier } from './carrier.ts'
import { deafHandler } from './carrier-handler.ts'
import { Turn } from './turn.ts'

/** A socket that finishes a write when the test says so. */
class StuckSocket extends Duplex {
  #done: (() => void) | undefined

  override _read(): void {}
  override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
    this.#done = done
  }

  takeOne(): void {
    const done = this.#done
    this.#done = undefined
    done?.()
  }
}

function carrierOf(kind: Carrier['kind']) {
  const socket = new StuckSocket()
  const flushes: (() => void)[] = []
  const heard: string[] = []
  const carrier = new Carrier({
    socket,
    number: 1,
    turn: new Turn((run) => flushes.push(run)),
    clock: new FakeClock(),
    handler: { ...deafHandler, onWritable: () => heard.push('writable') },
  })
  carrier.introduce({ number: 1, kind })
  const frame = Buffer.alloc(limits.dataBytesMax)
  let offset = 0
  /** Sends for as many turns as it may. @returns the bytes */
  const sendAll = () => {
    const before = offset
    while (carrier.canSend) {
      for (; carrier.canSend; offset += frame.length) carrier.frames.sendData(1, offset, frame)
      for (const flush of flushes.splice(0)) flush()
    }
    return offset - before
  }
  return { carrier, socket, heard, sendAll }
}

describe('a carrier whose socket accepts nothing', () => {
  test('shared, it has one turn of bytes with Node: the next sender waits for no more', () => {
    const { sendAll } = carrierOf('shared')
    expect(sendAll()).toBe(limits.batchBytes)
  })

  test('dedicated, it has 512 KiB there and no more, and goes on when they are gone', async () => {
    const { carrier, socket, heard, sendAll } = carrierOf('dedicated')
    expect(sendAll()).toBe(limits.dedicatedQueueBytes)
    expect(carrier.isFull).toBe(true)
    heard.length = 0
    while (socket.writableLength > 0) {
      socket.takeOne()
      await new Promise(setImmediate)
    }
    expect(heard).toEqual(['writable'])
    expect(sendAll()).toBe(limits.dedicatedQueueBytes)
  })
})
