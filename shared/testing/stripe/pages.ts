/** Lists as Stripe pages them: newest first, 10 unless asked, at most 100, from after (or before) an id. */
import type { Stripe } from 'stripe'
import type { CreatedRange } from './params.ts'
import { noSuch } from './refusal.ts'

export type PageParams = {
  readonly limit?: number | undefined
  readonly starting_after?: string | undefined
  readonly ending_before?: string | undefined
}

/** @param all in the order in which they were made */
export function page<T extends { readonly id: string }>(
  all: readonly T[],
  { limit = 10, starting_after, ending_before }: PageParams,
  url: string,
): Stripe.ApiList<T> {
  const found = [...all].reverse()
  if (ending_before !== undefined) {
    const end = indexOf(found, ending_before, 'ending_before')
    const start = Math.max(0, end - limit)
    return { object: 'list', data: found.slice(start, end), has_more: start > 0, url }
  }
  const start = starting_after === undefined ? 0 : indexOf(found, starting_after, 'starting_after') + 1
  return {
    object: 'list',
    data: found.slice(start, start + limit),
    has_more: found.length > start + limit,
    url,
  }
}

/** A list inside of an object, with everything in it. */
export function whole<T>(data: T[], url: string): Stripe.ApiList<T> {
  return { object: 'list', data, has_more: false, url }
}

export function isWithin(created: number, range: CreatedRange | undefined): boolean {
  if (range === undefined) return true
  if (typeof range === 'number') return created === range
  const { gt = -1, gte = -1, lt = Number.MAX_SAFE_INTEGER, lte = Number.MAX_SAFE_INTEGER } = range
  return created > gt && created >= gte && created < lt && created <= lte
}

function indexOf(all: readonly { readonly id: string }[], id: string, param: string): number {
  const index = all.findIndex((one) => one.id === id)
  if (index < 0) throw noSuch('object', id, param)
  return index
}
