/** Prices: what they cost never changes; only whether they are active, and how they are found. */
import type { Stripe } from 'stripe'
import { z } from 'zod'
import { fractionOf } from './money.ts'
import { isWithin, page } from './pages.ts'
import {
  anyMetadata,
  createdRange,
  currency,
  decimal,
  flag,
  int,
  metadata,
  none,
  paging,
  params,
  text,
} from './params.ts'
import { invalid, notBuilt } from './refusal.ts'
import { type Route, route } from './routes.ts'
import { mergedMetadata, type World, wireDecimal } from './world.ts'

const interval = z.enum(['day', 'week', 'month', 'year'])
const usageType = z.enum(['licensed', 'metered'])
const taxBehavior = z.enum(['exclusive', 'inclusive', 'unspecified'])
const lookupKey = z.string().max(200)

const createParams = params<Stripe.PriceCreateParams>()({
  currency,
  active: flag.optional(),
  billing_scheme: z.enum(['per_unit', 'tiered']).optional(),
  lookup_key: lookupKey.optional(),
  metadata: metadata.optional(),
  nickname: text.optional(),
  product: text.optional(),
  recurring: params<Stripe.PriceCreateParams.Recurring>()({
    interval,
    interval_count: int.optional(),
    meter: text.optional(),
    usage_type: usageType.optional(),
  }).optional(),
  tax_behavior: taxBehavior.optional(),
  tiers: z
    .array(
      params<Stripe.PriceCreateParams.Tier>()({
        up_to: z.union([z.literal('inf'), int]),
        unit_amount: int.optional(),
        unit_amount_decimal: decimal.optional(),
        flat_amount: int.optional(),
      }),
    )
    .optional(),
  tiers_mode: z.enum(['graduated', 'volume']).optional(),
  transfer_lookup_key: flag.optional(),
  unit_amount: int.optional(),
  unit_amount_decimal: decimal.optional(),
})
type Asked = z.output<typeof createParams>

const updateParams = params<Stripe.PriceUpdateParams>()({
  active: flag.optional(),
  lookup_key: lookupKey.optional(),
  metadata: anyMetadata.optional(),
  nickname: z.string().optional(),
  tax_behavior: taxBehavior.optional(),
  transfer_lookup_key: flag.optional(),
})
const listParams = params<Stripe.PriceListParams & Stripe.PaginationParams>()({
  ...paging,
  active: flag.optional(),
  created: createdRange.optional(),
  currency: currency.optional(),
  lookup_keys: z.array(text).max(10).optional(),
  product: text.optional(),
  recurring: z
    .strictObject({ interval: interval.optional(), meter: text.optional(), usage_type: usageType.optional() })
    .optional(),
  type: z.enum(['one_time', 'recurring']).optional(),
})

export const priceRoutes: readonly Route[] = [
  route('POST /v1/prices', createParams, createPrice),
  route('GET /v1/prices', listParams, (world, asked) => {
    const found = world
      .all('prices')
      .filter(
        (price) =>
          (asked.active === undefined || price.active === asked.active) &&
          (asked.currency === undefined || price.currency === asked.currency) &&
          (asked.product === undefined || price.product === asked.product) &&
          (asked.type === undefined || price.type === asked.type) &&
          (!asked.lookup_keys || asked.lookup_keys.includes(price.lookup_key ?? '')) &&
          Object.entries(asked.recurring ?? {}).every(
            ([key, value]) => (price.recurring as unknown as Record<string, unknown> | null)?.[key] === value,
          ) &&
          isWithin(price.created, asked.created),
      )
    return page(found, asked, '/v1/prices')
  }),
  route('GET /v1/prices/:id', none, (world, _, id = '') => world.find('prices', id, 'price')),
  route('POST /v1/prices/:id', updateParams, (world, asked, id = '') => {
    const price = world.find('prices', id, 'price')
    if (asked.tax_behavior !== undefined && price.tax_behavior !== 'unspecified')
      throw invalid('The tax_behavior of a price cannot be changed once it is set', { param: 'tax_behavior' })
    claimKey(world, asked.lookup_key, { transfer: asked.transfer_lookup_key, holder: id })
    world.change('price.updated', price, () => {
      price.active = asked.active ?? price.active
      if (asked.lookup_key !== undefined) price.lookup_key = asked.lookup_key || null
      if (asked.nickname !== undefined) price.nickname = asked.nickname || null
      price.tax_behavior = asked.tax_behavior ?? price.tax_behavior
      price.metadata = mergedMetadata(price.metadata, asked.metadata)
    })
    return price
  }),
]

function createPrice(world: World, asked: Asked): Stripe.Price {
  if (asked.product === undefined) throw invalid('Missing required param: product.', { param: 'product' })
  const product = world.find('products', asked.product, 'product', 'product')
  if (!product.active) throw invalid('The product is not active.', { param: 'product' })
  const { billing_scheme: scheme = 'per_unit', recurring } = asked
  const unit = scheme === 'per_unit' ? unitOf(asked) : undefined
  if (scheme === 'tiered') checkTiers(asked)
  else if (asked.tiers) throw invalid('tiers need billing_scheme=tiered', { param: 'tiers' })
  if (recurring) checkRecurring(world, recurring)
  claimKey(world, asked.lookup_key, { transfer: asked.transfer_lookup_key, holder: '' })
  const price: Stripe.Price = {
    id: world.id('price', 24),
    object: 'price',
    active: asked.active ?? true,
    billing_scheme: scheme,
    created: world.now(),
    currency: asked.currency,
    custom_unit_amount: null,
    livemode: false,
    lookup_key: asked.lookup_key || null,
    metadata: mergedMetadata(null, asked.metadata),
    nickname: asked.nickname ?? null,
    product: product.id,
    recurring: recurring
      ? {
          interval: recurring.interval,
          interval_count: recurring.interval_count ?? 1,
          meter: recurring.meter ?? null,
          trial_period_days: null,
          usage_type: recurring.usage_type ?? 'licensed',
        }
      : null,
    tax_behavior: asked.tax_behavior ?? 'unspecified',
    tiers_mode: asked.tiers_mode ?? null,
    transform_quantity: null,
    type: recurring ? 'recurring' : 'one_time',
    unit_amount:
      unit !== undefined && fractionOf(unit).top % fractionOf(unit).bottom === 0n ? Number(unit) : null,
    unit_amount_decimal: unit === undefined ? null : wireDecimal(unit),
  }
  world.keep('prices', price)
  if (asked.tiers) tiersOf(world).set(price.id, asked.tiers.map(tierOf))
  world.emit('price.created', price)
  return price
}

function unitOf({ unit_amount: amount, unit_amount_decimal: exact }: Asked): string {
  if (amount !== undefined && exact !== undefined)
    throw invalid('You may only specify one of these parameters: unit_amount, unit_amount_decimal.')
  const unit = exact ?? amount
  if (unit === undefined) throw invalid('Missing required param: unit_amount.', { param: 'unit_amount' })
  const plain = String(unit)
    .replace(/(\.\d*?)0+$/, '$1')
    .replace(/\.$/, '')
  if (plain.startsWith('-')) throw invalid('Invalid non-negative integer', { param: 'unit_amount' })
  return plain
}

function checkTiers({ tiers, tiers_mode: mode, unit_amount, unit_amount_decimal }: Asked): void {
  if (unit_amount !== undefined || unit_amount_decimal !== undefined)
    throw invalid('A tiered price has no unit_amount', { param: 'unit_amount' })
  if (mode === undefined) throw invalid('Missing required param: tiers_mode.', { param: 'tiers_mode' })
  if (mode === 'volume') throw notBuilt('tiers_mode=volume')
  const ends = (tiers ?? []).map(({ up_to: end }) => (end === 'inf' ? Number.POSITIVE_INFINITY : end))
  if (ends.at(-1) !== Number.POSITIVE_INFINITY)
    throw invalid('The last tier must have up_to=inf', { param: 'tiers' })
  if (ends.some((end, index) => end <= (ends[index - 1] ?? 0)))
    throw invalid('Tiers must rise in up_to', { param: 'tiers' })
}

function checkRecurring(world: World, recurring: NonNullable<Asked['recurring']>): void {
  const { usage_type: usage, meter, interval_count: count = 1 } = recurring
  if (count !== 1) throw notBuilt('recurring[interval_count] other than 1')
  if (usage === 'metered' && meter === undefined)
    throw invalid('A metered price needs a meter', { param: 'recurring[meter]' })
  if (meter === undefined) return
  if (usage !== 'metered') throw invalid('A meter needs usage_type=metered', { param: 'recurring[meter]' })
  if (world.find('meters', meter, 'billing meter', 'recurring[meter]').status !== 'active')
    throw invalid('The meter is not active.', { param: 'recurring[meter]' })
}

/** A lookup key is one active price's alone. */
function claimKey(
  world: World,
  key: string | undefined,
  { transfer = false, holder }: { transfer: boolean | undefined; holder: string },
): void {
  if (!key) return
  const other = world.all('prices').find((price) => price.lookup_key === key && price.id !== holder)
  if (!other) return
  if (!transfer)
    throw invalid(`A price (\`${other.id}\`) already uses that lookup key.`, { param: 'lookup_key' })
  other.lookup_key = null
}

const kept = new WeakMap<World, Map<string, Stripe.Price.Tier[]>>()

/** Tiers are part of a price only when somebody expands them. */
export function tiersOf(world: World): Map<string, Stripe.Price.Tier[]> {
  const found = kept.get(world) ?? new Map<string, Stripe.Price.Tier[]>()
  kept.set(world, found)
  return found
}

function tierOf(tier: NonNullable<Asked['tiers']>[number]): Stripe.Price.Tier {
  const unit =
    tier.unit_amount_decimal ?? (tier.unit_amount === undefined ? undefined : String(tier.unit_amount))
  return {
    flat_amount: tier.flat_amount ?? null,
    flat_amount_decimal: tier.flat_amount === undefined ? null : wireDecimal(String(tier.flat_amount)),
    unit_amount: tier.unit_amount ?? null,
    unit_amount_decimal: unit === undefined ? null : wireDecimal(unit),
    up_to: tier.up_to === 'inf' ? null : tier.up_to,
  }
}

export function includeInPrices(world: World): void {
  world.includes('price.tiers', ({ id }) => tiersOf(world).get(String(id)))
}
