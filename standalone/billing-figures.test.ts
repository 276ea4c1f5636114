import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Secret } from '@porttunneler/shared/base/secret'
import { subscriptions } from '@porttunneler/shared/control/money/billing-documents'
import { claimCustomer } from '@porttunneler/shared/control/money/claiming'
import { openPayments } from '@porttunneler/shared/payments/open'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { keepBillingFigures } from './billing-figures.ts'
import { figuresName, writeFigures } from './figures.ts'
import { makeTestControl, type TestControl } from './testing/control.ts'

let data: string
let t: TestControl
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'figures-'))
  t = makeTestControl({ payments: openPayments({ key: new Secret('sk_test_nobody') }) })
})
afterEach(async () => {
  rmSync(data, { recursive: true })
  await t.close()
})

const text = () => readFileSync(join(data, figuresName), 'utf8')
const pass = async () => {
  t.clock.advance(5 * 60_000)
  await expect.poll(text, { timeout: 5_000 }).toContain('ptun_billing_drifting_accounts')
}

test('an account that differs from Stripe is counted until it differs no more, beside the figures of backups', async () => {
  writeFigures(data, 'ptun_backup_', [['ptun_backup_overdue', 'words about ptun_billing_', 1]])
  const timer = keepBillingFigures(t.control, data)
  await pass()
  expect(text()).toMatch(/^ptun_billing_drifting_accounts 0$/m)
  await claimCustomer(t.control, 'acc_1', 'cus_1')
  const ref = subscriptions.ref('acc_1')
  await t.control.store.update(ref, { drift: ['plan'], driftAt: t.clock.now() })
  t.clock.advance(5 * 60_000)
  await expect.poll(text, { timeout: 5_000 }).toMatch(/^ptun_billing_drifting_accounts 1$/m)
  expect(text().match(/^ptun_/gm), 'one line for each').toHaveLength(2)
  expect(text()).toMatch(/^# HELP ptun_backup_overdue/m)
  timer.clear()
  writeFigures(data, 'ptun_backup_', [])
  expect(text()).not.toContain('ptun_backup_overdue')
})

test('a server that sells nothing has no such figure, also after it sold', async () => {
  writeFigures(data, 'ptun_billing_', [['ptun_billing_drifting_accounts', 'old', 3]])
  const off = makeTestControl()
  keepBillingFigures(off.control, data).clear()
  expect(text).toThrow('ENOENT')
  await off.close()
})
