import { describe, expect, test } from 'vitest'
import { smallBytes } from './pieces.ts'
import { Turn } from './turn.ts'

/** A turn that ends when the test says so, and the pieces that it wrote. */
function setUp() {
  const ends: (() => void)[] = []
  const turn = new Turn((run) => ends.push(run))
  const written: number[] = []
  const add = (pieces = 1, bytes = 1) => {
    const flush = () => {
      written.push(pieces)
      return pieces
    }
    turn.add({ flush }, bytes)
  }
  /** A read leads to these pieces. */
  const read = (pieces = 1, bytes = 1) => {
    turn.beginRead()
    add(pieces, bytes)
    turn.endRead()
  }
  const end = () => {
    for (const run of ends.splice(0)) run()
  }
  /** How many of the next reads are written before their turn ends. */
  const early = (reads = 10) => {
    for (let n = 0; n < reads; n++) {
      const before = written.length
      read()
      if (written.length === before) return n
    }
    return reads
  }
  const converse = () => {
    for (let n = 0; n < 4; n++) {
      read()
      end()
    }
  }
  return { turn, written, add, read, end, early, converse }
}

describe('turn', () => {
  test('items that became dirty in a turn are written together, at its end', () => {
    const { written, add, read, end } = setUp()
    read()
    add(2)
    read(3)
    expect(written).toEqual([])
    end()
    expect(written).toEqual([1, 2, 3])
  })

  test('where each turn has one small piece it is written when its read ends; one in eight waits', () => {
    const { early, end, converse } = setUp()
    converse()
    expect(early()).toBe(7)
    end()
    expect(early()).toBe(7)
  })

  test.each([
    ['two pieces in one write', 2, 1],
    ['a large piece', 1, smallBytes + 1],
  ])('%s end that', (_name, pieces, bytes) => {
    const { read, early, end, converse } = setUp()
    converse()
    expect(early(3)).toBe(3)
    read(pieces, bytes)
    end()
    expect(early(1)).toBe(0)
    end()
  })

  test('two writers end that too', () => {
    const { read, add, early, end, converse } = setUp()
    converse()
    early()
    add()
    end()
    expect(early(1)).toBe(0)
    end()
    read()
    end()
    expect(early(1)).toBe(0)
  })

  test('a piece without a read waits for the end of its turn', () => {
    const { written, add, end, converse } = setUp()
    converse()
    const before = written.length
    add()
    expect(written.length).toBe(before)
    end()
    expect(written.length).toBe(before + 1)
  })

  test('what began with little is written before what began with much', () => {
    const { written, add, end } = setUp()
    add(1, smallBytes + 1)
    add(2, smallBytes)
    add(3, 64 * 1024)
    add(4)
    end()
    expect(written).toEqual([2, 4, 1, 3])
  })

  test('its number changes with what is written', () => {
    const { turn, read, end } = setUp()
    const { number } = turn
    read()
    expect(turn.number).toBe(number)
    end()
    expect(turn.number).not.toBe(number)
  })
})
