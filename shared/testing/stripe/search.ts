/** Search by metadata. It lags behind: what is younger than a minute is not found (docs.stripe.com/search). */
import type { Stripe } from 'stripe'
import { none, paging, params, text } from './params.ts'
import { invalid, notBuilt } from './refusal.ts'
import { type Route, route } from './routes.ts'
import type { World } from './world.ts'

const lag = 60
const customerParams = params<Stripe.CustomerSearchParams>()({ query: text, limit: paging.limit })
const subscriptionParams = params<Stripe.SubscriptionSearchParams>()({ query: text, limit: paging.limit })
const itemsParams = params<Stripe.SubscriptionItemListParams & Stripe.PaginationParams>()({
  ...paging,
  subscription: text,
})

/** Before the routes of single objects, whose ids "search" could be. */
export const searchRoutes: readonly Route[] = [
  route('GET /v1/customers/search', customerParams, (world, asked) =>
    found(world, world.all('customers'), { ...asked, url: '/v1/customers/search' }),
  ),
  route('GET /v1/subscriptions/search', subscriptionParams, (world, asked) =>
    found(world, world.all('subscriptions'), { ...asked, url: '/v1/subscriptions/search' }),
  ),
  route('GET /v1/subscription_items', itemsParams, (world, asked) => {
    const { items } = world.find('subscriptions', asked.subscription, 'subscription', 'subscription')
    return { ...items, data: items.data.slice(0, asked.limit ?? 10) }
  }),
  route('GET /v1/subscription_items/:id', none, (world, _, id = '') => {
    const items = world.all('subscriptions').flatMap(({ items }) => items.data)
    return items.find((item) => item.id === id) ?? world.find('subscriptions', id, 'subscription_item')
  }),
]

type Searched = { readonly id: string; readonly created: number; readonly metadata: Stripe.Metadata }
type Query = { readonly query: string; readonly limit?: number | undefined; readonly url: string }

function found<T extends Searched>(world: World, all: readonly T[], { query, limit = 10, url }: Query) {
  const clauses = query.split(/\s+AND\s+/).map((clause) => {
    const match = /^metadata\[(['"])(.+)\1\]:(['"])(.*)\3$/.exec(clause.trim())
    if (!match) throw notBuilt(`search by anything but metadata (${clause})`)
    return { key: match[2] ?? '', value: match[4] ?? '' }
  })
  if (clauses.length > 10) throw invalid('A query may have 10 clauses', { param: 'query' })
  const youngest = Math.floor(world.clock.now() / 1_000) - lag
  const data = all
    .filter(
      ({ created, metadata }) =>
        created <= youngest && clauses.every(({ key, value }) => metadata[key] === value),
    )
    .reverse()
  return {
    object: 'search_result',
    data: data.slice(0, limit),
    has_more: data.length > limit,
    next_page: null,
    url,
  }
}
