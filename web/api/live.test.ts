import type { LiveSample } from '@porttunneler/shared/api/schemas/tunnels'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { describe, expect, test } from 'vitest'
import { ApiFailure } from './failure.ts'
import { LiveFeed, type LiveOptions } from './live.ts'
import { readSamples } from './live-stream.ts'

const figures = { in: 0, out: 0, opened: 0, refused: 0, active: 1, attached: true }
const sampleAt = (at: number): LiveSample => ({ at, tunnels: { t: { ...figures, in: at, active: 3 } } })

function streamOf(...chunks: Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk)
      controller.close()
    },
  })
}

describe('live stream', () => {
  const bytes = new TextEncoder().encode(
    `: hello é\n\ndata: ${JSON.stringify(sampleAt(1))}\n\nevent: later\r\ndata: {"x":1}\r\n\r\ndata: no json\n\ndata: ${JSON.stringify(sampleAt(2))}\n\n`,
  )

  test('split at any byte it gives the same samples, and skips what is none', async () => {
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const taken: number[] = []
      await readSamples(streamOf(bytes.slice(0, cut), bytes.slice(cut)), ({ at }) => taken.push(at))
      expect(taken, `cut at ${cut}`).toEqual([1, 2])
    }
  })

  test('figures that are no numbers are no sample', async () => {
    const taken: LiveSample[] = []
    const bad = JSON.stringify({ at: 1, tunnels: { t: { ...figures, in: 'many' } } })
    await readSamples(streamOf(new TextEncoder().encode(`data: ${bad}\n\n`)), (sample) => taken.push(sample))
    expect(taken).toEqual([])
  })

  test('an event without end is refused instead of kept', async () => {
    const line = new Uint8Array(1_000_000).fill(97)
    await expect(readSamples(streamOf(line, line, line, line, line), () => undefined)).rejects.toThrow()
  })
})

type Open = {
  readonly source: string
  readonly ticket: string
  readonly signal: AbortSignal
  readonly sample: (sample: LiveSample) => void
  readonly end: (error?: Error) => void
}

/** Relays moved by hand: every stream the feed opens is listed until it ends. */
function makeRelays(sources: readonly string[]) {
  const clock = new FakeClock()
  const open = new Set<Open>()
  let tickets = 0
  const options: LiveOptions = {
    clock,
    random: () => 0,
    watch: async () => {
      tickets += 1
      return { ticket: `ticket ${tickets}`, expiresAt: clock.now() + 60_000, sources: [...sources] }
    },
    openStream: (source, ticket, { signal, onSample }) =>
      new Promise((resolve, reject) => {
        const end = (error?: Error) => {
          open.delete(entry)
          if (error) reject(error)
          else resolve()
        }
        const entry: Open = { source, ticket, signal, sample: onSample, end }
        open.add(entry)
        signal.addEventListener('abort', () => end(new Error('aborted')))
      }),
  }
  const feed = new LiveFeed(options)
  return {
    clock,
    feed,
    options,
    open: () => [...open].map(({ source, ticket }) => `${source} ${ticket}`),
    stream: (source: string) => [...open].findLast((entry) => entry.source === source),
    settle: () => clock.advanceAsync(1, 1),
  }
}

describe('live feed', () => {
  test('a call to relays gets a ticket that is good for it, and no new one for each call', async () => {
    const { feed, clock } = makeRelays(['a'])
    const signal = new AbortController().signal
    const asked = async () => (await feed.grant(signal)).ticket
    expect([await asked(), await asked()]).toEqual(['ticket 1', 'ticket 1'])
    clock.advance(46_000)
    expect(await asked()).toBe('ticket 2')
    feed.forget()
    expect(await asked()).toBe('ticket 3')
  })

  test('a tunnel is told of as changed only while it does something, and a minute longer', async () => {
    const { clock, feed, stream, settle } = makeRelays(['a'])
    feed.start()
    await settle()
    const send = (at: number, busy: number) =>
      stream('a')?.sample({ at, tunnels: { busy: { ...figures, in: busy }, idle: figures } })
    const revisions = () => [feed.revision('busy'), feed.revision('idle')]
    for (const at of [0, 1_000, 2_000]) {
      send(at, at)
      await clock.advanceAsync(1_000, 1_000)
    }
    const [busy = 0, idle = 0] = revisions()
    expect(busy).toBeGreaterThan(idle)
    for (let at = 3_000; at < 80_000; at += 1_000) {
      send(at, 2_000)
      await clock.advanceAsync(1_000, 1_000)
    }
    const [later = 0, stillIdle] = revisions()
    expect(stillIdle).toBe(idle)
    expect(later).toBeGreaterThan(busy + 50)
    send(80_000, 2_000)
    await clock.advanceAsync(1_000, 1_000)
    expect(revisions()).toEqual([later, idle])
    feed.forget()
    expect(revisions()).toEqual([0, 0])
  })

  test('a ticket is renewed ahead of its end, and old streams close only when new ones tell something', async () => {
    const { clock, feed, open, stream, settle } = makeRelays(['a'])
    feed.start()
    await settle()
    expect(open()).toEqual(['a ticket 1'])
    stream('a')?.sample(sampleAt(1))
    await clock.advanceAsync(45_000, 1_000)
    expect(open()).toEqual(['a ticket 1', 'a ticket 2'])
    stream('a')?.sample(sampleAt(2))
    await settle()
    expect(open()).toEqual(['a ticket 2'])
    feed.pause()
    await settle()
    expect(open()).toEqual([])
  })

  test('figures of all relays are added up every second, and history follows', async () => {
    const { clock, feed, stream, settle } = makeRelays(['a', 'b'])
    feed.start()
    await settle()
    expect(feed.status).toBe('connecting')
    stream('a')?.sample(sampleAt(1_000))
    expect(feed.status).toBe('partial')
    stream('b')?.sample(sampleAt(1_000))
    await clock.advanceAsync(1_000, 500)
    expect(feed.status).toBe('live')
    expect(feed.figures('t')?.active).toBe(6)
    expect(feed.figures('another')?.active).toBe(0)
    expect(feed.columns('t').active).toEqual([6])
    feed.pause()
  })

  test('a refused ticket brings a new one, a broken stream comes back with the same', async () => {
    const { clock, feed, open, stream, settle } = makeRelays(['a'])
    feed.start()
    await settle()
    stream('a')?.end(new Error('network'))
    await clock.advanceAsync(600, 100)
    expect(open()).toEqual(['a ticket 1'])
    expect(feed.status).toBe('lost')
    stream('a')?.end(new ApiFailure({ title: 'Refused', status: 401, code: 'PT-0014' }))
    await clock.advanceAsync(600, 100)
    expect(open()).toEqual(['a ticket 2'])
    expect(feed.failure?.problem.code).toBe('PT-0014')
    stream('a')?.sample(sampleAt(1))
    expect(feed.failure).toBeUndefined()
    feed.pause()
  })

  test('a tunnel that came up after the ticket gets figures at once', async () => {
    const { clock, feed, open, settle } = makeRelays(['a'])
    feed.start()
    await settle()
    feed.expect([{ id: 't', state: 'healthy' }])
    await settle()
    expect(open(), 'read together with the ticket').toEqual(['a ticket 1'])
    await clock.advanceAsync(5_000, 1_000)
    feed.expect([
      { id: 't', state: 'healthy' },
      { id: 'fresh', state: 'healthy' },
    ])
    await settle()
    expect(open()).toEqual(['a ticket 1', 'a ticket 2'])
    feed.pause()
  })

  test('nothing to watch is no trouble', async () => {
    const { feed, settle } = makeRelays([])
    feed.start()
    await settle()
    expect(feed.status).toBe('idle')
    feed.pause()
  })

  test('a failing control plane is told and asked again, later and later', async () => {
    const { clock, options } = makeRelays([])
    let asked = 0
    const feed = new LiveFeed({
      ...options,
      watch: async () => {
        asked += 1
        throw new ApiFailure({ title: 'Store not available', status: 503, code: 'PT-0014' })
      },
    })
    feed.start()
    await clock.advanceAsync(4_000, 100)
    expect(feed.status).toBe('lost')
    expect(feed.failure?.problem.code).toBe('PT-0014')
    expect(asked).toBe(4)
    feed.pause()
  })

  test('signing out leaves nothing behind', async () => {
    const { clock, feed, stream, settle } = makeRelays(['a'])
    feed.start()
    await settle()
    stream('a')?.sample(sampleAt(1))
    await clock.advanceAsync(1_000, 500)
    feed.forget()
    await clock.advanceAsync(1, 1)
    expect(feed.status).toBe('paused')
    expect(feed.figures('t')).toBeUndefined()
    expect(feed.columns('t').at).toEqual([])
    expect(clock.pending).toBe(0)
  })
})
