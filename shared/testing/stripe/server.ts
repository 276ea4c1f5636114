/**
 * A server that speaks Stripe's API, for tests: README.md beside it. It is stricter than we are, has no code of the
 * control plane, and is never shipped.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../../base/clock.ts'
import { answerCall } from './answer.ts'
import { checkoutRoutes, includeInSessions } from './checkout.ts'
import { customerRoutes, includeInCustomers } from './customers.ts'
import { type DeliverOptions, deliver, queueSnapshots, type Send, type Sent } from './deliveries.ts'
import { disputeRoutes } from './disputes.ts'
import { Faults } from './faults.ts'
import type { PageAnswer } from './html.ts'
import { includeInInvoices, invoiceRoutes } from './invoice-routes.ts'
import { KeptAnswers } from './kept-answers.ts'
import { meterRoutes } from './meters.ts'
import { paymentMethodRoutes } from './payment-methods.ts'
import { pageFor } from './people-pages.ts'
import { portalRoutes } from './portal.ts'
import { includeInPrices, priceRoutes } from './prices.ts'
import { productRoutes } from './products.ts'
import { includeInCharges, refundRoutes } from './refunds.ts'
import type { Route } from './routes.ts'
import { scheduleRoutes } from './schedules.ts'
import { searchRoutes } from './search.ts'
import { defaultSettings, type Settings } from './settings.ts'
import { customerEndRoutes } from './subscription-end.ts'
import { subscriptionRoutes } from './subscription-routes.ts'
import { testClockRoutes } from './test-clocks.ts'
import { catchUp } from './time.ts'
import { webhookRoutes } from './webhook-routes.ts'
import { World } from './world.ts'

export type StripeServer = Awaited<ReturnType<typeof startStripe>>
export type StartOptions = {
  /** Moved by the test; what is not on a test clock lives in its time. */
  readonly clock: Clock
  readonly settings?: Partial<Settings>
  /** Makes the ids: the same seed and requests, the same ids. */
  readonly seed?: string
  /** Where webhooks go; absent: over HTTP to the endpoint's address. */
  readonly send?: Send | undefined
  /** 0 = any. */
  readonly port?: number
}

const routes: readonly Route[] = [
  ...searchRoutes,
  ...customerRoutes,
  ...customerEndRoutes,
  ...paymentMethodRoutes,
  ...subscriptionRoutes,
  ...scheduleRoutes,
  ...invoiceRoutes,
  ...checkoutRoutes,
  ...portalRoutes,
  ...meterRoutes,
  ...refundRoutes,
  ...disputeRoutes,
  ...productRoutes,
  ...priceRoutes,
  ...testClockRoutes,
  ...webhookRoutes,
]
const includes = [includeInCharges, includeInCustomers, includeInInvoices, includeInPrices, includeInSessions]
const bodyBytesMax = 1024 * 1024

/** End it with `close`, or by `await using`. */
export async function startStripe({ clock, settings, seed = 'stripe', send = post, port = 0 }: StartOptions) {
  const world = new World({ clock, settings: { ...defaultSettings, ...settings }, seed })
  const faults = new Faults()
  const kept = new KeptAnswers()
  const key = world.id('sk_test', 32)
  world.onEvent((event) => queueSnapshots(world, event))
  for (const include of includes) include(world)

  const server = createServer((request, response) => {
    void serve(request, response).catch(() => response.destroy())
  })
  let calls = 0
  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request)
    const call = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body }
    const shown = pageFor(world, { method: call.method, path: call.url, body })
    if (shown) {
      showPage(response, shown)
      return
    }
    calls++
    const answer = await answerCall({ world, faults, kept, key, routes }, call)
    if (!answer) {
      response.destroy()
      return
    }
    response.writeHead(answer.status, answer.headers)
    response.end(answer.body)
  }
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve)
  })
  const address = server.address() as AddressInfo
  world.origin = `http://127.0.0.1:${address.port}`

  const close = async (): Promise<void> => {
    faults.release()
    server.closeAllConnections()
    await new Promise<void>((resolve) => {
      server.close(() => resolve())
    })
  }
  return {
    /** Where the server is, and the pages for people. */
    url: world.origin,
    /** For `new Stripe(key, sdk)`. */
    key,
    sdk: { host: '127.0.0.1', port: address.port, protocol: 'http' } as const,
    faults,
    /** Requests to its API up to now. */
    calls: () => calls,
    /** What it holds, for a test to look at; change it by requests alone. */
    world,
    /** Renewals, finalisations, retries and expiries up to now. Each request does this too. */
    catchUp: () => catchUp(world),
    /** Events that wait for delivery. */
    undelivered: () => world.deliveries.length,
    /** Delivers the webhooks that are due, once: what happened since comes with the next call. */
    deliver: (options?: DeliverOptions) => {
      catchUp(world)
      return deliver(world, send, options)
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

function showPage(response: ServerResponse, shown: PageAnswer): void {
  if ('file' in shown) {
    const { name, type, text } = shown.file
    response.writeHead(200, { 'content-type': type, 'content-disposition': `attachment; filename="${name}"` })
    response.end(text)
    return
  }
  const where = 'location' in shown ? { location: shown.location } : {}
  response.writeHead(shown.status, { 'content-type': 'text/html; charset=utf-8', ...where })
  response.end('html' in shown ? shown.html : '')
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length
    if (bytes > bodyBytesMax) throw new RangeError('the body is too large')
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** As Stripe: an answer within 10 s, redirects are failures. */
async function post({ url, body, headers }: Sent): Promise<number> {
  try {
    const init = {
      method: 'POST',
      body,
      headers,
      redirect: 'manual',
      signal: AbortSignal.timeout(10_000),
    } as const
    const response = await fetch(url, init)
    await response.body?.cancel()
    return response.status
  } catch {
    return 0
  }
}
