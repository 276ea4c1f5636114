/** Alerts about transfer, in the transaction that counts it. */
import { expect, test } from 'vitest'
import { makeTestControl } from '../../../standalone/testing/control.ts'
import { type AlertDoc, alertRef } from './alert-documents.ts'
import { lookToAlertOfTransfer } from './payments.ts'

const account = 'acc_1'

test('a new period whose first hours use all of it ends one alert and begins another, in one transaction', async () => {
  const t = makeTestControl()
  const count = (percent: number, isNew: boolean) =>
    t.control.store.transact(async (tx) =>
      (await lookToAlertOfTransfer(tx, { account, percent, isNew, nowMs: t.clock.now() }))(),
    )
  const stateOf = async (kind: AlertDoc['kind']) =>
    (await t.control.store.get(alertRef({ account, kind, subject: account })))?.data.state
  await count(80, false)
  expect(await stateOf('quota.near')).toBe('firing')
  await count(100, true)
  expect(await stateOf('quota.near')).toBe('resolved')
  expect(await stateOf('quota.reached')).toBe('firing')
  await t.close()
})
