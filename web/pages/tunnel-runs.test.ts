import { expect, test } from 'vitest'
import { runsOf } from './tunnel-runs.ts'

test('an error that goes on is one run, another code or a pause begins another, the newest first', () => {
  const codes = new Map([
    [180, { 502: 4 }],
    [0, { 502: 1, 404: 1 }],
    [60, { 502: 2 }],
    [300, { 502: 8 }],
  ])
  expect(runsOf(codes, 120)).toEqual([
    { code: '404', from: 0, to: 0, count: 1 },
    { code: '502', from: 0, to: 300, count: 15 },
  ])
  expect(runsOf(codes, 60).filter(({ code }) => code === '502')).toEqual([
    { code: '502', from: 300, to: 300, count: 8 },
    { code: '502', from: 180, to: 180, count: 4 },
    { code: '502', from: 0, to: 60, count: 3 },
  ])
})
