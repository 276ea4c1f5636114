/**
 * What an agent with a valid ticket may try against the relay: its session ends with a code, and nobody else notices.
 */
import type { TLSSocket } from 'node:tls'
import { describe, expect, test, vi } from 'vitest'
import { encodeJson, FrameType, writeHead } from '../protocol/frames.ts'
import { limits } from '../protocol/limits.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { turns } from '../testing/mux-link.ts'
import { anyVisitor, muxPair, Recorder } from '../testing/mux-pair.ts'
import { wirePair } from '../testing/wire-pair.ts'
import { acceptAgent } from './accept.ts'
import { Budget } from './budget.ts'
import { Elephants } from './elephants.ts'
import { proofOf } from './fresh-carrier.ts'
import { Liveness } from './liveness.ts'
import { Turn } from './turn.ts'

const lostFrame = (number: number) => {
  const frame = Buffer.alloc(13)
  writeHead(frame, 0, { type: FrameType.lost, length: 5, stream: 0 })
  frame.writeUInt32BE(number, 8)
  return frame
}

/** A relay's session with one carrier, and a second carrier of the agent whose HELLO names `lost`. */
async function joinSaying(lost: readonly number[]) {
  const clock = new FakeClock()
  const liveness = new Liveness({ clock, side: 'relay' })
  const shared = { clock, turn: new Turn(), liveness, budget: new Budget(1e9) }
  const connect = () => {
    const wire = wirePair()
    for (const end of [wire.a, wire.b]) Object.assign(end, { exportKeyingMaterial: () => Buffer.alloc(32) })
    wire.b.resume()
    const accepting = acceptAgent(wire.a as unknown as TLSSocket, shared)
    return { accepting, end: wire.b as unknown as TLSSocket }
  }
  const hello = { versions: [1], agent: 'a', build: '', kind: 'shared', window: 4_096 }
  const first = connect()
  first.end.write(encodeJson(FrameType.hello, { ...hello, carrier: 1, lost: [], ticket: 't' }))
  const session = (await first.accepting).welcome({ relay: 'r', events: { onClosed() {} } })
  const second = connect()
  const resume = { session: session.id, proof: proofOf(second.end, session.secret, 2) }
  second.end.write(encodeJson(FrameType.hello, { ...hello, carrier: 2, lost, resume }))
  const accepted = await second.accepting
  return { clock, session, join: () => accepted.join(session, 'r'), ends: [first.end, second.end] }
}

describe('a hostile agent', () => {
  test('may not report the loss of carriers that never were: each would cost a report of all streams', async () => {
    const onOpen = (stream: { opened(ms: number): void }) => {
      setImmediate(() => stream.opened(1))
      return new Recorder()
    }
    const pair = muxPair({ clock: new FakeClock(), agent: { onOpen } })
    await turns(4)
    for (let n = 0; n < 10; n++) pair.relay.open(anyVisitor, new Recorder())
    await turns(10)
    pair.wire.a.emit('data', lostFrame(10))
    expect(pair.closed.relay?.key).toBe('frame.unexpected')
  })

  test('may not unbind more often than bind', async () => {
    let heard = 0
    const onUnbind = () => {
      heard += 1
    }
    const pair = muxPair({ clock: new FakeClock(), relay: { onUnbind } })
    await turns(4)
    const unbind = encodeJson(FrameType.unbind, { bind: 1 })
    const many = Array.from({ length: limits.bindsHeardPerMinute + 1 }, () => unbind)
    pair.wire.a.emit('data', Buffer.concat(many))
    expect(pair.closed.relay?.key).toBe('control.flood')
    expect(heard).toBe(limits.bindsHeardPerMinute)
  })

  test('may send fewer BINDs the longer they are', async () => {
    let heard = 0
    const onBind = () => {
      heard += 1
    }
    const pair = muxPair({ clock: new FakeClock(), relay: { onBind } })
    await turns(4)
    const bind = encodeJson(FrameType.bind, { bind: 1, ticket: 'x'.repeat(7_000) })
    const some = Buffer.concat(Array.from({ length: 500 }, () => bind))
    for (let n = 0; n < 200 && !pair.closed.relay; n++) pair.wire.a.emit('data', some)
    expect(pair.closed.relay?.key).toBe('control.flood')
    expect(heard).toBe(limits.bindsHeardPerMinute / 4)
  })

  test('may send PING for its bytes, as agents of release 0.1 do, and few others', async () => {
    const pair = muxPair({ clock: new FakeClock() })
    await turns(4)
    const socket = pair.wire.a
    const ping = Buffer.alloc(16)
    writeHead(ping, 0, { type: FrameType.ping, length: 8, stream: 0 })
    const skipped = Buffer.alloc(8 + 65_536)
    writeHead(skipped, 0, { type: 0x90 as FrameType, length: 65_536, stream: 0 })
    for (let n = 0; n < 2 * limits.pingsPerMinute; n++) {
      socket.emit('data', skipped)
      socket.emit('data', ping)
      if (n % 1_000 === 0) await turns(2)
    }
    expect(pair.closed.relay).toBeUndefined()
    for (let n = 0; n < limits.pingsPerMinute + 100; n++) socket.emit('data', ping)
    expect(pair.closed.relay?.key).toBe('control.flood')
  })

  test('loses a carrier on which it causes many answers and reads none', async () => {
    const lost: string[] = []
    const pair = muxPair({
      clock: new FakeClock(),
      relay: { onCarrierLost: (_carrier, reason) => lost.push(reason.key) },
    })
    await turns(4)
    pair.relay.open(anyVisitor, new Recorder())
    const socket = pair.wire.a
    socket.write = () => false
    Object.defineProperty(socket, 'writableNeedDrain', { value: true })
    const reset = Buffer.alloc(10)
    writeHead(reset, 0, { type: FrameType.reset, length: 2, stream: 1 })
    reset.writeUInt16BE(3001, 8)
    const many = Buffer.concat(Array.from({ length: 10_000 }, () => reset))
    for (let n = 0; n < 20 && lost.length === 0; n++) {
      expect(n * many.length, 'bytes of answers').toBeLessThan(limits.answerQueueBytes + many.length)
      socket.emit('data', many)
      await turns(1)
    }
    expect(lost).toEqual(['control.flood'])
  })

  test('may send RETIRE as often as it likes: elephants are placed once', async () => {
    const assign = vi.spyOn(Elephants.prototype, 'assign')
    const pair = muxPair({ clock: new FakeClock() })
    await turns(4)
    const retire = Buffer.alloc(8)
    writeHead(retire, 0, { type: FrameType.retire, length: 0, stream: 0 })
    for (let n = 0; n < 1_000; n++) pair.wire.a.emit('data', retire)
    expect(assign).toHaveBeenCalledTimes(1)
    assign.mockRestore()
  })

  test.each([
    ['itself', [2]],
    ['one that never was', [7]],
  ])('may not join with a carrier that names %s as lost', async (_name, lost) => {
    const { join, session, ends } = await joinSaying(lost)
    expect(join).toThrow('PT-3027')
    expect(session.state).toBe('open')
    for (const end of ends) end.destroy()
  })

  test('leaves no session behind: without carriers it ends when its grace is over', async () => {
    const { clock, join, session, ends } = await joinSaying([1])
    join()
    for (const end of ends) end.destroy()
    await turns(10)
    expect(session.state).toBe('detached')
    clock.advance(limits.resumeGraceMs + 1)
    expect(session.state).toBe('closed')
  })
})
