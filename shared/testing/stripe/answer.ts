/** One request: key, version, limits and idempotency around what its route does. */
import type { IncomingHttpHeaders } from 'node:http'
import { z } from 'zod'
import { expanded } from './expand.ts'
import type { FaultKind, Faults } from './faults.ts'
import { readForm } from './form.ts'
import type { Answer, KeptAnswers } from './kept-answers.ts'
import { invalid, Refusal } from './refusal.ts'
import type { Route } from './routes.ts'
import { catchUp } from './time.ts'
import { apiVersion, type World } from './world.ts'

export type Call = {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}
export type Deps = {
  readonly world: World
  readonly faults: Faults
  readonly kept: KeptAnswers
  readonly key: string
  readonly routes: readonly Route[]
}
export type HttpAnswer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** @returns undefined when the line breaks */
export async function answerCall(deps: Deps, call: Call): Promise<HttpAnswer | undefined> {
  const { world, faults } = deps
  const id = world.id('req')
  const { pathname } = new URL(call.url, 'http://stripe.invalid')
  world.requests.push(`${call.method} ${pathname}`)
  const fault = faults.take(`${call.method} ${pathname}`)
  if (fault === 'unreachable') return undefined
  const { answer, replayed } = perform(deps, call, { id, fault })
  if (fault === 'lost') return undefined
  if (fault === 'slow') {
    await faults.wait()
    settle(deps, call, answer)
  }
  const body = JSON.stringify(answer.body)
  return { status: answer.status, headers: headersOf(world, id, replayed), body }
}

function headersOf(world: World, id: string, replayed: string | undefined): Record<string, string> {
  return {
    'content-type': 'application/json',
    date: new Date(world.clock.now()).toUTCString(),
    'request-id': id,
    'stripe-version': apiVersion,
    ...(replayed !== undefined && { 'idempotent-replayed': 'true', 'original-request': replayed }),
  }
}

type Performed = { readonly answer: Answer; readonly replayed?: string }
type Meeting = { readonly id: string; readonly fault: FaultKind | undefined }

function perform(deps: Deps, call: Call, { id, fault }: Meeting): Performed {
  const { world, kept } = deps
  const key = keyOf(call)
  let claimed = false
  try {
    checkHeaders(deps, call)
    if (fault === 'busy') throw tooMany()
    checkRate(world)
    catchUp(world)
    if (key !== undefined) {
      const now = Math.floor(world.clock.now() / 1_000)
      const before = kept.claim(key, `${call.method} ${call.url} ${call.body}`, { now, id })
      if (before?.answer) return { answer: before.answer, replayed: before.original }
      claimed = true
    }
    if (fault === 'failed') throw broken()
    world.request = { id, idempotency_key: key ?? null }
    const body = run(deps, call)
    const answer = fault === 'failedAfter' ? errorAnswer(broken()) : { status: 200, body }
    // While a slow answer waits, its key is in use.
    if (fault !== 'slow') settle(deps, call, answer)
    return { answer }
  } catch (error) {
    const answer = errorAnswer(error instanceof Refusal ? error : broken(error))
    if (claimed && key !== undefined)
      kept.settle(key, answer, { isKept: answer.status !== 429 && !isCheck(error) })
    return { answer }
  } finally {
    if (call.method !== 'GET') world.touch()
    world.request = { id: null, idempotency_key: null }
  }
}

function keyOf(call: Call): string | undefined {
  return call.method === 'GET' ? undefined : headerOf(call, 'idempotency-key')
}

function settle({ kept }: Deps, call: Call, answer: Answer): void {
  const key = keyOf(call)
  if (key !== undefined) kept.settle(key, answer, { isKept: true })
}

/** Refused for its parameters: nothing had begun, so the key is free again. */
function isCheck(error: unknown): boolean {
  return error instanceof Refusal && error.status === 400 && (error.body.code ?? '').startsWith('parameter_')
}

function checkHeaders({ key }: Deps, call: Call): void {
  const bearer = /^Bearer (\S+)$/.exec(headerOf(call, 'authorization') ?? '')?.[1]
  if (bearer === undefined)
    throw new Refusal(401, { type: 'invalid_request_error', message: 'You did not provide an API key.' })
  if (bearer !== key) {
    const shown = `${bearer.slice(0, 8)}****${bearer.slice(-4)}`
    throw new Refusal(401, { type: 'invalid_request_error', message: `Invalid API Key provided: ${shown}` })
  }
  const version = headerOf(call, 'stripe-version')
  if (version !== apiVersion)
    throw invalid(`Invalid Stripe API version: ${version ?? 'none'}. This server has ${apiVersion}.`)
}

function run({ world, routes }: Deps, call: Call): object {
  const { pathname, search } = new URL(call.url, 'http://stripe.invalid')
  const isV2 = pathname.startsWith('/v2/')
  const found = routes.find(({ method, path }) => method === call.method && path.test(pathname))
  if (!found)
    throw new Refusal(404, {
      type: 'invalid_request_error',
      message: `Unrecognized request URL (${call.method}: ${pathname}).`,
    })
  const raw = call.method === 'POST' ? bodyOf(call, { isV2, search }) : readForm(search.slice(1))
  const { paths, rest } = withoutExpand(raw, isV2)
  const ids = (found.path.exec(pathname) ?? []).slice(1)
  const answer = found.run(world, rest, ids)
  return paths.length === 0 ? answer : expanded(world, answer, paths)
}

function bodyOf(call: Call, { isV2, search }: { isV2: boolean; search: string }): unknown {
  if (search !== '') throw invalid('Parameters of a POST belong into its body')
  const type = headerOf(call, 'content-type')?.split(';')[0]
  const wanted = isV2 ? 'application/json' : 'application/x-www-form-urlencoded'
  if (call.body === '') return isV2 ? {} : readForm('')
  if (type !== wanted) throw invalid(`Invalid content type: ${type ?? 'none'} instead of ${wanted}`)
  if (!isV2) return readForm(call.body)
  try {
    return JSON.parse(call.body)
  } catch {
    throw invalid('The body is not JSON')
  }
}

const expandSchema = z.array(z.string().min(1)).max(20)

function withoutExpand(
  raw: unknown,
  isV2: boolean,
): { readonly paths: readonly string[]; readonly rest: unknown } {
  if (isV2 || typeof raw !== 'object' || raw === null || !('expand' in raw)) return { paths: [], rest: raw }
  const { expand, ...rest } = raw
  const read = expandSchema.safeParse(expand)
  if (!read.success) throw invalid('Invalid array', { param: 'expand' })
  return { paths: read.data, rest }
}

const seconds = new WeakMap<World, { second: number; count: number }>()

function checkRate(world: World): void {
  const { ratePerSecond: most } = world.settings
  if (most === undefined) return
  const second = Math.floor(world.clock.now() / 1_000)
  const before = seconds.get(world)
  const count = before?.second === second ? before.count + 1 : 1
  seconds.set(world, { second, count })
  if (count > most) throw tooMany()
}

function headerOf({ headers }: Call, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value[0] : value
}

function tooMany(): Refusal {
  return new Refusal(429, {
    type: 'invalid_request_error',
    code: 'rate_limit',
    message:
      'Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.',
  })
}

/** @param cause a fault of this server itself, which the test has to see */
function broken(cause?: unknown): Refusal {
  const detail = cause instanceof Error ? ` ${cause.stack ?? cause.message}` : ''
  return new Refusal(500, { type: 'api_error', message: `An unknown error occurred.${detail}` })
}

function errorAnswer({ status, body }: Refusal): Answer {
  return { status, body: { error: body } }
}
