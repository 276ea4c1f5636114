import { describe, expect, test } from 'vitest'
import { FrameType } from '../protocol/frames.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { anyVisitor, muxPair, Recorder } from '../testing/mux-pair.ts'
import { Endings, endingsPerTurn } from './endings.ts'

const anyReset = { buffer: Buffer.of(0, 1), start: 0, length: 2 }
const nextTurn = () => new Promise(setImmediate)

/** Turns that a test ends by hand. */
function setUp() {
  const turns: (() => void)[] = []
  const endings = new Endings((run) => turns.push(run))
  const told: string[] = []
  const end = (owner: object, name: string, count: number) => {
    for (let n = 1; n <= count; n++) endings.add(owner, () => told.push(`${name}${n}`))
  }
  const nextTurn = () => {
    for (const run of turns.splice(0)) run()
  }
  return { endings, told, end, nextTurn, turns }
}

describe('ends of connections', () => {
  test('that are few are told at once', () => {
    const { told, end, nextTurn, turns } = setUp()
    end({}, 'a', endingsPerTurn)
    expect(told).toHaveLength(endingsPerTurn)
    nextTurn()
    expect(turns, 'an idle process has no turns').toEqual([])
  })

  test('of a crowd are told a share a turn, in order, and each once', () => {
    const { told, end, nextTurn, turns } = setUp()
    end({}, 'a', 10 * endingsPerTurn)
    for (let turn = 1; turn <= 10; turn++) {
      expect(told).toHaveLength(turn * endingsPerTurn)
      nextTurn()
    }
    nextTurn()
    expect(turns).toEqual([])
    expect(told).toEqual(Array.from({ length: 10 * endingsPerTurn }, (_, n) => `a${n + 1}`))
  })

  test('of a crowd delay no other owner’s by more than a turn', () => {
    const { told, end, nextTurn } = setUp()
    end({}, 'a', 100 * endingsPerTurn)
    const modest = {}
    end(modest, 'b', 1)
    nextTurn()
    expect(told).toContain('b1')
    end(modest, 'c', 2)
    nextTurn()
    expect(told).toEqual(expect.arrayContaining(['c1', 'c2']))
  })

  test('that cause others have them as a part, before the next, and after a failure too', () => {
    const { endings, told, end, nextTurn } = setUp()
    const owner = {}
    end(owner, 'a', endingsPerTurn)
    endings.add(owner, () => end(owner, 'part', 1))
    end(owner, 'next', 1)
    nextTurn()
    expect(told.slice(-2)).toEqual(['part1', 'next1'])
    const fault = () => {
      throw new Error('a fault of an ending')
    }
    expect(() => endings.add(owner, fault)).toThrow('a fault of an ending')
    end(owner, 'b', endingsPerTurn)
    end({}, 'c', 1)
    expect(told, 'a turn has its share and no more').not.toContain('c1')
  })

  test('of all streams of a session that is lost come in shares, and nothing is left of it', async () => {
    const pair = muxPair({ clock: new FakeClock() })
    const visitors = Array.from({ length: 3 * endingsPerTurn }, () => {
      const heard = new Recorder()
      return { heard, stream: pair.relay.open(anyVisitor, heard) }
    })
    pair.relay.close('session.closed')
    const told = () => visitors.filter(({ heard }) => heard.resetCode !== undefined).length
    expect(told()).toBe(endingsPerTurn)
    for (const { stream } of visitors) stream.write(Buffer.alloc(9))
    await nextTurn()
    expect(told()).toBe(2 * endingsPerTurn)
    await nextTurn()
    await nextTurn()
    expect(told()).toBe(visitors.length)
    expect(pair.budgets.relay.usedBytes, 'also of what was written meanwhile').toBe(0)
  })

  test('that come later than their frames count for the account that sent them', async () => {
    const pair = muxPair({ clock: new FakeClock() })
    const counted: boolean[] = []
    pair.carriers.relay.countAs(
      () => ({ worked: (_startMs: number, isSmall: boolean) => counted.push(isSmall), close() {} }) as never,
    )
    const streams = Array.from({ length: 2 * endingsPerTurn }, () =>
      pair.relay.open(anyVisitor, new Recorder()),
    )
    for (const { id } of streams) pair.relay.onFrame(pair.carriers.relay, FrameType.reset, id, anyReset)
    expect(counted, 'the first are counted by the read that brought them').toHaveLength(0)
    await nextTurn()
    expect(counted).toHaveLength(endingsPerTurn)
  })
})
