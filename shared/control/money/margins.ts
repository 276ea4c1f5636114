/**
 * Whether a catalogue earns more than it costs, by the operator's own figures, when an account uses everything it
 * has paid for. A tenth more transfer is assumed: usage is counted after it happened.
 */
import { type Currency, parseAmount, parseDecimal } from './amounts.ts'
import { type Catalogue, type Interval, intervals, type Plan } from './catalogue-schema.ts'
import { isSold, pricesIn } from './prices.ts'

/** Everything here is in 10^-12 US dollars. */
const one = 10n ** 12n
const months = { month: 1n, year: 12n } as const

/** @returns a sentence for each price that loses money */
export function lossesOf(catalogue: Catalogue): readonly string[] {
  const { costs, plans } = catalogue
  return Object.entries(plans)
    .flatMap(([name, plan]) => {
      if (isSold(plan)) return intervals.flatMap((of) => losses(catalogue, { name, plan, of }))
      const cost = costOf(catalogue, plan)
      const free = parseDecimal(costs.freeMax)
      if (!plan.offered || cost <= free) return []
      return [
        `plans.${name}: at full use it costs ${text(cost)} a month, more than costs.freeMax (${text(free)}).`,
      ]
    })
    .concat(transferLosses(catalogue))
}

/** What a month of full use costs the operator. @returns 10^-12 US dollars */
export function costOf({ costs }: Catalogue, { limits, includedGB }: Plan): bigint {
  if (includedGB === 'unlimited') return 0n
  const transfer = (parseDecimal(costs.gb) * BigInt(includedGB) * 11n) / 10n
  return transfer + parseDecimal(costs.tunnel) * BigInt(limits.tunnelsOnline)
}

/** What is left of a payment, for a month. @returns 10^-12 US dollars */
export function netOf(catalogue: Catalogue, amount: string, currency: Currency, of: Interval): bigint {
  const gross = withoutTax(catalogue, toDollars(catalogue, amount, currency))
  return (gross - feeOf(catalogue, amount, currency)) / months[of]
}

function losses(
  catalogue: Catalogue,
  { name, plan, of }: { readonly name: string; readonly plan: Plan; readonly of: Interval },
): readonly string[] {
  const cost = costOf(catalogue, plan)
  const ofPlan = pricesIn(plan.prices[of]).flatMap(([currency, amount]) => {
    const net = netOf(catalogue, amount, currency, of)
    if (net >= cost) return []
    return [
      `plans.${name}.prices.${of}.${currency}: ${amount} leaves ${text(net)} a month, and full use costs ${text(cost)}.`,
    ]
  })
  const ofSeats = pricesIn(plan.seats?.prices[of]).flatMap(([currency, amount]) => {
    if ((parseAmount(amount, currency) ?? 0n) > 0n) return []
    return [`plans.${name}.seats.prices.${of}.${currency}: a further seat must cost something.`]
  })
  return [...ofPlan, ...ofSeats]
}

/** A GB beyond what is included, without the fixed fee, which the plan's own price has paid. */
function transferLosses(catalogue: Catalogue): readonly string[] {
  const cost = parseDecimal(catalogue.costs.gb)
  return pricesIn(catalogue.transfer?.perGB).flatMap(([currency, amount]) => {
    const gross = toDollars(catalogue, amount, currency)
    const net = withoutTax(catalogue, gross) - shareOf(catalogue, gross)
    if (net >= cost) return []
    return [`transfer.perGB.${currency}: ${amount} leaves ${text(net)}, and a GB costs ${text(cost)}.`]
  })
}

function toDollars({ costs }: Catalogue, amount: string, currency: Currency): bigint {
  const given = parseDecimal(amount)
  return currency === 'usd' ? given : (given * one) / parseDecimal(costs.usdTo[currency] ?? '1')
}

function withoutTax({ costs, taxBehavior }: Catalogue, gross: bigint): bigint {
  return taxBehavior === 'inclusive' ? (gross * one) / (one + parseDecimal(costs.vatMax)) : gross
}

function feeOf(catalogue: Catalogue, amount: string, currency: Currency): bigint {
  return shareOf(catalogue, toDollars(catalogue, amount, currency)) + parseDecimal(catalogue.costs.feeFixed)
}

function shareOf({ costs }: Catalogue, gross: bigint): bigint {
  return (gross * parseDecimal(costs.feeShare)) / one
}

/** "$20.76", rounded to cents towards zero. */
function text(dollars: bigint): string {
  const cents = dollars / (one / 100n)
  const size = cents < 0n ? -cents : cents
  return `${cents < 0n ? '-' : ''}$${size / 100n}.${(size % 100n).toString().padStart(2, '0')}`
}
