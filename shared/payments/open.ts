/** Stripe as the payment service, loaded with the first call: most processes make none, and the SDK takes 30 MB. */
import type { Payments } from '../control/money/payments.ts'
import type { StripeOptions } from './stripe-calls.ts'

export function openPayments(options: StripeOptions): Payments {
  let loading: Promise<Payments> | undefined
  const stripe = () => {
    loading ??= import('./stripe.ts').then(({ openStripePayments }) => openStripePayments(options))
    return loading
  }
  return {
    kind: 'stripe',
    makeCustomer: async (account, email) => (await stripe()).makeCustomer(account, email),
    readCustomer: async (customer) => (await stripe()).readCustomer(customer),
    changedSince: async (sinceMs) => (await stripe()).changedSince(sinceMs),
    openCheckout: async (asked) => (await stripe()).openCheckout(asked),
    openPortal: async (customer, returnUrl) => (await stripe()).openPortal(customer, returnUrl),
    preview: async (customer, change) => (await stripe()).preview(customer, change),
    changeNow: async (change, key) => (await stripe()).changeNow(change, key),
    changeLater: async (change, key) => (await stripe()).changeLater(change, key),
    cancelLater: async (subscription, key) => (await stripe()).cancelLater(subscription, key),
    keep: async (subscription, key) => (await stripe()).keep(subscription, key),
    endNow: async (subscription, only) => (await stripe()).endNow(subscription, only),
    endCustomer: async (customer) => (await stripe()).endCustomer(customer),
    listLines: async (customer, since) => (await stripe()).listLines(customer, since),
    readUsage: async (asked) => (await stripe()).readUsage(asked),
    holdDrafts: async (customer, untilMs) => (await stripe()).holdDrafts(customer, untilMs),
    listInvoices: async (customer) => (await stripe()).listInvoices(customer),
    customerOf: async (charge) => (await stripe()).customerOf(charge),
    report: async (asked) => (await stripe()).report(asked),
    findObjects: async () => (await stripe()).findObjects(),
    makeMeter: async (meter) => (await stripe()).makeMeter(meter),
    makePrice: async (price) => (await stripe()).makePrice(price),
    makePortal: async () => (await stripe()).makePortal(),
    makeWebhook: async (url) => (await stripe()).makeWebhook(url),
    makeDestination: async (url) => (await stripe()).makeDestination(url),
  }
}
