import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { limits } from '../protocol/limits.ts'
import { smallBytes } from './pieces.ts'
import { Reading } from './reading.ts'
import { Turn } from './turn.ts'

const reader = { onBytes: () => {} }
const word = Buffer.alloc(64)
const chunk = Buffer.alloc(limits.readTurnBytesBesideWords)

/** Sockets that are read when the test says so, in turns that end when it says so. */
function setUp() {
  const ends: (() => void)[] = []
  const turn = new Turn((run) => ends.push(run))
  const open = (kind?: 'local' | 'carrier') => {
    const socket = new PassThrough().resume()
    const reading = new Reading(socket, turn, kind)
    const read = (bytes: Buffer) => reading.pass(bytes, reader)
    return { socket, read }
  }
  /** Ends a turn in which something is written. */
  const end = () => {
    turn.add({ flush: () => 1 }, 1)
    for (const run of ends.splice(0)) run()
  }
  end()
  return { turn, open, end }
}

describe('reading', () => {
  test('a transfer has a smaller part of each turn while words come, and its whole part some turns later', () => {
    const { turn, open, end } = setUp()
    const transfer = open()
    const isPausedByChunk = () => {
      end()
      transfer.read(chunk)
      return transfer.socket.isPaused()
    }
    expect(isPausedByChunk()).toBe(false)
    open().read(word)
    for (let turns = 0; turns < 63; turns++) expect(isPausedByChunk()).toBe(true)
    expect(isPausedByChunk()).toBe(false)
    expect(turn.readBytes).toBe(limits.readTurnBytes)
  })

  test('the small rest of a transfer’s turn is no word, also when it had its share of the turn before', () => {
    const { turn, open, end } = setUp()
    const { socket, read } = open()
    for (const size of [limits.readTurnBytes, smallBytes, chunk.length, smallBytes]) {
      read(Buffer.alloc(size))
      expect(socket.isPaused()).toBe(size === limits.readTurnBytes)
      end()
      expect(turn.readBytes).toBe(limits.readTurnBytes)
    }
  })

  test('small reads of a carrier are no words: they are mostly the credit of transfers', () => {
    const { turn, open, end } = setUp()
    const { read } = open('carrier')
    for (let turns = 0; turns < 3; turns++) {
      read(word)
      end()
    }
    expect(turn.readBytes).toBe(limits.readTurnBytes)
  })
})
