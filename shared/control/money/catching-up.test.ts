import { afterEach, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../../standalone/testing/control.ts'
import { customers, subscriptions } from './billing-documents.ts'
import { catchUp } from './catching-up.ts'
import type { ChangedCustomers, Payments } from './payments.ts'
import { noPayments } from './payments-none.ts'

let t: TestControl
afterEach(() => t.close())

test('what changed at the payment service is found, and nobody gets a second customer or another’s', async () => {
  let changed: ChangedCustomers = { customers: [], isWhole: true }
  const payments: Payments = { ...noPayments, kind: 'stripe', changedSince: async () => changed }
  t = makeTestControl({ plan: 'free', payments })
  const ada = (await t.caller('ada@example.com')).account
  const ben = (await t.caller('ben@example.com')).account
  changed = {
    customers: [
      { customer: 'cus_new', account: ada },
      { customer: 'cus_second', account: ada },
      { customer: 'cus_gone', account: 'acc_gone' },
      { customer: 'cus_other', account: '' },
    ],
    isWhole: false,
  }
  expect(await catchUp(t.control, 0)).toEqual({
    ...{ customers: ['cus_new'], adopted: 1, isWhole: false },
    strange: ['cus_second', 'cus_gone'],
  })
  expect((await t.control.store.get(subscriptions.ref(ada)))?.data.customer).toBe('cus_new')
  expect(await t.control.store.get(subscriptions.ref(ben))).toBeUndefined()
  expect(await t.control.store.get(customers.ref('cus_second'))).toBeUndefined()

  changed = { customers: [{ customer: 'cus_new', account: '' }], isWhole: true }
  expect(await catchUp(t.control, 0)).toEqual({
    customers: ['cus_new'],
    adopted: 0,
    strange: [],
    isWhole: true,
  })
})
