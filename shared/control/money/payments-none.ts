/** The payment service of a server without one. */
import { fail } from '../../base/errors.ts'
import type { Payments } from './payments.ts'

const off = () => Promise.reject(fail('billing.off'))

export const noPayments: Payments = {
  kind: 'none',
  makeCustomer: off,
  readCustomer: off,
  changedSince: off,
  openCheckout: off,
  openPortal: off,
  preview: off,
  changeNow: off,
  changeLater: off,
  cancelLater: off,
  keep: off,
  endNow: off,
  endCustomer: off,
  holdDrafts: off,
  listInvoices: off,
  listLines: off,
  readUsage: off,
  customerOf: off,
  report: off,
  findObjects: off,
  makeMeter: off,
  makePrice: off,
  makePortal: off,
  makeWebhook: off,
  makeDestination: off,
}
