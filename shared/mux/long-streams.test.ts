/** Streams of more bytes than 32 bits can count, and streams on which nothing moves for minutes. */
import { expect, test } from 'vitest'
import { limits } from '../protocol/limits.ts'
import { MuxLink, turns } from '../testing/mux-link.ts'
import { anyVisitor, Recorder } from '../testing/mux-pair.ts'
import { Budget } from './budget.ts'
import { Inbound } from './inbound.ts'
import { Outbound } from './outbound.ts'
import type { Outlet } from './rides.ts'
import { Slabs } from './slab.ts'
import type { Stream } from './stream.ts'

test('a stream of more than 4 GiB arrives at the offsets where it was sent, and ends behind its last byte', () => {
  const slabs = new Slabs()
  const budget = new Budget(Number.POSITIVE_INFINITY)
  let taken = 0
  const inbound = new Inbound(limits.windowBytesMax, budget, 0)
  const outbound = new Outbound(limits.windowBytesMax, budget, slabs)
  const taker = {
    onData(bytes: Buffer) {
      taken += bytes.length
    },
  }
  const carrier: Outlet = {
    number: 1,
    boarded() {},
    left() {},
    frames: {
      slabs,
      sendData: (_stream, offset, bytes) => {
        inbound.receive(offset, bytes, taker)
        return -1
      },
      sendFin: (_stream, offset) => inbound.receiveFin(offset),
    },
  }
  const piece = Buffer.alloc(limits.dataBytesMax)
  const start = 2 ** 32 - 2.5 * piece.length
  const total = start + 40 * piece.length
  // As if it had sent so much already.
  Object.assign(outbound, { una: start, nxt: start, edge: start + limits.windowBytesMax })
  Object.assign(inbound, {
    next: start,
    used: start,
    credited: start,
    granted: start + limits.windowBytesMax,
  })
  for (let sent = start; sent < total; sent += piece.length) {
    outbound.push(piece)
    outbound.pump(carrier, 1, piece.length)
    inbound.use(piece.length)
    const { consumed, window } = inbound.grant({ nowMs: 0, rttMs: 1 })
    expect(outbound.acknowledge(consumed, window)).toBe(true)
  }
  outbound.finish()
  outbound.pump(carrier, 1, 1)
  inbound.use(1)
  expect(outbound.acknowledge(inbound.used, 0)).toBe(true)
  expect([taken, inbound.finAt, outbound.nxt]).toEqual([total - start, total, total])
  expect([inbound.isDone, outbound.isDone, outbound.keptBytes]).toEqual([true, true, 0])
})

test('an upstream that is silent for seven minutes is still connected to its visitor', async () => {
  const offered: Stream[] = []
  const upstream = new Recorder()
  const link = new MuxLink({
    agent: {
      onOpen(stream) {
        offered.push(stream)
        return Object.assign(upstream, { stream })
      },
    },
  })
  await link.dial()
  await link.pass(100)
  const visitor = new Recorder()
  const stream = link.relay?.open(anyVisitor, visitor)
  if (!stream) throw new Error('no session')
  visitor.stream = stream
  stream.write(Buffer.from('a long report, please'))
  await link.pass(100)
  for (let ms = 0; ms < 7 * 60_000; ms += limits.livenessTickMs) {
    link.clock.advance(limits.livenessTickMs)
    await turns(4)
  }
  offered[0]?.write(Buffer.from('here it is'))
  await link.pass(100)
  expect([upstream.bytes.toString(), visitor.bytes.toString()]).toEqual([
    'a long report, please',
    'here it is',
  ])
  expect(link.dials, 'over one connection').toBe(1)
  link.agent?.close('session.closed')
})
