import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../standalone/testing/control.ts'
import { authorizeDevice } from './devices.ts'

let t: TestControl
beforeEach(() => {
  t = makeTestControl()
})
afterEach(() => t.close())

const asked = { device: 'laptop', scope: undefined, from: '192.0.2.1' }

test('who can foretell the dice that pace retries can foretell no user code', async () => {
  const foretold = { ...t.control, random: () => 0 }
  const codes = new Set<string>()
  for (let count = 0; count < 20; count++) codes.add((await authorizeDevice(foretold, asked)).userCode)
  expect(codes.size).toBe(20)
  for (const code of codes) expect(code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/)
})
