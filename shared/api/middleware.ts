/**
 * What happens to a request before its route. All get an id, headers and a limit by address; then the route's
 * declaration decides who may ask, what it counts as, and the length and type of the body. No body is read before its
 * sender is authenticated.
 */
import { randomUUID } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { routePath } from 'hono/route'
import { sourceOf } from '../base/addresses.ts'
import { fail } from '../base/errors.ts'
import { withinRequest } from '../base/request-scope.ts'
import type { Telemetry } from '../base/telemetry.ts'
import { requirePermission, requirePerson } from '../control/caller.ts'
import { controlOf } from '../control/control.ts'
import { requireFresh } from '../control/sign-ins/fresh.ts'
import { bearerOf } from './bearer.ts'
import {
  type AnyCall,
  type ApiContext,
  type ApiDeps,
  type ApiEnv,
  type Declared,
  rateClasses,
} from './kit.ts'
import { type Allowance, RateLimiter } from './rate-limiter.ts'
import { requireTerms, waitsForTerms } from './terms-guard.ts'
import { findViewCall, viewOf } from './viewing.ts'

type Middleware = MiddlewareHandler<ApiEnv>

const bodyBytesMax = 256 * 1024
/** For strangers: sign-in and device login need a tenth of it. */
const publicBytesMax = 16 * 1024
const defaultRates = { perCaller: 600, perAddress: 1_200 }
/** Names the account of a request; `?account=` on GET does the same, for links. */
const accountHeader = 'porttunneler-account'

export const identifyRequest: Middleware = async (c, next) => {
  const requestId = randomUUID()
  c.set('requestId', requestId)
  c.header('x-request-id', requestId)
  await withinRequest(requestId, next)
}

/** Each request is a span, named by its route, never by the path, which has ids. */
export function traceRequests(telemetry: Telemetry): Middleware {
  return (c, next) =>
    telemetry.span('request', c.req.method, async (span) => {
      span.set({ 'http.request.method': c.req.method })
      await next()
      const route = routePath(c, -1)
      const { status } = c.res
      span.set({ 'http.response.status_code': status })
      // No route of ours: a path of a stranger's choice.
      if (route.startsWith('/v1/')) {
        span.set({ 'http.route': route })
        span.rename(`${c.req.method} ${route}`)
      }
      if (status >= 500) span.set({ 'error.type': `${status}` })
    })
}

/** API answers are never shown in frames, load nothing, and are not cached; few are pages, and say so themselves. */
export const secureAnswers: Middleware = async (c, next) => {
  await next()
  const { headers } = c.res
  if (!headers.has('cache-control')) headers.set('cache-control', 'no-store')
  headers.set('x-content-type-options', 'nosniff')
  if (!headers.has('content-security-policy'))
    headers.set('content-security-policy', "default-src 'none'; frame-ancestors 'none'")
  headers.set('referrer-policy', 'no-referrer')
}

/** Runs before any read of the store. */
export function limitAddresses({ control, addressOf, rates = defaultRates }: ApiDeps): Middleware {
  const addresses = new RateLimiter(control.clock, rates.perAddress)
  return async (c, next) => {
    tellAllowance(c, addresses.take(sourceOf(addressOf(c))))
    await next()
  }
}

/** The guard of a route, made from its declaration. */
export function makeGuard(deps: ApiDeps): (declared: Declared) => readonly Middleware[] {
  const callers = new RateLimiter(deps.control.clock, (deps.rates ?? defaultRates).perCaller)
  return (declared) => [admit(deps, callers, declared), limitBody(declared), ...checkMedia(declared)]
}

function admit(deps: ApiDeps, callers: RateLimiter, declared: Declared): Middleware {
  const { access, rate = 'usual', fresh } = declared
  const needsTerms = waitsForTerms(declared)
  return async (c, next) => {
    const view = viewOf(c, declared)
    if (!('public' in access)) {
      const { call, subject } =
        view === undefined
          ? await findCall(deps, c, access)
          : await findViewCall(deps, c, { ...declared, view })
      if (subject !== undefined) tellAllowance(c, callers.take(subject, rateClasses[rate]))
      if (needsTerms) await requireTerms(deps, call)
      if (fresh === true) await requireFreshCall(deps, call)
      c.set('call', call)
    } else if (access.bearer === 'required') bearerOf(c.req.header('authorization'))
    await next()
  }
}

/** @throws auth.stale */
async function requireFreshCall({ control }: ApiDeps, call: AnyCall): Promise<void> {
  const person = 'caller' in call ? call.caller.user : 'signedIn' in call ? call.signedIn.person : undefined
  if (person) await requireFresh(control, person)
}

/** @returns the call, and the name that its requests are counted under. @throws auth.*, account.*, api.not_found */
async function findCall(
  { control, principals, addressOf }: ApiDeps,
  c: ApiContext,
  access: Exclude<Declared['access'], { readonly public: string }>,
): Promise<{ readonly call: AnyCall; readonly subject?: string }> {
  const bearer = bearerOf(c.req.header('authorization'))
  const userAgent = c.req.header('user-agent')
  if ('relay' in access) return { call: { relay: await control.relayIdentity.verify(bearer) } }
  if ('signedIn' in access) {
    if (bearer.startsWith('pts_')) throw fail('auth.person')
    const source = { from: addressOf(c), userAgent }
    const signedIn = await principals.signIn(bearer, source, access)
    return { call: { signedIn }, subject: signedIn.person.id }
  }
  const found = await principals.authenticate(bearer, addressOf(c), {
    account: accountNamed(c),
    userAgent,
    ...(access.evenStopped && { evenStopped: true }),
  })
  const caller = { ...found, userAgent }
  requirePermission(caller, access.permission)
  if (access.by === 'person') requirePerson(caller)
  return { call: { caller, control: controlOf(control, caller.account) }, subject: caller.actor }
}

/** @returns '' when the request names no account. @throws api.not_found */
function accountNamed(c: ApiContext): string {
  const named = c.req.header(accountHeader) ?? (c.req.method === 'GET' ? c.req.query('account') : undefined)
  if (named === undefined || named === '') return ''
  if (!/^acc_[0-9a-z]{26}$/.test(named)) throw fail('api.not_found', 'There is no such account.')
  return named
}

function limitBody({ access, bodyBytesMax: declaredMax }: Declared): Middleware {
  const maxSize = declaredMax ?? ('public' in access ? publicBytesMax : bodyBytesMax)
  return (c, next) => {
    const tooLarge = () => fail('api.too_large', `The body may have ${maxSize / 1024} KiB.`)
    const length = c.req.header('content-length')
    if (length !== undefined && c.req.header('transfer-encoding') === undefined) {
      // Nobody has touched the body: Node reads it to its end and drops it, and the connection stays open.
      if (Number(length) > maxSize) throw tooLarge()
      return next()
    }
    const onError = () => {
      // The rest of the body stays unread, so no other request may follow on this connection.
      c.header('connection', 'close')
      throw tooLarge()
    }
    return bodyLimit({ maxSize, onError })(c, next)
  }
}

/**
 * A route with a body takes only the type that it declares (OAuth's take forms: RFC 6749, section 3.2). A page of
 * another site can send only forms without asking first (CORS), and only programs need to send us any. So a request
 * that a browser marks as coming from another site is refused before it counts for anything.
 */
function checkMedia({ request }: Declared): readonly Middleware[] {
  const [wanted] = Object.keys(request?.body?.content ?? {})
  if (wanted === undefined) return []
  return [
    async (c, next) => {
      const given = c.req.header('content-type')?.split(';', 1)[0]?.trim().toLowerCase()
      if (given !== wanted) throw fail('api.media', `This call takes ${wanted}.`)
      if (wanted === formType && isForeign(c)) throw fail('api.foreign_page')
      await next()
    },
  ]
}

const formType = 'application/x-www-form-urlencoded'

/** Browsers send both with a form; programs send neither. A page from this server asks the server that it came from. */
function isForeign(c: ApiContext): boolean {
  const site = c.req.header('sec-fetch-site')
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true
  const origin = c.req.header('origin')
  return origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === new URL(c.req.url).host)
}

function tellAllowance(c: ApiContext, { limit, remaining, resetMs }: Allowance): void {
  c.header('ratelimit-limit', `${limit}`)
  c.header('ratelimit-remaining', `${remaining}`)
  c.header('ratelimit-reset', `${Math.ceil(resetMs / 1000)}`)
}
