/**
 * Five calls of Cloudflare's REST interface that records need, by the platform's own fetch. The official SDK was
 * measured and left out (docs/decisions/0061). A schema reads every answer; no more than 1,000 requests are sent in
 * five minutes, of the 1,200 that a token has.
 */
import { z } from 'zod'
import type { Clock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import { readBody } from '../base/read-text.ts'
import type { Secret } from '../base/secret.ts'

const deadlineMs = 15_000
/** A page of records is half a megabyte. */
const answerBytesMax = 8 * 1024 * 1024
const windowMs = 5 * 60_000
const requestsMax = 1_000
/** The limit of a batch on every plan. */
export const batchMax = 200
const perPage = 1_000
/** A zone has at most some hundred thousand records. */
const pagesMax = 1_000

const failuresSchema = z.array(z.object({ code: z.int(), message: z.string() })).default([])
const envelopeSchema = z.object({
  success: z.boolean(),
  errors: failuresSchema,
  result: z.unknown(),
  result_info: z.object({ total_pages: z.int().min(0).default(1) }).optional(),
})
type Envelope = z.infer<typeof envelopeSchema>

const zoneSchema = z.object({ id: z.string().regex(/^[0-9a-f]{32}$/), name: z.string() })
const recordSchema = z.object({
  id: z.string().regex(/^[0-9a-f]{32}$/),
  name: z.string(),
  type: z.string(),
  content: z.string(),
  proxied: z.boolean().default(false),
  ttl: z.number(),
  comment: z.string().nullish(),
  created_on: z.string().optional(),
})
export type CloudRecord = z.infer<typeof recordSchema>
export type CloudZone = z.infer<typeof zoneSchema>

/** A record as it is sent; `ttl` in seconds. */
export type NewRecord = {
  readonly type: string
  readonly name: string
  readonly content: string
  readonly ttl: number
  readonly proxied: false
  readonly comment: string
}
export type Batch = {
  readonly deletes: readonly { readonly id: string }[]
  readonly patches: readonly { readonly id: string; readonly ttl: number; readonly proxied: false }[]
  readonly posts: readonly NewRecord[]
}

/** Somebody made the same record in between. */
export const existsCodes: readonly number[] = [81_057, 81_058]

export type CloudflareOptions = {
  readonly token: Secret
  readonly clock: Clock
  readonly baseUrl?: string | undefined
}

export class CloudflareApi {
  readonly #options: CloudflareOptions
  /** Monotonic times of the requests of the last five minutes. */
  #sent: number[] = []
  /** Monotonic; Cloudflare wants a pause until then, and prolongs it for whoever asks meanwhile. */
  #pausedUntil = Number.NEGATIVE_INFINITY

  constructor(options: CloudflareOptions) {
    this.#options = options
  }

  zones(signal: AbortSignal): Promise<readonly CloudZone[]> {
    return this.#pages('/zones', {}, zoneSchema, signal)
  }

  records(
    zone: string,
    filter: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<readonly CloudRecord[]> {
    return this.#pages(`/zones/${zone}/dns_records`, filter, recordSchema, signal)
  }

  /**
   * All or nothing: deletions first, then changes, then new records.
   * @throws dns.*, with `fields.codes` of Cloudflare
   */
  async batch(zone: string, batch: Batch, signal: AbortSignal): Promise<void> {
    await this.#call('POST', `/zones/${zone}/dns_records/batch`, batch, signal)
  }

  async #pages<T>(
    path: string,
    filter: Readonly<Record<string, string>>,
    schema: z.ZodType<T>,
    signal: AbortSignal,
  ): Promise<readonly T[]> {
    const all: T[] = []
    for (let page = 1; page <= pagesMax; page++) {
      const query = new URLSearchParams({ ...filter, page: `${page}`, per_page: `${perPage}` })
      const answer = await this.#call('GET', `${path}?${query}`, undefined, signal)
      const read = z.array(schema).safeParse(answer.result)
      if (!read.success)
        throw fail('dns.unavailable', 'Cloudflare gave an answer of another form.', { cause: read.error })
      all.push(...read.data)
      // A page may have fewer than requested.
      if (page >= (answer.result_info?.total_pages ?? 1)) break
    }
    return all
  }

  async #call(
    method: 'GET' | 'POST',
    path: string,
    body: object | undefined,
    signal: AbortSignal,
  ): Promise<Envelope> {
    this.#spend()
    const { token, baseUrl = 'https://api.cloudflare.com/client/v4' } = this.#options
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)])
    const headers = { authorization: `Bearer ${token.reveal()}`, 'content-type': 'application/json' }
    let answer: Response
    let text: string
    try {
      const sent = body === undefined ? {} : { body: JSON.stringify(body) }
      answer = await fetch(`${baseUrl}${path}`, {
        method,
        headers,
        ...sent,
        redirect: 'error',
        signal: deadline,
      })
      text = await readBody(answer, answerBytesMax)
    } catch (cause) {
      throw fail('dns.unavailable', 'Cloudflare did not answer.', { cause })
    }
    const envelope = parse(text)
    if (answer.ok && envelope?.success) return envelope
    const failure = refusal(answer, envelope)
    const { retryAfterMs } = failure.fields
    if (typeof retryAfterMs === 'number') this.#pausedUntil = this.#options.clock.monotonic() + retryAfterMs
    throw failure
  }

  /** @throws dns.limited before Cloudflare does, which would pause everything for five minutes */
  #spend(): void {
    const nowMs = this.#options.clock.monotonic()
    if (nowMs < this.#pausedUntil)
      throw fail('dns.limited', undefined, { fields: { retryAfterMs: this.#pausedUntil - nowMs } })
    this.#sent = this.#sent.filter((at) => at > nowMs - windowMs)
    const [oldest = nowMs] = this.#sent
    if (this.#sent.length >= requestsMax)
      throw fail('dns.limited', undefined, { fields: { retryAfterMs: oldest + windowMs - nowMs } })
    this.#sent.push(nowMs)
  }
}

function parse(text: string): Envelope | undefined {
  try {
    return envelopeSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

function refusal({ status, headers }: Response, envelope: Envelope | undefined) {
  const said = (envelope?.errors ?? [])
    .map(({ code, message }) => `${code} ${message.slice(0, 200)}`)
    .join('; ')
  const codes = (envelope?.errors ?? []).map(({ code }) => code)
  const retryAfterMs = Math.min(Number(headers.get('retry-after')) || 300, 3_600) * 1_000
  if (status === 429) return fail('dns.limited', said, { fields: { retryAfterMs } })
  if (status >= 500 || envelope === undefined)
    return fail('dns.unavailable', `Cloudflare answered ${status}.`)
  return fail('dns.refused', `Cloudflare answered ${status}: ${said || 'no reason'}.`, {
    fields: { status, codes },
  })
}
