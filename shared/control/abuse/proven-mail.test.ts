/** Where the operator wants it, nobody publishes anything without a mail address that is proven. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../../standalone/testing/control.ts'
import { newId } from '../../base/ids.ts'
import type { Caller } from '../caller.ts'
import { claimLeases } from '../claims.ts'
import { authorizeDevice, decideDevice } from '../devices.ts'
import { createKey } from '../keys.ts'

let t: TestControl
let ada: Caller
beforeEach(async () => {
  t = makeTestControl()
  await t.openCell()
  ada = await t.caller('ada@example.com')
})
afterEach(() => t.close())

async function tries(provenMail: boolean, emailVerified: boolean): Promise<readonly string[]> {
  const control = { ...t.control, settings: { ...t.control.settings, provenMail } }
  const own = { ...t.of(ada), settings: control.settings }
  const person = ada.user ?? { id: ada.member, email: 'ada@example.com' }
  const caller: Caller = { ...ada, user: { ...person, emailVerified } }
  const device = await authorizeDevice(t.control, { device: 'laptop', scope: 'tunnels', from: '' })
  const agent = newId('agt', 1)
  const asked = { agent, tunnels: [{ name: 'db', kind: 'tcp' as const }], takeover: false }
  const all = [
    createKey(own, caller, { name: 'ci', scopes: ['tunnels'] }),
    decideDevice(control, caller, { userCode: device.userCode, approve: true }),
    claimLeases(control, caller, asked),
  ]
  return Promise.all(
    all.map((one: Promise<unknown>) =>
      one.then(
        () => 'done',
        (error: { key: string }) => error.key,
      ),
    ),
  )
}

test('without a proof there is no key, no device and no tunnel; with one, or without the setting, there are', async () => {
  const refused = 'auth.unverified'
  expect(await tries(true, false)).toEqual([refused, refused, refused])
  expect(await tries(true, true)).toEqual(['done', 'done', 'done'])
  expect(await tries(false, false)).toEqual(['done', 'done', 'done'])
})
