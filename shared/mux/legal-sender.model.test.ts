/**
 * Our own senders never reach a limit of the receiver, whatever the path: a cut and what is repeated after it, many
 * streams, many resets, bytes for as long as there are marks. Real sessions and carriers over simulated paths.
 */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { limits } from '../protocol/limits.ts'
import { isWhole } from '../testing/breadth.ts'
import { anyVisitor } from '../testing/mux-pair.ts'
import { Counting, type Path, SlowLink } from '../testing/slow-path.ts'
import { Budget } from './budget.ts'
import { Carrier } from './carrier.ts'
import type { Stream } from './stream.ts'

const rates = { '10 Mbit/s': 1_250, '100 Mbit/s': 12_500, '1 Gbit/s': 125_000, '10 Gbit/s': 1_250_000 }
const paths = Object.entries(rates).flatMap(([rate, bytesPerMs]) =>
  [1, 10, 100, 300].map((rttMs) => ({ rate, rttMs, bytesPerMs })),
)
const crowded = [
  { rate: '10 Mbit/s', bytesPerMs: 1_250, rttMs: 300 },
  { rate: '1 Gbit/s', bytesPerMs: 125_000, rttMs: 1 },
  { rate: '10 Gbit/s', bytesPerMs: 1_250_000, rttMs: 100 },
]
/** The slowest and the fastest path, one that is long and fast, and one between them, stand for all. */
const chosen = isWhole
  ? paths
  : paths.filter(({ bytesPerMs, rttMs }) =>
      ['1250 300', '12500 10', '1250000 1', '1250000 300'].includes(`${bytesPerMs} ${rttMs}`),
    )
const many = 40_000
const bulk = Buffer.alloc(64 * 1024)
const word = Buffer.alloc(300)

type Party = { readonly stream: Stream; readonly sink: Counting }

afterEach(() => {
  vi.restoreAllMocks()
})

function linked(path: Path, isHungry = true, kind: Carrier['kind'] = 'shared') {
  const upstreams: Party[] = []
  const agent = {
    onOpen(stream: Stream) {
      const sink = new Counting(isHungry)
      sink.stream = stream
      upstreams.push({ stream, sink })
      stream.opened(1)
      return sink
    },
  }
  const link = new SlowLink(path, { agent }, kind)
  const visitors: Party[] = []
  const open = () => {
    const sink = new Counting(isHungry)
    const stream = link.sessions.relay.open(anyVisitor, sink)
    sink.stream = stream
    visitors.push({ stream, sink })
    return stream
  }
  return { link, open, upstreams, visitors }
}

function expectUnharmed({ losses, closed }: SlowLink): void {
  expect(losses.map(({ side, reason }) => `${side}: ${reason.message}`)).toEqual([])
  expect(closed).toEqual({})
}

/** A program that writes whenever the stream accepts it. @returns how much */
function writer({ stream, sink }: { stream: Stream; sink: Counting }): () => number {
  let bytes = 0
  let heard = -1
  return () => {
    if (heard === sink.writableTotal) return bytes
    heard = sink.writableTotal
    let isTaken = true
    for (let chunks = 0; isTaken && chunks < 64; chunks++) {
      isTaken = stream.write(bulk)
      bytes += bulk.length
    }
    if (isTaken) heard = -1
    return bytes
  }
}

describe('a legal sender', () => {
  test.each([
    ...chosen.map((path) => ({ ...path, kind: 'shared' as const })),
    ...(isWhole ? crowded : crowded.slice(1, 2)).map((path) => ({ ...path, kind: 'dedicated' as const })),
  ])('one stream each way, cut three times: $rate, $rttMs ms, $kind', ({ bytesPerMs, rttMs, kind }) => {
    const { link, open, upstreams, visitors } = linked({ bytesPerMs, rttMs }, true, kind)
    const pings = vi.spyOn(Carrier.prototype, 'ping')
    open()
    link.pass(2 * rttMs + 5)
    const [upstream, visitor] = [upstreams[0] as Party, visitors[0] as Party]
    const [writeUp, writeDown] = [writer(upstream), writer(visitor)]
    for (let cuts = 0; cuts < 3; cuts++) {
      for (let passed = 0; passed < 60 + 8 * rttMs; passed += 2) {
        writeUp()
        writeDown()
        link.pass(2)
      }
      link.cut()
      link.pass(rttMs)
      link.join()
    }
    const isWhole = () =>
      upstream.sink.bytes === visitor.stream.bytesOut && visitor.sink.bytes === upstream.stream.bytesOut
    for (let waits = 0; waits < 2_000 && !(isWhole() && !visitor.stream.canPump); waits++) link.pass(20)
    expectUnharmed(link)
    expect(isWhole()).toBe(true)
    expect(pings.mock.calls.length / 2).toBeLessThan(20 + link.clock.monotonic() / limits.markEveryMs)
  })

  const kinds = [
    ...crowded.map((path) => ({ ...path, kind: 'shared' as const })),
    { rate: '10 Mbit/s', bytesPerMs: 1_250, rttMs: 300, kind: 'dedicated' as const },
  ]
  test.each(isWhole ? kinds : kinds.slice(1, 2))(
    '40,000 streams, cut twice, then all are reset: $rate, $rttMs ms, $kind',
    ({ kind, ...path }) => {
      const { link, open, upstreams, visitors } = linked(path, false, kind)
      const settle = (isDone: () => boolean) => {
        for (let waits = 0; waits < 4_000 && !isDone(); waits++) link.pass(20)
        expectUnharmed(link)
      }
      // A present session has memory for some 16,000; the limits of the wire must hold for as many as they allow.
      vi.spyOn(Budget.prototype, 'take').mockReturnValue(true)
      // All of them come while the path stands still.
      for (let n = 0; n < many; n++) open().write(word)
      settle(() => upstreams.length === many && upstreams.every(({ sink }) => sink.bytes === word.length))
      for (const { stream } of upstreams) stream.write(word)
      link.cut()
      link.pass(50)
      link.join()
      link.pass(path.rttMs)
      link.cut()
      link.join()
      settle(() => visitors.every(({ sink }) => sink.bytes === word.length))
      const half = many / 2
      for (const { stream } of visitors.slice(0, half)) stream.reset('stream.aborted')
      for (const { stream } of upstreams.slice(half)) stream.reset('stream.aborted')
      const { relay, agent } = link.sessions
      settle(() => relay.activeStreams === 0 && agent.activeStreams === 0)
      expect([relay.activeStreams, agent.activeStreams]).toEqual([0, 0])
    },
  )
})
