import { expect, test } from 'vitest'
import { heapLimitBytes, heapUsedBytes, residentReader } from './memory.ts'

test('memory: a process that is refused the figure (EMFILE) goes on by what it knows, never by less', () => {
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

test('memory: the heap has a limit, and this process is below it', () => {
  expect(heapLimitBytes()).toBeGreaterThan(heapUsedBytes())
})
