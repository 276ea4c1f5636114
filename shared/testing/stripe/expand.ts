/**
 * `expand`: ids become the objects that they name. A path that does not lead to an id of ours is refused, also where
 * Stripe's own object would be null, unless the field is one that can be expanded.
 */
import { invalid } from './refusal.ts'
import type { World } from './world.ts'

const depthMax = 4
/** Fields that hold ids, or nothing. */
const expandable = new Set([
  'charge',
  'customer',
  'customer_balance_transaction',
  'default_payment_method',
  'default_price',
  'discounts',
  'invoice',
  'latest_charge',
  'latest_invoice',
  'payment_intent',
  'payment_method',
  'pending_setup_intent',
  'price',
  'product',
  'refund',
  'schedule',
  'setup_intent',
  'subscription',
  'test_clock',
])
type Fields = Record<string, unknown>

/** @returns a copy of `answer` with all paths expanded */
export function expanded(world: World, answer: object, paths: readonly string[]): object {
  const copy = structuredClone(answer) as Fields
  for (const path of paths) {
    const parts = path.split('.')
    if (parts.filter((part) => part !== 'data').length > depthMax)
      throw invalid(`You cannot expand more than ${depthMax} levels of a property (${path})`, {
        param: 'expand',
      })
    expandAt(world, copy, parts, path)
  }
  return copy
}

function expandAt(world: World, at: unknown, parts: readonly string[], path: string): void {
  const [part, ...rest] = parts
  if (part === undefined || at === null || at === undefined) return
  if (Array.isArray(at)) {
    for (const one of at) expandAt(world, one, parts, path)
    return
  }
  if (typeof at !== 'object') throw refused(path)
  const fields = at as Fields
  const value = fields[part]
  if (typeof value === 'string' && expandable.has(part)) {
    const found = world.lookUp(value)
    if (!found) throw refused(path)
    fields[part] = structuredClone(found)
  } else if (value === undefined || value === null) {
    const included = world.include(String(fields.object), part, fields)
    if (included !== undefined) fields[part] = structuredClone(included)
    else if (!expandable.has(part)) throw refused(path)
  } else if (rest.length === 0 && !isExpanded(value)) throw refused(path)
  expandAt(world, fields[part], rest, path)
}

/** Another path may have come here before. */
function isExpanded(value: unknown): boolean {
  return typeof value === 'object' && value !== null && ('id' in value || 'data' in value)
}

function refused(path: string) {
  return invalid(
    `This property cannot be expanded (${path}). You may want to try expanding another property, or none at all.`,
    { param: 'expand' },
  )
}
