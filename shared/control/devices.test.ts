import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../standalone/testing/control.ts'
import { authorizeDevice, decideDevice, pollDevice } from './devices.ts'
import { accounts } from './documents.ts'
import { listKeys } from './keys.ts'

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

test('a plan has room for so many keys, however many devices were approved before the first took its own', async () => {
  const ada = await t.caller('ada@example.com')
  const few = { ...ada.limits, keys: 2 }
  await t.control.store.update(accounts.ref(ada.account), { overrides: { keys: 2 } })
  const codes = []
  for (let count = 0; count < 4; count++) {
    const { deviceCode, userCode } = await authorizeDevice(t.control, asked)
    await decideDevice(t.control, { ...ada, limits: few }, { userCode, approve: true })
    codes.push(deviceCode)
  }
  const answers = []
  for (const code of codes)
    answers.push(
      await pollDevice(t.control, code, asked.from).then(
        () => 'key',
        (error) => error.key,
      ),
    )
  expect(answers).toEqual(['key', 'key', 'key.limit', 'key.limit'])
  expect((await listKeys(t.of(ada), ada, { limit: 10 })).items).toHaveLength(2)
})
