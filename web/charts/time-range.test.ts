import { expect, test } from 'vitest'
import { ranges, readRange, spanOf } from './time-range.ts'

const minute = 60_000
const day = 24 * 60 * minute
const now = Date.UTC(2026, 5, 1)
const part = (from: number, to: number) => spanOf({ name: '1h', zoom: { from, to } }, now).stepMs

test('an address that makes no sense shows an hour, and a part needs two ends in order', () => {
  expect(readRange('range=constructor&from=5')).toEqual({ name: '1h', zoom: undefined })
  expect(readRange(`from=${now}&to=${now - 1}`).zoom).toBeUndefined()
  expect(readRange(`range=7d&from=${now}&to=${now + minute}`)).toEqual({
    name: '7d',
    zoom: { from: now, to: now + minute },
  })
})

test('each range ends now and has no more points than a chart of its step', () => {
  for (const name of Object.keys(ranges) as (keyof typeof ranges)[]) {
    const { from, to, stepMs } = spanOf({ name, zoom: undefined }, now)
    expect(to).toBe(now)
    expect((to - from) / Math.max(minute, stepMs), name).toBeLessThan(1_000)
  }
})

test('a part is as fine as what is still kept of its time, in steps that the server takes', () => {
  expect(part(now - 5 * minute, now)).toBe(1_000)
  expect(part(now - 60 * minute, now - 50 * minute)).toBe(10_000)
  expect(part(now - 2 * day, now - 2 * day + 30 * minute)).toBe(minute)
  expect(part(now - 8 * day, now - minute)).toBe(60 * minute)
  expect(part(now - 60 * day, now - 59 * day)).toBe(60 * minute)
  expect(part(now - 390 * day, now)).toBe(day)
})
