/**
 * One HTTP call to the API: deadline, bearer, problem documents turned into PortTunnelerError, answers parsed by
 * schema. Used by client.ts. It runs in browsers too, so it imports nothing of Node.
 */
import { z } from 'zod'
import { type BackoffShape, backoffMs } from '../base/backoff.ts'
import { isOutOfTime, sayClock } from '../base/certificate-time.ts'
import { type Clock, sleep, systemClock } from '../base/clock.ts'
import { codes, fail, isFailure, keyOfCode, type PortTunnelerError } from '../base/errors.ts'
import { sayNetworkError } from '../base/system-errors.ts'
import { problemSchema } from './schemas/common.ts'

/** The part of `fetch` that we use; the built-in one fits, and so does a lighter one. */
export type Fetch = (
  url: string,
  init: {
    readonly method: string
    readonly headers: Readonly<Record<string, string>>
    readonly body?: Blob | URLSearchParams
    readonly signal: AbortSignal
    readonly redirect: 'error'
  },
) => Promise<{
  readonly status: number
  readonly headers: { get(name: string): string | null }
  text(): Promise<string>
}>

export type ClientOptions = {
  /** Where the API is, without `/v1`; '' for the page's own origin. */
  readonly baseUrl: string
  /** Returns the bearer, called before every call, so that a refreshed one is used at once; undefined = none. */
  readonly token?: () => string | undefined | Promise<string | undefined>
  readonly fetch?: Fetch
  /** ms for one try, including its body. */
  readonly timeoutMs?: number
  readonly clock?: Clock
  readonly random?: () => number
  /** Sent with every call, such as User-Agent (which browsers refuse to change). */
  readonly headers?: Readonly<Record<string, string>>
}

export type CallOptions = {
  readonly signal?: AbortSignal | undefined
  readonly idempotencyKey?: string
  /** Sent with this call, in lower case. */
  readonly headers?: Readonly<Record<string, string>>
}

export type Request<T> = {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Begins with /v1. */
  readonly path: string
  readonly answer: z.ZodType<T>
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly json?: unknown
  /** OAuth endpoints take forms. */
  readonly form?: Readonly<Record<string, string>>
  readonly ifMatch?: string
  /** Statuses besides 2xx whose body `answer` describes. */
  readonly alsoFine?: readonly number[]
}
/** How many of a list are wanted, and from where on. */
export type PageOptions = CallOptions & { readonly limit?: number; readonly cursor?: string | undefined }

const defaultTimeoutMs = 15_000
/** Codes with "now" mean a lost race: a moment later the same call works. */
const retryShape: BackoffShape = { fastTries: 0, fastMs: 0, minMs: 100, maxMs: 500, jitter: 0.5 }
const triesMax = 3

/**
 * @throws the API's problem; server.unreachable or server.validity if there is no answer, server.unexpected for an
 * invalid one
 */
export async function call<T>(
  options: ClientOptions,
  request: Request<T>,
  { signal, idempotencyKey, headers }: CallOptions = {},
): Promise<T> {
  const clock = options.clock ?? systemClock
  const withHeaders = headers ? { ...options, headers: { ...options.headers, ...headers } } : options
  for (let attempt = 0; ; attempt++) {
    const outcome = await attemptCall(withHeaders, request, { signal, idempotencyKey })
    if ('value' in outcome) return outcome.value
    const { error } = outcome
    if (error.entry.retry !== 'now' || attempt + 1 >= triesMax || !isRepeatable(request, idempotencyKey))
      throw error
    await sleep(clock, backoffMs(retryShape, attempt, options.random ?? Math.random), signal)
  }
}

function isRepeatable({ method }: Request<unknown>, idempotencyKey: string | undefined): boolean {
  return method !== 'POST' || idempotencyKey !== undefined
}

type Outcome<T> = { readonly value: T } | { readonly error: PortTunnelerError }

async function attemptCall<T>(
  options: ClientOptions,
  request: Request<T>,
  { signal, idempotencyKey }: { signal: AbortSignal | undefined; idempotencyKey: string | undefined },
): Promise<Outcome<T>> {
  const deadline = AbortSignal.timeout(options.timeoutMs ?? defaultTimeoutMs)
  const url = addressOf(options.baseUrl, request)
  let status: number
  let text: string
  let retryAfter: string | null
  try {
    const response = await (options.fetch ?? fetch)(url, {
      method: request.method,
      headers: await headersOf(options, request, idempotencyKey),
      signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
      redirect: 'error',
      ...bodyOf(request),
    })
    status = response.status
    retryAfter = response.headers.get('retry-after')
    text = await response.text()
  } catch (cause) {
    signal?.throwIfAborted()
    // What carries the call may know better why it failed, for example a proxy that refuses.
    if (isFailure(cause)) throw cause
    const nowMs = (options.clock ?? systemClock).now()
    if (isOutOfTime(cause))
      throw fail('server.validity', `${options.baseUrl}: ${sayClock(nowMs)}.`, { cause })
    const why = deadline.aborted ? 'did not answer in time' : `could not be reached${sayNetworkError(cause)}`
    throw fail('server.unreachable', `${options.baseUrl || 'The server'} ${why}.`, { cause })
  }
  const body = parseJson(text)
  const isFine = (status >= 200 && status < 300) || request.alsoFine?.includes(status)
  if (!isFine) return { error: readProblem(status, body, retryAfter) }
  const parsed = request.answer.safeParse(status === 204 ? undefined : body)
  if (parsed.success) return { value: parsed.data }
  throw fail('server.unexpected', `The answer to ${request.method} ${request.path} has an unknown shape.`, {
    cause: parsed.error,
    fields: { status },
  })
}

function addressOf(baseUrl: string, { path, query = {} }: Request<unknown>): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query))
    if (value !== undefined) parameters.set(name, String(value))
  const text = parameters.toString()
  return `${baseUrl.replace(/\/$/, '')}${path}${text ? `?${text}` : ''}`
}

async function headersOf(
  { token, headers }: ClientOptions,
  { ifMatch }: Request<unknown>,
  idempotencyKey: string | undefined,
): Promise<Record<string, string>> {
  const bearer = await token?.()
  return {
    ...headers,
    accept: 'application/json, application/problem+json',
    ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
    ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
    ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
  }
}

function bodyOf({ json, form }: Request<unknown>): { body: Blob | URLSearchParams } | undefined {
  if (form) return { body: new URLSearchParams(form) }
  if (json === undefined) return undefined
  return { body: new Blob([JSON.stringify(json)], { type: 'application/json' }) }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON: the caller's expectation decides whether that is wrong.
    return undefined
  }
}

function readProblem(status: number, body: unknown, retryAfter: string | null): PortTunnelerError {
  const parsed = problemSchema.safeParse(body)
  if (!parsed.success) return fail('server.unexpected', `The server answered ${status} without saying why.`)
  const { code, title, detail, instance, issues, suggestions } = parsed.data
  const seconds = parsed.data.retryAfter ?? (retryAfter === null ? undefined : Number(retryAfter))
  const retryAfterMs = seconds && seconds * 1000
  const fields = { status, requestId: instance, issues, retryAfterMs, ...(suggestions && { suggestions }) }
  const key = keyOfCode(code)
  if (key) return fail(key, detail ?? codes[key].cause, { fields })
  return fail('server.unexpected', `${code} ${title}: ${detail ?? 'a code newer than this program'}`, {
    fields,
  })
}

/** For answers without a body (204). */
export const nothing: z.ZodType<undefined> = z.undefined()
