import { fail } from '@porttunneler/shared/base/errors'
import { expect, test } from 'vitest'
import { storeFailure, verdictOf } from './store.firestore.failures.ts'

const cases = [
  [3, 'final', 'store.invalid'],
  [4, 'unknown', 'store.unavailable'],
  [5, 'refused', 'cloud.refused'],
  [7, 'final', 'cloud.refused'],
  [8, 'unknown', 'store.unavailable'],
  [9, 'refused', 'cloud.index'],
  [10, 'raced', 'store.contention'],
  [13, 'unknown', 'store.unavailable'],
  [14, 'unknown', 'store.unavailable'],
  [16, 'final', 'cloud.refused'],
  [undefined, 'unknown', 'store.unavailable'],
] as const

test.each(cases)('gRPC status %s: a commit is %s, a read fails with %s', (code, verdict, key) => {
  const error = Object.assign(new Error('9 FAILED_PRECONDITION: secret/path'), { code })
  expect(verdictOf(error)).toBe(verdict)
  const failure = storeFailure(error)
  expect(failure.key).toBe(key)
  expect(failure.cause).toBe(error)
  expect(failure.detail).not.toContain('secret/path')
})

test('a failure with a code keeps it, and our own deadline leaves the outcome unknown', () => {
  const changed = fail('store.changed')
  expect(storeFailure(changed)).toBe(changed)
  expect(verdictOf(changed)).toBe('final')
  expect(verdictOf(fail('store.unavailable'))).toBe('unknown')
})
