import { createHash, randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { codes, wireCode } from '../base/errors.ts'
import { writeDataHead } from '../protocol/frames.ts'
import { limits } from '../protocol/limits.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { anyVisitor, type MuxPair, muxPair, Recorder } from '../testing/mux-pair.ts'
import { seededRandom } from '../testing/wire-pair.ts'
import type { Stream } from './stream.ts'

type Side = { stream: Stream; heard: Recorder }

/** A pair whose agent records every stream that it is offered. */
function connect(options: { random?: () => number; budgetBytes?: number } = {}) {
  const clock = new FakeClock()
  const offered: Side[] = []
  const goAways: string[] = []
  let announce: (() => void) | undefined
  const pair = muxPair({
    clock,
    ...options,
    agent: {
      onGoAway: (code) => goAways.push(code),
      onOpen(stream) {
        const heard = new Recorder()
        heard.stream = stream
        offered.push({ stream, heard })
        announce?.()
        return heard
      },
    },
  })
  const agentStream = async (n: number): Promise<Side> => {
    while (offered.length <= n) await new Promise<void>((resolve) => (announce = resolve))
    return offered[n] as Side
  }
  return { clock, pair, agentStream, goAways }
}

function openOn(pair: MuxPair): Side {
  const heard = new Recorder()
  const stream = pair.relay.open(anyVisitor, heard)
  heard.stream = stream
  return { stream, heard }
}

/** Writes all of `bytes`, and waits whenever the stream says so. */
async function send({ stream, heard }: Side, bytes: Buffer, pieceBytes = 64 * 1024): Promise<void> {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const before = heard.writableTotal
    if (!stream.write(bytes.subarray(at, at + pieceBytes)))
      await heard.until(() => heard.writableTotal > before)
  }
}

const turns = async (count: number) => {
  for (let n = 0; n < count; n++) await new Promise((resolve) => setImmediate(resolve))
}
const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

describe('session', () => {
  test('bytes arrive once and in order both ways, however they are cut', async () => {
    const { pair, agentStream } = connect({ random: seededRandom(7) })
    const visitor = openOn(pair)
    const up = randomBytes(700_000)
    const down = randomBytes(900_001)
    const upstream = await agentStream(0)
    await Promise.all([send(visitor, up, 50_001), send(upstream, down)])
    await upstream.heard.until(() => upstream.heard.bytes.length === up.length)
    await visitor.heard.until(() => visitor.heard.bytes.length === down.length)
    expect(hash(upstream.heard.bytes)).toBe(hash(up))
    expect(hash(visitor.heard.bytes)).toBe(hash(down))
  })

  test('half-close: the answer comes after FIN, and both sides forget the stream', async () => {
    const { pair, agentStream } = connect()
    const visitor = openOn(pair)
    visitor.stream.write(Buffer.from('question'))
    visitor.stream.end()
    const upstream = await agentStream(0)
    await upstream.heard.until(() => upstream.heard.hasFin)
    upstream.stream.write(Buffer.from('answer'))
    upstream.stream.end()
    await visitor.heard.until(() => visitor.heard.isClosed)
    await upstream.heard.until(() => upstream.heard.isClosed)
    expect(visitor.heard.bytes.toString()).toBe('answer')
    expect([pair.relay.activeStreams, pair.agent.activeStreams]).toEqual([0, 0])
    expect([pair.budgets.relay.usedBytes, pair.budgets.agent.usedBytes]).toEqual([0, 0])
  })

  test('a reader that reads nothing stops only its own sender', async () => {
    const { pair, agentStream } = connect()
    const slow = openOn(pair)
    const quick = openOn(pair)
    const slowUpstream = await agentStream(0)
    const quickUpstream = await agentStream(1)
    slowUpstream.heard.isHungry = false
    let refused = 0
    for (let n = 0; n < 10; n++) if (!slow.stream.write(Buffer.alloc(32 * 1024))) refused += 1
    const bytes = randomBytes(500_000)
    await send(quick, bytes)
    await quickUpstream.heard.until(() => quickUpstream.heard.bytes.length === bytes.length)
    expect(refused).toBe(8)
    expect(slowUpstream.heard.bytes.length).toBe(limits.windowBytesInitial)
  })

  test('the window grows while it holds the sender back', async () => {
    const { pair, agentStream } = connect()
    const visitor = openOn(pair)
    const upstream = await agentStream(0)
    await send(visitor, Buffer.alloc(8 * 1024 * 1024))
    await upstream.heard.until(() => upstream.stream.bytesIn === 8 * 1024 * 1024)
    upstream.heard.isHungry = false
    const before = upstream.stream.bytesIn
    visitor.stream.write(Buffer.alloc(2 * limits.windowBytesMax))
    await turns(2_000)
    const more = upstream.stream.bytesIn - before
    expect(more).toBeGreaterThan(limits.windowBytesInitial)
    expect(more).toBeLessThanOrEqual(limits.windowBytesMax)
  })

  test('a slow reader keeps its small window', async () => {
    const { clock, pair, agentStream } = connect()
    const visitor = openOn(pair)
    const upstream = await agentStream(0)
    upstream.heard.isHungry = false
    visitor.stream.write(Buffer.alloc(limits.windowBytesInitial))
    await upstream.heard.until(() => upstream.heard.bytes.length === limits.windowBytesInitial)
    for (let n = 0; n < 16; n++) {
      await clock.advanceAsync(500, 100)
      upstream.stream.consumed(4 * 1024)
    }
    visitor.stream.write(Buffer.alloc(4 * limits.windowBytesInitial))
    await turns(100)
    expect(upstream.stream.bytesIn - 64 * 1024).toBeLessThanOrEqual(limits.windowBytesInitial)
  })

  test('reset: the other side gets the code, the resetter gets nothing more, the ACK releases the id', async () => {
    const { pair, agentStream } = connect()
    const visitor = openOn(pair)
    const upstream = await agentStream(0)
    upstream.stream.write(Buffer.from('late'))
    visitor.stream.reset('stream.aborted')
    await upstream.heard.until(() => upstream.heard.resetCode !== undefined)
    await turns(8)
    expect(upstream.heard.resetCode).toBe(wireCode('stream.aborted'))
    expect(visitor.heard.chunks).toHaveLength(0)
    expect([pair.relay.activeStreams, pair.agent.activeStreams]).toEqual([0, 0])
  })

  test('OPENED, UPGRADED and PLAIN reach the relay', async () => {
    const { pair, agentStream } = connect()
    const heard = { opened: 0, upgraded: 0, plain: 0 }
    const sink = Object.assign(new Recorder(), {
      onOpened: (ms: number) => {
        heard.opened = ms
      },
      onUpgraded: () => {
        heard.upgraded += 1
      },
      onPlain: () => {
        heard.plain += 1
      },
    })
    pair.relay.open({ ...anyVisitor, awaitsUpgrade: true }, sink)
    const { stream } = await agentStream(0)
    expect(stream.info).toEqual({ ...anyVisitor, awaitsUpgrade: true })
    stream.opened(17)
    stream.answeredUpgrade('upgraded')
    stream.answeredUpgrade('plain')
    await turns(8)
    expect(heard).toEqual({ opened: 17, upgraded: 1, plain: 1 })
  })

  test('the opener of a stream is told of opening and end before its user, but not of the user’s reset', async () => {
    const { pair, agentStream } = connect()
    const told: string[] = []
    const open = (n: number) => {
      const sink = Object.assign(new Recorder(), { onReset: () => void told.push(`${n} sink`) })
      const watch = {
        onOpened: (ms: number) => void told.push(`${n} opened ${ms}`),
        onOver: () => void told.push(`${n} over`),
      }
      return pair.relay.open(anyVisitor, sink, watch)
    }
    const [first, second, third] = [open(1), open(2), open(3)]
    const upstream = (await agentStream(0)).stream
    upstream.opened(5)
    upstream.reset('upstream.refused')
    await turns(8)
    second?.cut('open.deadline')
    second?.cut('relay.memory')
    third?.reset('stream.aborted')
    pair.relay.close('session.closed')
    await turns(8)
    expect(told).toEqual(['1 opened 5', '1 over', '1 sink', '2 over', '2 sink'])
    expect([first, second, third].every((stream) => stream?.isOver)).toBe(true)
  })

  test('a silent path is noticed by both sides within 10 s; when the grace is over every stream is told', async () => {
    const { clock, pair, agentStream } = connect()
    const visitor = openOn(pair)
    const upstream = await agentStream(0)
    await turns(8)
    pair.wire.blackHole()
    await clock.advanceAsync(10_000, 250)
    expect([pair.relay.state, pair.agent.state]).toEqual(['detached', 'detached'])
    expect(visitor.heard.resetCode).toBeUndefined()
    expect(() => openOn(pair)).toThrow(expect.objectContaining({ key: 'carrier.lost' }))
    await clock.advanceAsync(limits.resumeTryMs, 5_000)
    expect(pair.closed.relay?.key).toBe('carrier.lost')
    expect(pair.closed.agent?.key).toBe('carrier.lost')
    expect([visitor.heard.resetCode, upstream.heard.resetCode]).toEqual([
      wireCode('carrier.lost'),
      wireCode('carrier.lost'),
    ])
    expect(clock.pending).toBe(0)
  })

  test('an idle session lives on: PINGs keep it and give the round trip', async () => {
    const { clock, pair } = connect()
    await clock.advanceAsync(60_000, 250)
    expect(pair.closed).toEqual({})
    expect(pair.relay.rttMs).toBeDefined()
    expect(pair.agent.rttMs).toBeDefined()
  })

  test('a stall of this process ends no carrier', async () => {
    const { clock, pair } = connect()
    await turns(8)
    clock.stall(30_000)
    await clock.advanceAsync(5_000, 250)
    expect(pair.closed).toEqual({})
  })

  test('GOAWAY stops new streams and lets the others finish', async () => {
    const { pair, agentStream } = connect()
    const visitor = openOn(pair)
    const upstream = await agentStream(0)
    pair.relay.goAway({ key: 'relay.draining', graceMs: 30_000, redialMs: 100 })
    expect(() => openOn(pair)).toThrow(expect.objectContaining({ key: 'relay.draining' }))
    upstream.stream.write(Buffer.from('still here'))
    await visitor.heard.until(() => visitor.heard.bytes.length === 10)
  })

  test('with a successor, the first GOAWAY admits visitors and the second does not', async () => {
    const { pair, agentStream, goAways } = connect()
    pair.relay.goAway({ key: 'relay.replaced', graceMs: 30_000, redialMs: 0 })
    const visitor = openOn(pair)
    const upstream = await agentStream(0)
    upstream.stream.write(Buffer.from('still here'))
    await visitor.heard.until(() => visitor.heard.bytes.length === 10)
    pair.relay.goAway({ key: 'relay.draining', graceMs: 30_000, redialMs: 100 })
    expect(() => openOn(pair)).toThrow(expect.objectContaining({ key: 'relay.draining' }))
    await turns(4)
    expect(goAways).toEqual([codes['relay.replaced'].code, codes['relay.draining'].code])
  })

  test('close says why: the other side ends with the same code', async () => {
    const { pair } = connect()
    pair.agent.close('session.closed')
    await turns(12)
    expect(pair.closed.relay?.key).toBe('session.closed')
    expect(() => openOn(pair)).toThrow(expect.objectContaining({ key: 'carrier.lost' }))
  })

  test('with all memory held a visitor is refused; with much of it held it gets a small window', async () => {
    const { pair, agentStream } = connect({ budgetBytes: 1_000 })
    const heldBy = async (bytes: number) => {
      pair.budgets.relay.hold(bytes)
      const visitor = openOn(pair)
      const upstream = await agentStream(pair.relay.activeStreams - 1)
      upstream.stream.write(Buffer.alloc(256 * 1024))
      await turns(50)
      visitor.stream.reset('stream.aborted')
      return upstream.stream.bytesOut
    }
    expect(await heldBy(600)).toBe(limits.windowBytesTight)
    pair.budgets.relay.hold(400)
    expect(() => openOn(pair)).toThrow(expect.objectContaining({ key: 'session.limit' }))
  })

  test('more bytes than granted: the stream is reset, the session goes on', async () => {
    const { pair, agentStream } = connect()
    const visitor = openOn(pair)
    const { heard } = await agentStream(0)
    const frame = Buffer.alloc(14 + 1)
    writeDataHead(frame, 0, visitor.stream.id, limits.windowBytesInitial, 1)
    pair.carriers.relay.frames.send(frame)
    await heard.until(() => heard.resetCode !== undefined)
    expect(heard.resetCode).toBe(wireCode('window.exceeded'))
    expect(pair.closed).toEqual({})
  })

  test.each([
    [
      'DATA for a stream that was never opened',
      [0x12, 0, 0, 7, 0, 0, 0, 99, 0, 0, 0, 0, 0, 0, 1],
      'stream.unknown',
    ],
    [
      'an OPEN from the agent',
      [0x10, 0, 0, 26, 0, 0, 0, 1, ...new Array(19).fill(0), ...Buffer.from('1.2.3.4')],
      'frame.unexpected',
    ],
    ['a BOUND from the agent', [0x06, 0, 0, 2, 0, 0, 0, 0, 0x7b, 0x7d], 'frame.unexpected'],
    ['a BIND that is not JSON', [0x04, 0, 0, 2, 0, 0, 0, 0, 1, 2], 'frame.malformed'],
    ['a type nobody knows', [0x7e, 0, 0, 0, 0, 0, 0, 0], 'frame.unknown'],
  ] as const)('%s ends the session with a code', async (_name, bytes, key) => {
    const { pair } = connect()
    pair.carriers.agent.frames.send(Buffer.from(bytes))
    await turns(12)
    expect(pair.closed.relay?.key).toBe(key)
    expect(pair.closed.agent?.code).toBe(codes[key].code)
  })

  test('mice pass an elephant: a small stream is served before a backlog', async () => {
    const { pair, agentStream } = connect()
    const elephants = Array.from({ length: 16 }, () => openOn(pair))
    const mouse = openOn(pair)
    const mouseUpstream = await agentStream(16)
    const order: string[] = []
    for (let n = 0; n < 16; n++) {
      const { heard } = await agentStream(n)
      heard.onChange = () => order.push('elephant')
    }
    mouseUpstream.heard.onChange = () => order.push('mouse')
    for (const { stream } of elephants) stream.write(Buffer.alloc(64 * 1024))
    mouse.stream.write(Buffer.from('squeak'))
    await mouseUpstream.heard.until(() => mouseUpstream.heard.bytes.length > 0)
    await turns(40)
    expect(order.indexOf('mouse')).toBeLessThan(order.length - 1)
  })
})
