/** Webhook endpoints, event destinations (for thin events), and the events themselves. */
import type { Stripe } from 'stripe'
import { z } from 'zod'
import { forget } from './deliveries.ts'
import { isWithin, page } from './pages.ts'
import {
  anyMetadata,
  createdRange,
  empty,
  flag,
  metadata,
  none,
  paging,
  params,
  text,
  url,
} from './params.ts'
import { invalid } from './refusal.ts'
import { type Route, route } from './routes.ts'
import { apiVersion, mergedMetadata, type World } from './world.ts'

const endpointsMax = 16
/** Stripe refuses events that it does not have; the ones that we may ask for are these. */
const snapshotType = z.custom<Stripe.WebhookEndpointCreateParams.EnabledEvent>(
  (value) => value === '*' || (typeof value === 'string' && /^[a-z_]+(\.[a-z_]+){1,3}$/.test(value)),
  'Invalid enabled_events',
)
const snapshotTypes = z.array(snapshotType).min(1)

const endpointParams = params<Stripe.WebhookEndpointCreateParams>()({
  url,
  enabled_events: snapshotTypes,
  api_version: z.literal(apiVersion, 'Invalid API version').optional(),
  description: text.optional(),
  metadata: anyMetadata.optional(),
})
const endpointUpdate = params<Stripe.WebhookEndpointUpdateParams>()({
  url: url.optional(),
  enabled_events: snapshotTypes.optional(),
  description: z.union([empty, text]).optional(),
  disabled: flag.optional(),
  metadata: anyMetadata.optional(),
})

/** The v2 API takes JSON. */
const destinationParams = params<Stripe.V2.Core.EventDestinationCreateParams>()({
  name: text,
  type: z.literal('webhook_endpoint'),
  event_payload: z.literal('thin'),
  enabled_events: z.array(z.string().regex(/^v[12]\.[a-z_.]+$/, 'Invalid event type')).min(1),
  description: z.string().optional(),
  include: z.array(z.enum(['webhook_endpoint.signing_secret', 'webhook_endpoint.url'])).optional(),
  metadata: metadata.optional(),
  webhook_endpoint: z.strictObject({ url }),
})
const destinationUpdate = params<Stripe.V2.Core.EventDestinationUpdateParams>()({
  name: text.optional(),
  description: z.string().optional(),
  enabled_events: z.array(z.string()).min(1).optional(),
  include: z.array(z.literal('webhook_endpoint.url')).optional(),
  metadata: metadata.optional(),
  webhook_endpoint: z.strictObject({ url }).optional(),
})
const included = z.strictObject({ include: z.array(z.literal('webhook_endpoint.url')).optional() })
const eventsParams = params<Stripe.EventListParams & Stripe.PaginationParams>()({
  ...paging,
  type: text.optional(),
  types: z.array(text).max(20).optional(),
  created: createdRange.optional(),
  delivery_success: flag.optional(),
})
const thinParams = params<Stripe.V2.Core.EventListParams>()({
  limit: paging.limit,
  object_id: text.optional(),
  types: z.array(text).max(20).optional(),
})
/** Stripe keeps them for 30 days. */
const eventsFor = 30 * 86_400

export const webhookRoutes: readonly Route[] = [
  route('POST /v1/webhook_endpoints', endpointParams, (world, asked) => {
    if (world.all('endpoints').length >= endpointsMax)
      throw invalid(`You have reached the maximum of ${endpointsMax} test webhook endpoints.`)
    checkReach(world, asked.url)
    const id = world.id('we', 24)
    const secret = world.id('whsec', 32)
    world.signingSecrets.set(id, secret)
    const endpoint: Stripe.WebhookEndpoint = {
      id,
      object: 'webhook_endpoint',
      api_version: asked.api_version ?? null,
      application: null,
      created: world.now(),
      description: asked.description ?? null,
      enabled_events: asked.enabled_events,
      livemode: false,
      metadata: mergedMetadata(null, asked.metadata),
      status: 'enabled',
      url: asked.url,
    }
    return { ...world.keep('endpoints', endpoint), secret }
  }),
  route('GET /v1/webhook_endpoints', z.strictObject(paging), (world, asked) =>
    page(world.all('endpoints'), asked, '/v1/webhook_endpoints'),
  ),
  route('GET /v1/webhook_endpoints/:id', none, (world, _, id) => findEndpoint(world, id)),
  route('POST /v1/webhook_endpoints/:id', endpointUpdate, (world, asked, id) => {
    const endpoint = findEndpoint(world, id)
    if (asked.url !== undefined) checkReach(world, asked.url)
    endpoint.url = asked.url ?? endpoint.url
    endpoint.enabled_events = asked.enabled_events ?? endpoint.enabled_events
    if (asked.description !== undefined) endpoint.description = asked.description || null
    if (asked.disabled !== undefined) endpoint.status = asked.disabled ? 'disabled' : 'enabled'
    endpoint.metadata = mergedMetadata(endpoint.metadata, asked.metadata)
    return endpoint
  }),
  route('DELETE /v1/webhook_endpoints/:id', none, (world, _, id) => {
    findEndpoint(world, id)
    world.tables.endpoints.delete(id ?? '')
    forget(world, id ?? '')
    return { id, object: 'webhook_endpoint', deleted: true } satisfies object
  }),
  route('GET /v1/events', eventsParams, (world, asked) => {
    if (asked.type !== undefined && asked.types)
      throw invalid('Only one of type and types', { param: 'type' })
    const types = asked.types ?? (asked.type === undefined ? undefined : [asked.type])
    const found = liveEvents(world).filter(
      ({ type, created, pending_webhooks: left }) =>
        (!types || types.some((one) => matches(type, one))) &&
        isWithin(created, asked.created) &&
        (asked.delivery_success === undefined || asked.delivery_success === (left === 0)),
    )
    return page(found, asked, '/v1/events')
  }),
  route('GET /v1/events/:id', none, (world, _, id = '') => {
    const found = liveEvents(world).find((event) => event.id === id)
    return found ?? world.find('events', `${id}:gone`, 'event')
  }),
  route('POST /v2/core/event_destinations', destinationParams, (world, asked) => {
    checkReach(world, asked.webhook_endpoint.url)
    const id = world.id('ed_test', 24)
    const secret = world.id('whsec', 32)
    world.signingSecrets.set(id, secret)
    const now = iso(world.now())
    const destination: Stripe.V2.Core.EventDestination = {
      id,
      object: 'v2.core.event_destination',
      created: now,
      description: asked.description ?? '',
      enabled_events: asked.enabled_events,
      event_payload: asked.event_payload,
      livemode: false,
      metadata: { ...asked.metadata },
      name: asked.name,
      status: 'enabled',
      type: asked.type,
      updated: now,
      webhook_endpoint: { url: asked.webhook_endpoint.url },
    }
    world.keep('destinations', destination)
    const shown = shownDestination(destination, asked.include)
    if (!asked.include?.includes('webhook_endpoint.signing_secret')) return shown
    return { ...shown, webhook_endpoint: { ...shown.webhook_endpoint, signing_secret: secret } }
  }),
  route('GET /v2/core/event_destinations', included.extend({ limit: paging.limit }), (world, asked) => ({
    data: world.all('destinations').map((one) => shownDestination(one, asked.include)),
    next_page_url: null,
    previous_page_url: null,
  })),
  route('GET /v2/core/event_destinations/:id', included, (world, asked, id = '') =>
    shownDestination(world.find('destinations', id, 'event destination'), asked.include),
  ),
  route('POST /v2/core/event_destinations/:id', destinationUpdate, (world, asked, id = '') => {
    const destination = world.find('destinations', id, 'event destination')
    if (asked.webhook_endpoint) {
      checkReach(world, asked.webhook_endpoint.url)
      destination.webhook_endpoint = { url: asked.webhook_endpoint.url }
    }
    destination.name = asked.name ?? destination.name
    destination.description = asked.description ?? destination.description
    destination.enabled_events = asked.enabled_events ?? destination.enabled_events
    destination.metadata = mergedMetadata(destination.metadata ?? null, asked.metadata)
    destination.updated = iso(world.now())
    return shownDestination(destination, asked.include)
  }),
  route('DELETE /v2/core/event_destinations/:id', none, (world, _, id = '') => {
    world.find('destinations', id, 'event destination')
    world.tables.destinations.delete(id)
    forget(world, id)
    return { id, object: 'v2.core.event_destination', deleted: true }
  }),
  route('GET /v2/core/events', thinParams, (world, asked) => {
    const found = world
      .all('thinEvents')
      .filter(
        ({ type, related_object: about }) =>
          (!asked.types || asked.types.includes(type)) &&
          (asked.object_id === undefined || about?.id === asked.object_id),
      )
    return { data: found.reverse().slice(0, asked.limit ?? 10), next_page_url: null, previous_page_url: null }
  }),
  route('GET /v2/core/events/:id', none, (world, _, id = '') => world.find('thinEvents', id, 'event')),
]

function findEndpoint(world: World, id = ''): Stripe.WebhookEndpoint {
  return world.find('endpoints', id, 'webhook endpoint')
}

/** The address is shown on request only. */
function shownDestination(
  destination: Stripe.V2.Core.EventDestination,
  include: readonly string[] | undefined,
): Stripe.V2.Core.EventDestination {
  const { webhook_endpoint: endpoint, ...rest } = destination
  return include?.includes('webhook_endpoint.url') ? { ...rest, webhook_endpoint: { ...endpoint } } : rest
}

function liveEvents(world: World): readonly Stripe.Event[] {
  const oldest = Math.floor(world.clock.now() / 1_000) - eventsFor
  return world.all('events').filter(({ created }) => created >= oldest)
}

function matches(type: string, asked: string): boolean {
  return asked.endsWith('*') ? type.startsWith(asked.slice(0, -1)) : type === asked
}

function checkReach(world: World, address: string): void {
  if (world.settings.localWebhooks) return
  const { hostname, protocol } = new URL(address)
  if (protocol !== 'https:' || /^(localhost|127\.|10\.|192\.168\.|\[)/.test(hostname))
    throw invalid('Invalid URL: URL must be publicly accessible.', { param: 'url', code: 'url_invalid' })
}

function iso(seconds: number): string {
  return new Date(seconds * 1_000).toISOString()
}
