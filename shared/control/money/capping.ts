/** The cap of further transfer: the most that an account lets it cost in a period. It begins at nothing. */
import { fail } from '../../base/errors.ts'
import type { Caller } from '../caller.ts'
import type { AccountControl, Control } from '../control.ts'
import { countEvent } from '../rates.ts'
import { requireStill } from '../still.ts'
import { currencySchema, decimalSchema, parseAmount } from './amounts.ts'
import { type SubscriptionDoc, subscriptions } from './billing-documents.ts'
import { askToFollow } from './following.ts'
import { entry, readSubscription, requireOn, requireRight } from './selling.ts'

/** Each is a span of the timeline, which is one document. */
const caps = { scope: 'cap', max: 20, windowMs: 24 * 3_600_000 }

/** @param text major units, such as "25.00". @throws billing.off, billing.none, billing.cap, billing.limit */
export async function setCap(
  control: Control,
  own: AccountControl,
  caller: Caller,
  text: string,
): Promise<void> {
  await requireRight(own, caller)
  requireOn(control)
  const { data } = await readSubscription(own)
  const currency = currencySchema.parse(data.currency)
  const amount = decimalSchema.safeParse(text).success ? parseAmount(text, currency) : undefined
  const capMax = await capMaxOf(control, data)
  if (amount === undefined || amount > capMax.amount)
    throw fail('billing.cap', `It can be from 0 to ${capMax.text} ${currency.toUpperCase()} in a month.`)
  await countEvent(control, caps, { subject: caller.account, key: 'billing.limit' })
  const nowMs = control.clock.now()
  await own.store.transact(async (tx) => {
    await requireStill(tx, caller, { needs: 'billing.write', nowMs })
    const latest = await tx.get(subscriptions.ref(data.account))
    if (!latest) throw fail('billing.none')
    tx.update(latest.ref, { cap: Number(amount) })
    entry(
      tx,
      caller,
      { action: 'billing.cap', details: { from: latest.data.cap, to: Number(amount) } },
      nowMs,
    )
  })
  await askToFollow(control, data.customer)
}

/** The most that a cap can be; "0" where the plan sells no further transfer. */
export async function capMaxOf(
  { catalogues }: Pick<Control, 'catalogues'>,
  { plan, version, currency, interval }: SubscriptionDoc,
): Promise<{ readonly amount: bigint; readonly text: string }> {
  const of = currencySchema.safeParse(currency)
  const nothing = { amount: 0n, text: '0' }
  if (!of.success || interval !== 'month' || version === 0) return nothing
  const catalogue = await catalogues.of(version)
  const text = catalogue.plans[plan]?.overage?.capMax[of.data] ?? '0'
  return { amount: parseAmount(text, of.data) ?? 0n, text }
}
