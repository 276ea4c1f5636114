/** One account and its owner: what they do about paying, and what their relays carry. */

import { readAccount, setAccountStatus } from '@porttunneler/shared/control/accounts'
import { controlOf } from '@porttunneler/shared/control/control'
import { type SubscriptionDoc, subscriptions } from '@porttunneler/shared/control/money/billing-documents'
import { setCap } from '@porttunneler/shared/control/money/capping'
import { changePlan, startCheckout } from '@porttunneler/shared/control/money/selling'
import { limitsOf } from '@porttunneler/shared/control/plans'
import { reserveName } from '@porttunneler/shared/control/reserving'
import { outcome, signIn } from '@porttunneler/shared/testing/callers'
import type { sdkOf } from '@porttunneler/shared/testing/stripe/sdk'
import type { Row, YearWorld } from './world.ts'
import { hourMs } from './world.ts'

export type Act =
  | {
      readonly act: 'buy' | 'change'
      readonly plan: string
      readonly interval?: 'month' | 'year'
      readonly seats?: number
    }
  | { readonly act: 'cap'; readonly text: string }
  | { readonly act: 'card'; readonly name: string }
  | { readonly act: 'answer'; readonly evidence: 'winning_evidence' | 'losing_evidence' }
  | { readonly act: 'refund' | 'close' }
  /** Keeps a host name, which each plan allows so many of. */
  | { readonly act: 'reserve'; readonly name: string }

/** A period as it was seen, with the timeline that its bill is made from. */
export type Period = {
  readonly start: number
  end: number
  /** Ends before its time: another began. */
  cutAt?: number
  doc: SubscriptionDoc
}

export type Person = Awaited<ReturnType<typeof makePerson>>

/** Where people live, and what Stripe adds to a price there. */
const places = [
  { country: 'US', tax: 0 },
  { country: 'DE', tax: 0.19 },
  { country: 'FR', tax: 0.2 },
  { country: 'US', tax: 0 },
  { country: 'HU', tax: 0.27 },
] as const

/** Cards that work: each has one trial, so later accounts pay from their first day. */
const cards = ['4242424242424242', '4000056655665556', '5555555555554444', '4000002760000016']

export async function makePerson(world: YearWorld, index: number, sdk: ReturnType<typeof sdkOf>) {
  const { t } = world
  const email = `payer${index}@example.com`
  const caller = await signIn(t.control, email, { plan: 'free', from: `198.51.${index >> 8}.${index & 255}` })
  const { account } = caller
  const tunnel = await world.makeTunnel(account)
  const place = places[index % places.length] ?? places[0]
  const periods = new Map<number, Period>()
  let customer = ''
  let subscription = ''
  let isClosed = false
  const carried: (Row & { readonly arrivedAt: number })[] = []
  const waiting: { readonly row: Row; readonly at: number }[] = []

  const acts = {
    buy: async ({ plan, interval = 'month', seats = 1 }: Act & { act: 'buy' | 'change' }) => {
      const control = world.control()
      const choice = { plan, interval, seats, currency: 'usd' } as const
      const { url } = await startCheckout(control, controlOf(control, account), caller, choice)
      const form = {
        email,
        name: 'A payer',
        country: place.country,
        number: cards[index % cards.length] ?? '',
      }
      await fetch(url, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' })
    },
    change: async ({ plan, interval = 'month', seats = 1 }: Act & { act: 'buy' | 'change' }) => {
      const control = world.control()
      const own = controlOf(control, account)
      await changePlan(control, own, caller, { plan, interval, seats, isDry: false })
    },
    reserve: async ({ name }: Act & { act: 'reserve' }) => {
      const limits = limitsOf((await readAccount(t.control, account)).data)
      await reserveName(world.control(), { ...caller, limits }, { name: `${name}-${index}` })
    },
    cap: async ({ text }: Act & { act: 'cap' }) => {
      const control = world.control()
      await setCap(control, controlOf(control, account), caller, text)
    },
    /** As in the portal: the new card pays from now on. */
    card: async ({ name }: Act & { act: 'card' }) => {
      if (customer === '') return
      const { id } = await sdk.paymentMethods.attach(name, { customer })
      await sdk.customers.update(customer, { invoice_settings: { default_payment_method: id } })
      if (subscription !== '') await sdk.subscriptions.update(subscription, { default_payment_method: id })
    },
    answer: async ({ evidence }: Act & { act: 'answer' }) => {
      for (const { id, charge, status } of world.stripe.world.all('disputes')) {
        const isOurs = world.stripe.world.tables.charges.get(String(charge))?.customer === customer
        if (isOurs && status === 'needs_response')
          await sdk.disputes.update(id, { evidence: { uncategorized_text: evidence } })
      }
    },
    /** An operator gives the last payment back, in the Dashboard. */
    refund: async () => {
      const paid = world.stripe.world
        .all('invoices')
        .findLast((one) => one.customer === customer && one.status === 'paid' && one.total > 0)
      if (paid)
        await sdk.creditNotes.create({ invoice: paid.id, amount: paid.total, refund_amount: paid.total })
    },
    close: async () => {
      await setAccountStatus(world.control(), account, 'closed')
      isClosed = true
    },
  }
  return {
    email,
    account,
    tax: place.tax,
    periods,
    carried,
    customer: () => customer,
    isClosed: () => isClosed,
    doc: async () => (await t.control.store.get(subscriptions.ref(account)))?.data,
    /** @returns `done`, or the key of the refusal */
    async do(what: Act) {
      world.loseAnswer()
      const done = await outcome((acts[what.act] as (what: Act) => Promise<void>)(what))
      world.stripe.faults.clear()
      return done
    },
    /** Bytes of a past hour. @param lateMs 0: in time */
    carry(bytes: number, lateMs: number) {
      const hour = Math.floor(world.now() / hourMs - 1) * hourMs
      waiting.push({ row: { account, tunnel, hour, bytes }, at: world.now() + lateMs })
    },
    /** Rows whose time has come; they count as carried from now on. */
    rowsDue(): readonly Row[] {
      const due = waiting.filter(({ at }) => at <= world.now())
      for (const one of due) {
        waiting.splice(waiting.indexOf(one), 1)
        carried.push({ ...one.row, arrivedAt: world.now() })
      }
      return due.map(({ row }) => row)
    },
    /** Keeps what the control plane knows, since a closed account has nothing left to look at. */
    async look() {
      const doc = (await t.control.store.get(subscriptions.ref(account)))?.data
      if (!doc) return
      customer = doc.customer
      subscription = doc.subscription
      for (const period of periods.values()) if (period.end > world.now() - 60 * 24 * hourMs) period.doc = doc
      if (doc.subscription === '' || doc.version === 0) return
      const { periodStart: start, periodEnd: end } = doc
      for (const period of periods.values())
        if (period.start < start && period.end > start) period.cutAt = start
      if (!periods.has(start)) periods.set(start, { start, end, doc })
    },
  }
}
