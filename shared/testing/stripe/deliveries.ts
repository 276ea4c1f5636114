/**
 * Webhooks. Nothing goes out by itself: a test says when, in which order, twice, late or never. Failed ones are tried
 * again as Stripe does, for three days of the server's clock.
 */
import { createHmac } from 'node:crypto'
import type { Stripe } from 'stripe'
import type { ThinEvent, World } from './world.ts'

export type Delivery = {
  /** Endpoint or destination. */
  readonly target: string
  readonly event: Stripe.Event | ThinEvent
  /** Unix seconds. */
  readonly since: number
  nextAt: number
  tries: number
}

/** What goes over the line; `status` of the answer comes back, 0 = no answer. */
export type Sent = {
  readonly url: string
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}
export type Send = (sent: Sent) => Promise<number>

export type DeliverOptions = {
  /** Numbers from 0 to 1; given: the order is theirs, else that of the events. */
  readonly random?: () => number
  /** Delivered once more in the same run. */
  readonly twice?: (event: Delivery['event']) => boolean
  /** Stays for a later run. */
  readonly late?: (event: Delivery['event']) => boolean
  /** Never arrives. */
  readonly lost?: (event: Delivery['event']) => boolean
}

/** Seconds between tries; the last one repeats until three days are over. */
const retryAfter = [60, 300, 1_800, 7_200, 18_000, 36_000] as const
const giveUpAfter = 3 * 86_400

export function queueSnapshots(world: World, event: Stripe.Event): void {
  for (const { id, enabled_events: enabled, status } of world.all('endpoints')) {
    if (status !== 'enabled' || !(enabled.includes('*') || enabled.includes(event.type))) continue
    queue(world, id, event)
    event.pending_webhooks += 1
  }
}

export function queueThin(world: World, event: ThinEvent): void {
  for (const { id, enabled_events: enabled, status } of world.all('destinations'))
    if (status === 'enabled' && (enabled.includes('*') || enabled.includes(event.type)))
      queue(world, id, event)
}

function queue(world: World, target: string, event: Delivery['event']): void {
  const since = Math.floor(world.clock.now() / 1_000)
  world.deliveries.push({ target, event, since, nextAt: since, tries: 0 })
}

/** Delivers what is due. @returns how many were taken (2xx), and how many will be tried again */
export async function deliver(
  world: World,
  send: Send,
  { random, twice, late, lost }: DeliverOptions = {},
): Promise<{ readonly taken: number; readonly failed: number }> {
  const now = Math.floor(world.clock.now() / 1_000)
  const due = world.deliveries.filter(({ event, nextAt }) => nextAt <= now && !late?.(event))
  const runs = shuffled(
    due.flatMap((one) => (twice?.(one.event) ? [one, one] : [one])),
    random,
  )
  let taken = 0
  let failed = 0
  for (const delivery of runs) {
    if (lost?.(delivery.event)) {
      drop(world, delivery)
      continue
    }
    const status = await send(signed(world, delivery, now))
    if (status >= 200 && status < 300) {
      taken += 1
      drop(world, delivery)
    } else {
      failed += 1
      again(world, delivery, now)
    }
  }
  return { taken, failed }
}

/** Nothing more goes to an endpoint that was deleted. */
export function forget(world: World, target: string): void {
  for (const delivery of world.deliveries.filter((one) => one.target === target)) drop(world, delivery)
}

function again(world: World, delivery: Delivery, now: number): void {
  const wait = retryAfter[Math.min(delivery.tries, retryAfter.length - 1)] ?? 0
  delivery.tries += 1
  delivery.nextAt = now + wait
  if (delivery.nextAt > delivery.since + giveUpAfter) drop(world, delivery)
}

function drop(world: World, delivery: Delivery): void {
  const index = world.deliveries.indexOf(delivery)
  if (index < 0) return
  world.deliveries.splice(index, 1)
  // An invoice may have waited for it.
  world.touch()
  if (delivery.event.object === 'event') delivery.event.pending_webhooks -= 1
}

/** docs.stripe.com/webhooks: HMAC-SHA256 of `time.body` by the endpoint's secret. */
function signed(world: World, { target, event }: Delivery, now: number): Sent {
  const { data: _data, ...thin } = event
  const body = JSON.stringify(event.object === 'event' ? event : thin)
  const secret = world.signingSecrets.get(target) ?? ''
  const mac = createHmac('sha256', secret).update(`${now}.${body}`).digest('hex')
  const url =
    world.tables.endpoints.get(target)?.url ?? world.tables.destinations.get(target)?.webhook_endpoint?.url
  return {
    url: url ?? '',
    body,
    headers: { 'content-type': 'application/json; charset=utf-8', 'stripe-signature': `t=${now},v1=${mac}` },
  }
}

function shuffled<T>(all: readonly T[], random: (() => number) | undefined): readonly T[] {
  if (!random) return all
  const left = [...all]
  const mixed: T[] = []
  while (left.length > 0) mixed.push(...left.splice(Math.floor(random() * left.length), 1))
  return mixed
}
