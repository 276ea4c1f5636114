/**
 * Reads a catalogue and refuses one that is wrong: in its shape, in amounts that cannot be charged, in prices that miss
 * a currency, and in plans that lose money when somebody uses all that they pay for.
 */
import { z } from 'zod'
import { fail } from '../../base/errors.ts'
import { type Currency, parseAmount, parseDecimal, parseRate } from './amounts.ts'
import { type Catalogue, catalogueSchema, intervals, type Plan } from './catalogue-schema.ts'
import { lossesOf } from './margins.ts'
import { seatsEnding } from './price-keys.ts'
import { currenciesOf, isSold, pricesIn } from './prices.ts'

/**
 * @param given what a reader of YAML makes of the file
 * @throws plan.catalogue with all that is wrong, each with its place
 */
export function readCatalogue(given: unknown): Catalogue {
  const parsed = catalogueSchema.safeParse(given)
  if (!parsed.success) throw fail('plan.catalogue', z.prettifyError(parsed.error))
  const wrong = [...amountFaults(parsed.data), ...planFaults(parsed.data)]
  // Margins are only asked of amounts that are right.
  const faults = wrong.length > 0 ? wrong : lossesOf(parsed.data)
  if (faults.length > 0) throw fail('plan.catalogue', faults.join('\n'))
  return parsed.data
}

function* amountFaults({ plans, transfer }: Catalogue): Generator<string> {
  for (const [name, { prices, seats, overage }] of Object.entries(plans)) {
    const groups = intervals.flatMap((interval) => [
      { place: `plans.${name}.prices.${interval}`, amounts: prices[interval] },
      { place: `plans.${name}.seats.prices.${interval}`, amounts: seats?.prices[interval] },
    ])
    for (const { place, amounts } of [
      ...groups,
      { place: `plans.${name}.overage.capMax`, amounts: overage?.capMax },
    ])
      for (const [currency, text] of pricesIn(amounts))
        if (parseAmount(text, currency) === undefined)
          yield `${place}.${currency}: ${text} cannot be charged in ${currency.toUpperCase()}.`
  }
  for (const [currency, text] of pricesIn(transfer?.perGB))
    if (parseRate(text, currency) === 0n) yield `transfer.perGB.${currency}: must cost something.`
}

function* planFaults(catalogue: Catalogue): Generator<string> {
  const { plans, costs } = catalogue
  const all = currenciesOf(catalogue)
  if (!plans.free) yield 'plans.free: missing. Accounts that stop paying have it.'
  else if (isSold(plans.free)) yield 'plans.free: it must cost nothing.'
  for (const currency of all)
    if (currency !== 'usd' && parseDecimal(costs.usdTo[currency] ?? '0') === 0n)
      yield `costs.usdTo.${currency}: missing. Prices in it cannot be compared with costs.`
  for (const [name, plan] of Object.entries(plans)) {
    if (name.endsWith(seatsEnding) || name === 'transfer')
      yield `plans.${name}: "transfer" and names that end with "${seatsEnding}" are taken by prices.`
    for (const fault of faultsOfPlan(catalogue, plan, all)) yield `plans.${name}.${fault}`
  }
}

function* faultsOfPlan(
  { transfer }: Catalogue,
  { prices, seats, overage, includedGB, offered, trial, ...plan }: Plan,
  all: readonly Currency[],
): Generator<string> {
  const isPaid = isSold({ prices })
  for (const interval of intervals) {
    const has = pricesIn(prices[interval]).map(([currency]) => currency)
    if (prices[interval] && all.some((currency) => !has.includes(currency)))
      yield `prices.${interval}: a price is missing; the catalogue sells in ${all.join(', ')}.`
    if (seats && seats.max > seats.included && prices[interval] && !seats.prices[interval])
      yield `seats.prices.${interval}: missing, with more than ${seats.included} seats to be had.`
  }
  if (seats && seats.max < seats.included) yield 'seats.max: fewer than are included.'
  if (includedGB === 'unlimited' && (isPaid || offered))
    yield 'includedGB: only a plan that is neither sold nor offered can be unlimited.'
  if (!isPaid && (trial || overage)) yield 'trial and overage: only for a plan that costs something.'
  if (overage && !prices.month) yield 'overage: only monthly plans have it (docs/plans.md).'
  if (overage && !transfer) yield 'overage: the catalogue has no price for transfer.'
  if (plan.limits.tunnelsDefined < plan.limits.tunnelsOnline)
    yield 'limits.tunnelsDefined: fewer than may be online.'
}
