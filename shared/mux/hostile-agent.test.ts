/** What an agent with a valid ticket may try against the relay: its session ends with a code, nobody else notices. */
import type { TLSSocket } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { encodeJson, FrameType, writeHead } from '../protocol/frames.ts'
import { limits } from '../protocol/limits.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { turns } from '../testing/mux-link.ts'
import { anyVisitor, muxPair, Recorder } from '../testing/mux-pair.ts'
import { wirePair } from '../testing/wire-pair.ts'
import { acceptAgent } from './accept.ts'
import { Budget } from './budget.ts'
import { proofOf } from './fresh-carrier.ts'
import { Liveness } from './liveness.ts'
import { Turn } from './turn.ts'

const lostFrame = (number: number) => {
  const frame = Buffer.alloc(13)
  writeHead(frame, 0, { type: FrameType.lost, length: 5, stream: 0 })
  frame.writeUInt32BE(number, 8)
  return frame
}

/** A relay's session with one carrier, and a second agent's end that says `lost` in the HELLO of carrier 2. */
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
    pair.carriers.relay.socket.emit('data', lostFrame(10))
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
    const many = Array.from({ length: limits.bindsPerMinute + 1 }, () => unbind)
    pair.carriers.relay.socket.emit('data', Buffer.concat(many))
    expect(pair.closed.relay?.key).toBe('control.flood')
    expect(heard).toBe(limits.bindsPerMinute)
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
