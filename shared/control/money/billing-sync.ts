/**
 * The objects that a catalogue needs at the payment service, and what is missing there. Prices are never changed or
 * deleted: one that differs stops the sync, because somebody may be paying it (money.md, rule 7).
 */
import { z } from 'zod'
import { fail } from '../../base/errors.ts'
import type { Control } from '../control.ts'
import { currencySchema, parseAmount, parseDecimal } from './amounts.ts'
import { type Catalogue, intervals } from './catalogue-schema.ts'
import type { FoundObjects, FoundPrice, WantedPrice } from './payments.ts'
import { planKey, seatsKey, transferKey } from './price-keys.ts'
import { pricesIn } from './prices.ts'

type SyncReport = {
  readonly applied: boolean
  /** What is made, or would be. */
  readonly missing: readonly string[]
  readonly present: number
  /** Shown once: for the settings STRIPE_WEBHOOK_SECRET and STRIPE_EVENTS_SECRET. */
  readonly webhookSecret?: string
  readonly eventsSecret?: string
}

/** @throws billing.off, billing.differs, billing.unavailable */
export async function syncBilling(
  { payments, catalogues, settings }: Control,
  { apply }: { readonly apply: boolean },
): Promise<SyncReport> {
  if (payments.kind === 'none') throw fail('billing.off')
  const catalogue = await catalogues.newest()
  const found = await payments.findObjects()
  const wanted = wantedPrices(catalogue)
  const different = wanted.flatMap((price) => differences(price, found))
  if (different.length > 0) throw fail('billing.differs', different.join('\n'))
  const missing = wanted.filter(({ key }) => !found.prices.some((price) => price.key === key))
  const meter = catalogue.transfer?.meter
  const needsMeter = meter !== undefined && !found.meters.includes(meter)
  const url = `${settings.issuer}/hooks/stripe`
  const needsWebhook = !found.webhooks.includes(url)
  // Only a catalogue that sells transfer has reports that can be refused.
  const needsDestination = meter !== undefined && !found.destinations.includes(url)
  const report = {
    applied: apply,
    missing: [
      ...(needsMeter ? [`meter ${meter}`] : []),
      ...missing.map(({ key, amount, currency }) => `price ${key} (${amount} ${currency}, minor units)`),
      ...(found.hasPortal ? [] : ['portal configuration']),
      ...(needsWebhook ? [`webhook endpoint ${url}`] : []),
      ...(needsDestination ? [`event destination ${url}`] : []),
    ],
    present: wanted.length - missing.length,
  }
  if (!apply) return report
  if (needsMeter) await payments.makeMeter(meter)
  for (const price of missing) await payments.makePrice(price)
  if (!found.hasPortal) await payments.makePortal()
  return {
    ...report,
    ...(needsWebhook && { webhookSecret: await payments.makeWebhook(url) }),
    ...(needsDestination && { eventsSecret: await payments.makeDestination(url) }),
  }
}

/** Every price that a subscription to a plan of this catalogue can have. */
function wantedPrices(catalogue: Catalogue): readonly WantedPrice[] {
  const { version, taxBehavior, transfer, plans } = catalogue
  const flat = Object.entries(plans).flatMap(([plan, { title, prices, seats }]) =>
    intervals.flatMap((interval) => {
      const ofPlan = pricesIn(prices[interval]).map(([currency, text]): WantedPrice => {
        const amount = `${parseAmount(text, currency) ?? 0n}`
        const key = planKey({ plan, version, interval, currency })
        return { key, product: `pt_${plan}`, title, currency, amount, interval, taxBehavior }
      })
      const ofSeats = pricesIn(prices[interval] && seats?.prices[interval]).map(
        ([currency, text]): WantedPrice => ({
          key: seatsKey({ plan, version, interval, currency }),
          product: `pt_${plan}_seats`,
          title: `${title}: further seat`,
          currency,
          amount: `${parseAmount(text, currency) ?? 0n}`,
          interval,
          taxBehavior,
        }),
      )
      return [...ofPlan, ...ofSeats]
    }),
  )
  const metered = pricesIn(transfer?.perGB).map(([currency, text]): WantedPrice => {
    const key = transferKey(catalogue, currency)
    const amount = perMegabyte(text, currency)
    const rest = { currency, amount, interval: 'month', taxBehavior } as const
    return { key, product: 'pt_transfer', title: 'Transfer, per MB', ...rest, meter: transfer?.meter ?? '' }
  })
  return [...flat, ...metered]
}

/** "0.12" USD a GB -> "0.012" cents a MB. */
function perMegabyte(text: string, currency: string): string {
  const digits = digitsOf(currency)
  const scaled = (parseDecimal(text) * 10n ** BigInt(digits)) / 1_000n
  const whole = scaled / 10n ** 12n
  const fraction = (scaled % 10n ** 12n).toString().padStart(12, '0').replace(/0+$/, '')
  return fraction === '' ? `${whole}` : `${whole}.${fraction}`
}

/** Places of a currency's minor unit, by what one major unit comes to. */
function digitsOf(currency: string): number {
  return `${parseAmount('1', currencySchema.parse(currency)) ?? 1n}`.length - 1
}

function differences(wanted: WantedPrice, { prices }: FoundObjects): readonly string[] {
  const found = prices.find(({ key }) => key === wanted.key)
  if (!found) return []
  const names = ['amount', 'currency', 'interval', 'taxBehavior'] as const
  const wrong = names.filter((name) => !isEqual(wanted, found, name))
  const isWrongKind = found.isMetered !== (wanted.meter !== undefined)
  const what = [...wrong.map((name) => `${name} ${found[name]}, not ${wanted[name]}`)]
  if (isWrongKind) what.push(found.isMetered ? 'metered' : 'not metered')
  if (!found.isActive) what.push('not active')
  return what.length > 0 ? [`${wanted.key}: ${what.join(', ')}`] : []
}

const amountSchema = z.string().regex(/^\d+(\.\d+)?$/)

function isEqual(
  wanted: WantedPrice,
  found: FoundPrice,
  name: 'amount' | 'currency' | 'interval' | 'taxBehavior',
): boolean {
  if (name !== 'amount') return wanted[name] === found[name]
  const given = amountSchema.safeParse(found.amount)
  return given.success && parseDecimal(given.data) === parseDecimal(wanted.amount)
}
