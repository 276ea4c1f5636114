import { describe, expect, test } from 'vitest'
import type { Carrier } from './carrier.ts'
import { Place, Schedule } from './schedule.ts'

/** A carrier that accepts `room` bytes before it is full, and streams that record what they sent on it. */
function slowCarrier() {
  const schedule = new Schedule()
  const sent: string[] = []
  let room = 0
  const carrier = {
    get canSend() {
      return room > 0
    },
  } as Carrier
  const stream = (name: string) => {
    const one = {
      carrier,
      waits: 0,
      get canPump() {
        return one.waits > 0
      },
      pump(_carrier: Carrier, bytesMax: number) {
        const bytes = Math.min(one.waits, bytesMax)
        one.waits -= bytes
        room -= bytes
        sent.push(name)
        return bytes
      },
      write(bytes: number) {
        one.waits += bytes
        schedule.add(place)
      },
      offer() {},
    }
    const place = new Place(one)
    return { write: one.write, place }
  }
  /** What is sent next, and by which stream, when this many bytes get through. */
  const pass = (bytes: number) => {
    sent.length = 0
    room = bytes
    schedule.serve(carrier)
    return [...sent]
  }
  return { schedule, stream, pass }
}

const record = 16 * 1024

describe('schedule', () => {
  test('a short message overtakes large senders, again and again while it is short', () => {
    const { stream, pass } = slowCarrier()
    const big = Array.from({ length: 60 }, (_, n) => stream(`${n}`))
    for (const one of big) one.write(10_000_000)
    pass(60 * record)
    const word = stream('word')
    for (let n = 0; n < 10; n++) {
      word.write(64)
      expect(pass(record)[0]).toBe('word')
    }
  })

  test('a stream that used its share of a round waits for the next one', () => {
    const { stream, pass } = slowCarrier()
    const big = Array.from({ length: 60 }, (_, n) => stream(`${n}`))
    for (const one of big) one.write(10_000_000)
    pass(60 * record)
    const greedy = stream('greedy')
    let turns = 0
    for (let n = 0; n < 60; n++) {
      greedy.write(record / 2)
      turns += pass(record).filter((name) => name === 'greedy').length
    }
    expect(turns, 'two halves, and what the next round allows').toBeLessThanOrEqual(4)
  })

  test('all large senders get the same, whatever small ones do', () => {
    const { stream, pass } = slowCarrier()
    const names = ['a', 'b', 'c', 'd']
    for (const name of names) stream(name).write(10_000_000)
    const word = stream('word')
    const turns: string[] = []
    for (let n = 0; n < 400; n++) {
      word.write(64)
      turns.push(...pass(record))
    }
    const counts = names.map((name) => turns.filter((one) => one === name).length)
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2)
  })

  test('no waiting stream is left when the carrier is lost', () => {
    const { schedule, stream, pass } = slowCarrier()
    const [one, other] = [stream('one'), stream('other')]
    one.write(100_000)
    other.write(100_000)
    pass(record)
    expect(schedule.drain()).toHaveLength(2)
    expect(schedule.isEmpty).toBe(true)
    expect([one.place.isQueued, other.place.isQueued]).toEqual([false, false])
  })
})
