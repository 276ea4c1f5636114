/** What happens to every request before its route: an id, headers, limits, the content type, and who asks. */
import { randomUUID } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { fail } from '../base/errors.ts'
import type { ApiDeps, ApiEnv } from './kit.ts'
import { type Allowance, RateLimiter } from './rate-limiter.ts'

type Middleware = MiddlewareHandler<ApiEnv>

const bodyBytesMax = 256 * 1024
/** 20,000 bound endpoints and 5,000 rows of usage. */
const syncBytesMax = 8 * 1024 * 1024
const defaultRates = { perCaller: 600, perAddress: 1_200 }

/** Answered without a bearer of a caller; everything else under /v1 wants one, known or not. */
const publicPaths: ReadonlySet<string> = new Set([
  '/v1/health',
  '/v1/config',
  '/v1/openapi.json',
  '/v1/jwks',
  '/v1/device/authorize',
  '/v1/device/token',
  // Relays prove themselves by other means.
  '/v1/relays/enrol',
  '/v1/relays/sync',
])
/** OAuth's endpoints take forms (RFC 6749, section 3.2). */
const formPaths: ReadonlySet<string> = new Set(['/v1/device/authorize', '/v1/device/token'])

export const identifyRequest: Middleware = async (c, next) => {
  const requestId = randomUUID()
  c.set('requestId', requestId)
  c.header('x-request-id', requestId)
  await next()
}

/** An API's answers are never pages, never shown in frames, and kept by no cache unless a route says so. */
export const secureAnswers: Middleware = async (c, next) => {
  await next()
  const { headers } = c.res
  if (!headers.has('cache-control')) headers.set('cache-control', 'no-store')
  headers.set('x-content-type-options', 'nosniff')
  headers.set('content-security-policy', "default-src 'none'; frame-ancestors 'none'")
  headers.set('referrer-policy', 'no-referrer')
}

export const limitBody: Middleware = (c, next) => {
  const maxSize = c.req.path === '/v1/relays/sync' ? syncBytesMax : bodyBytesMax
  const tooLarge = () => fail('api.too_large', `The body may have ${maxSize / 1024} KiB.`)
  const length = c.req.header('content-length')
  if (length !== undefined && c.req.header('transfer-encoding') === undefined) {
    // Nobody has touched the body: Node reads it to its end and forgets it, and the connection serves the next request.
    if (Number(length) > maxSize) throw tooLarge()
    return next()
  }
  const onError = () => {
    // The rest of it stays unread, so no other request may follow on this connection.
    c.header('connection', 'close')
    throw tooLarge()
  }
  return bodyLimit({ maxSize, onError })(c, next)
}

export const checkMedia: Middleware = async (c, next) => {
  if (c.req.method === 'POST' || c.req.method === 'PATCH') {
    const wanted = formPaths.has(c.req.path) ? 'application/x-www-form-urlencoded' : 'application/json'
    const given = c.req.header('content-type')?.split(';', 1)[0]?.trim().toLowerCase()
    if (given !== wanted) throw fail('api.media', `This call takes ${wanted}.`)
  }
  await next()
}

/** Limits by address before any look at the store, then finds the caller and limits it too. */
export function authenticate({ control, principals, addressOf, rates = defaultRates }: ApiDeps): Middleware {
  const addresses = new RateLimiter(control.clock, rates.perAddress)
  const callers = new RateLimiter(control.clock, rates.perCaller)
  return async (c, next) => {
    const from = addressOf(c)
    let allowance = addresses.take(from)
    const { path } = c.req
    if (!publicPaths.has(path) && !path.startsWith('/v1/auth/') && path.startsWith('/v1/')) {
      const caller = await principals.authenticate(bearerOf(c.req.header('authorization')), from)
      allowance = callers.take(caller.actor)
      c.set('caller', caller)
    }
    for (const [name, value] of Object.entries(allowanceHeaders(allowance))) c.header(name, value)
    await next()
  }
}

/** @throws auth.invalid */
export function bearerOf(authorization: string | undefined): string {
  const bearer = /^Bearer ([\x21-\x7e]{1,4096})$/i.exec(authorization ?? '')?.[1]
  if (bearer === undefined) throw fail('auth.invalid', 'The request has no bearer token.')
  return bearer
}

function allowanceHeaders({ limit, remaining, resetMs }: Allowance) {
  return {
    'ratelimit-limit': `${limit}`,
    'ratelimit-remaining': `${remaining}`,
    'ratelimit-reset': `${Math.ceil(resetMs / 1000)}`,
  }
}
