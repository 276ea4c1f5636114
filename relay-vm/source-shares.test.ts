import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { expect, test } from 'vitest'
import { SourceShares } from './source-shares.ts'

/** Connections from several addresses; each works for some ms with a few bytes. */
function setUp() {
  const clock = new FakeClock()
  const sources = new SourceShares(clock, ['192.0.2.0/24'])
  const join = (address: string) => {
    const worker = {
      isWaiting: false,
      setWaiting(isWaiting: boolean) {
        this.isWaiting = isWaiting
      },
    }
    const work = sources.join(address, worker)
    const read = (ms: number) => {
      const startMs = clock.monotonic()
      clock.advance(ms)
      work.read(startMs, 1)
    }
    return { worker, work, read }
  }
  return { clock, sources, join }
}

test('an address rests with all of its connections, and its neighbours do not', () => {
  const { clock, join } = setUp()
  const [greedy, again, neighbour] = [join('198.51.100.1'), join('198.51.100.1'), join('198.51.100.2')]
  neighbour.read(0.1)
  greedy.read(6)
  expect([greedy, again, neighbour].map(({ worker }) => worker.isWaiting)).toEqual([true, true, false])
  clock.advance(12.1)
  expect(greedy.worker.isWaiting).toBe(false)
})

test.each([
  ['/24', '198.51.100.1', '198.51.100.2', '203.0.113.1'],
  ['/48', '2001:db8:1:1::1', '2001:db8:1:2::1', '2001:db8:2::1'],
])('a network that takes address after address rests as a whole: %s', (_name, one, two, other) => {
  const { join } = setUp()
  const [first, second, elsewhere] = [join(one), join(two), join(other)]
  elsewhere.read(0.1)
  for (let n = 0; n < 3; n++) {
    first.read(1.5)
    second.read(1.5)
  }
  expect([first, second, elsewhere].map(({ worker }) => worker.isWaiting)).toEqual([true, true, false])
})

test('an exempt network waits for nothing, and others wait for it', () => {
  const { join } = setUp()
  const [own, greedy] = [join('192.0.2.1'), join('198.51.100.1')]
  for (const { read } of [greedy, own, greedy]) read(50)
  expect([own.worker.isWaiting, greedy.worker.isWaiting]).toEqual([false, true])
})

test('a source that hangs up and comes again still owes what it took, and nothing is left when that is paid', () => {
  const { clock, join } = setUp()
  const neighbour = join('203.0.113.1')
  let tookMs = 0
  const startMs = clock.monotonic()
  while (clock.monotonic() - startMs < 10_000) {
    neighbour.read(0.1)
    const { worker, work, read } = join('198.51.100.1')
    if (worker.isWaiting) clock.advance(1)
    else {
      read(20)
      tookMs += 20
    }
    work.close()
  }
  expect(tookMs / 10_000).toBeLessThan(0.4)
  clock.advance(100)
  expect(clock.pending).toBe(0)
})

test('ends of connections count for their source, and make its other connections wait', () => {
  const { sources, join } = setUp()
  const [greedy, neighbour] = [join('198.51.100.1'), join('198.51.100.2')]
  neighbour.read(0.1)
  for (let n = 0; n < 79; n++) sources.ended('198.51.100.1')
  expect(greedy.worker.isWaiting).toBe(false)
  for (let n = 0; n < 10; n++) sources.ended('198.51.100.1')
  expect([greedy.worker.isWaiting, neighbour.worker.isWaiting]).toEqual([true, false])
})
