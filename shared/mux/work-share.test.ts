import { describe, expect, test } from 'vitest'
import { encodeJson, FrameType } from '../protocol/frames.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { muxPair } from '../testing/mux-pair.ts'
import { JointWork, LoopWork, WorkShare, wakenPerTurn } from './work-share.ts'

/** Two accounts of one relay. */
function setUp() {
  const clock = new FakeClock()
  const loop = new LoopWork({ clock })
  const [greedy, modest] = [new WorkShare(loop), new WorkShare(loop)]
  const work = (share: WorkShare, ms: number, isSmall = true) => {
    const startMs = clock.monotonic()
    clock.advance(ms)
    share.worked(startMs, clock.monotonic(), isSmall)
  }
  const join = (share: WorkShare) => {
    const worker = {
      isWaiting: false,
      setWaiting(isWaiting: boolean) {
        this.isWaiting = isWaiting
      },
    }
    new JointWork([share], worker)
    return worker
  }
  return { clock, greedy, modest, work, join }
}

describe('an account at the event loop of a relay', () => {
  test('that is alone has all of it', () => {
    const { greedy, work, join } = setUp()
    const worker = join(greedy)
    for (let n = 0; n < 5; n++) work(greedy, 10)
    expect(worker.isWaiting).toBe(false)
  })

  test('rests twice as long as its small frames took, on all of its connections, while others work', () => {
    const { clock, greedy, modest, work, join } = setUp()
    const [first, second, other] = [join(greedy), join(greedy), join(modest)]
    work(modest, 0.1)
    work(greedy, 4)
    expect([first.isWaiting, second.isWaiting, other.isWaiting]).toEqual([true, true, false])
    const later = join(greedy)
    expect(later.isWaiting, 'a further connection is no way around it').toBe(true)
    clock.advance(7.9)
    expect(first.isWaiting).toBe(true)
    clock.advance(0.2)
    expect([first.isWaiting, second.isWaiting, later.isWaiting]).toEqual([false, false, false])
  })

  test('wakes its connections a few a turn, the longest waiting first, and no more while it rests again', () => {
    const { clock, greedy, modest, work, join } = setUp()
    const workers = Array.from({ length: 3 * wakenPerTurn }, () => join(greedy))
    const awake = () => workers.flatMap(({ isWaiting }, n) => (isWaiting ? [] : n))
    work(modest, 0.1)
    work(greedy, 4)
    expect(awake()).toEqual([])
    clock.advance(8.1)
    expect(awake()).toEqual(Array.from({ length: wakenPerTurn }, (_, n) => n))
    // What is read of these takes time again.
    const nowMs = clock.monotonic()
    greedy.worked(nowMs - 1, nowMs, true)
    expect(awake()).toEqual([])
    while (awake().length === 0) clock.advance(0.5)
    expect(awake()).toEqual(Array.from({ length: wakenPerTurn }, (_, n) => n + wakenPerTurn))
    clock.advance(10)
    expect(awake()).toHaveLength(workers.length)
    expect(clock.pending).toBe(0)
  })

  test('has a third of the loop, whatever its frames look like', () => {
    const { clock, greedy, modest, work, join } = setUp()
    const worker = join(greedy)
    let tookMs = 0
    const startMs = clock.monotonic()
    while (clock.monotonic() - startMs < 10_000) {
      work(modest, 0.05)
      if (worker.isWaiting) continue
      work(greedy, 0.4)
      tookMs += 0.4
    }
    expect(tookMs / 10_000).toBeGreaterThan(0.3)
    expect(tookMs / 10_000).toBeLessThan(0.36)
  })

  test('pays nothing for data, which windows bound', () => {
    const { greedy, modest, work, join } = setUp()
    const worker = join(greedy)
    work(modest, 0.1)
    for (let n = 0; n < 100; n++) work(greedy, 10, false)
    expect(worker.isWaiting).toBe(false)
  })

  test('owes little for a pause of the whole process, and nothing when the others have gone', () => {
    const { clock, greedy, modest, work, join } = setUp()
    const worker = join(greedy)
    work(modest, 0.1)
    work(greedy, 900)
    clock.advance(101)
    expect(worker.isWaiting).toBe(false)
    clock.advance(1_000)
    work(greedy, 10)
    expect(worker.isWaiting).toBe(false)
  })

  test('is not read while it rests, and counts what its carriers read', () => {
    const { clock, greedy, modest, work } = setUp()
    const pair = muxPair({ clock })
    const socket = pair.wire.a
    pair.carriers.relay.countAs((worker) => new JointWork([greedy], worker))
    work(modest, 0.1)
    work(greedy, 2)
    expect(socket.isPaused()).toBe(true)
    clock.advance(4.1)
    expect(socket.isPaused()).toBe(false)
    const counted: boolean[] = []
    greedy.worked = (_startMs, _nowMs, isSmall) => void counted.push(isSmall)
    socket.emit('data', encodeJson(FrameType.unbind, { bind: 1 }))
    expect(counted, 'a frame that is no DATA').toEqual([true])
    pair.carriers.relay.end()
    work(modest, 0.1)
    WorkShare.prototype.worked.call(greedy, clock.monotonic() - 9, clock.monotonic(), true)
    expect(socket.isPaused(), 'one that ends is read to its end').toBe(false)
  })

  test('and its network: a connection waits while either of them rests, and pays nothing for plain data', () => {
    const { clock, greedy, modest, join } = setUp()
    const network = new WorkShare(new LoopWork({ clock }), { freeMs: 1, restFactor: 4 })
    const neighbour = join(network)
    const worker = {
      isWaiting: false,
      setWaiting: (is: boolean) => void Object.assign(worker, { isWaiting: is }),
    }
    const work = new JointWork([greedy, network], worker)
    const read = (ms: number, bytes: number) => {
      const startMs = clock.monotonic()
      clock.advance(ms)
      work.read(startMs, bytes)
    }
    const [other, elsewhere] = [new JointWork([modest], worker), new WorkShare(new LoopWork({ clock }))]
    other.read(clock.monotonic(), 1)
    elsewhere.worked(0, 0, true)
    read(5, 1_000_000)
    expect(worker.isWaiting, '5 ms for a megabyte').toBe(false)
    read(5, 64)
    expect([worker.isWaiting, neighbour.isWaiting], 'alone in its network').toEqual([true, false])
    clock.advance(10.1)
    expect(worker.isWaiting).toBe(false)
    work.close()
    read(50, 1)
    expect(worker.isWaiting, 'it is gone').toBe(false)
  })
})
