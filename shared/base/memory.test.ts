import { expect, test } from 'vitest'
import { heapLimitBytes, heapUsedBytes, residentReader } from './memory.ts'

test('memory: a process that cannot read the figure (EMFILE) goes on with what it knows, never with less', () => {
  let answer: number | undefined = 2 ** 50
  const read = residentReader(() => {
    if (answer === undefined) throw Object.assign(new Error('too many open files'), { code: 'EMFILE' })
    return answer
  })
  expect(read()).toBe(2 ** 50)
  answer = undefined
  expect(read()).toBe(2 ** 50)
  const fromStart = residentReader(() => {
    throw new Error('EMFILE')
  })
  expect(fromStart(), "V8's own figures").toBeGreaterThan(heapUsedBytes())
  answer = 5
  expect(read()).toBe(5)
})

test('memory: room for new objects does not count for live ones, however its size was set', () => {
  const MiB = 1024 ** 2
  expect(heapLimitBytes(60 * MiB, ['--max-semi-space-size=8'])).toBe(36 * MiB)
  expect(heapLimitBytes(4_096 * MiB, ['--max_semi_space_size=16', '--x'])).toBe(4_048 * MiB)
  expect(heapLimitBytes(4_288 * MiB, []), 'the largest default').toBe(4_096 * MiB)
  expect(heapLimitBytes(60 * MiB, []), 'never nothing').toBe(30 * MiB)
})

test('memory: a limit that Node was started with is the limit, whatever V8 has for new objects', () => {
  const MiB = 1024 ** 2
  expect(heapLimitBytes(228 * MiB, ['--max-old-space-size=36'])).toBe(36 * MiB)
  expect(heapLimitBytes(60 * MiB, ['--max_semi_space_size=8', '--max_old_space_size=36'])).toBe(36 * MiB)
})

test('memory: the heap has a limit, and this process is below it', () => {
  expect(heapLimitBytes()).toBeGreaterThan(heapUsedBytes())
})
