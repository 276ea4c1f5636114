/**
 * Calls Google's REST interfaces as the service account of this function or VM, whose access token comes from the
 * metadata server. For the few calls that need no SDK: KMS and Compute Engine.
 */
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail, isFailure, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import { z } from 'zod'

export type GoogleCall<T> = {
  readonly url: string
  readonly body?: object
  /** The required shape of the answer. */
  readonly schema: z.ZodType<T>
}

export interface GoogleRest {
  /**
   * POST with a body, else GET. It tries a second time at once when the first failed temporarily.
   * @throws cloud.unavailable; cloud.refused with `fields.status`
   */
  call<T>(call: GoogleCall<T>): Promise<T>
}

/** For each try. */
const deadlineMs = 5_000
/** A token this close to its end is not used any more. */
const marginMs = 120_000
const tokenPath = '/computeMetadata/v1/instance/service-accounts/default/token'
const tokenSchema = z.object({ access_token: z.string().min(1), expires_in: z.number() })

export type AccessToken = z.infer<typeof tokenSchema>

export type GoogleRestOptions = {
  readonly clock: Clock
  readonly metadataUrl?: string
  /** Replaces the metadata server's token where there is none: on an operator's machine. */
  readonly accessToken?: () => Promise<AccessToken>
  /** Only lower in tests. */
  readonly deadlineMs?: number
}

export function openGoogleRest(options: GoogleRestOptions): GoogleRest {
  return new MetadataAuthorisedRest(options)
}

class MetadataAuthorisedRest implements GoogleRest {
  readonly #clock: Clock
  readonly #deadlineMs: number
  readonly #newToken: () => Promise<AccessToken>
  #token: { readonly text: string; readonly until: number } | undefined

  constructor({ clock, metadataUrl = 'http://metadata.google.internal', ...options }: GoogleRestOptions) {
    this.#clock = clock
    this.#deadlineMs = options.deadlineMs ?? deadlineMs
    const fromMetadata = () =>
      this.#fetch(`${metadataUrl}${tokenPath}`, tokenSchema, { headers: { 'metadata-flavor': 'Google' } })
    this.#newToken = options.accessToken ?? fromMetadata
  }

  async call<T>(call: GoogleCall<T>): Promise<T> {
    try {
      return await this.#once(call)
    } catch (error) {
      if (!isFailure(error) || !isPassing(error)) throw error
      if (error.fields.status === 401) this.#token = undefined
      return this.#once(call)
    }
  }

  async #once<T>({ url, body, schema }: GoogleCall<T>): Promise<T> {
    const headers = { authorization: `Bearer ${await this.#accessToken()}` }
    return this.#fetch(url, schema, {
      headers: body ? { ...headers, 'content-type': 'application/json' } : headers,
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
    })
  }

  async #accessToken(): Promise<string> {
    const now = this.#clock.monotonic()
    if (this.#token && now < this.#token.until) return this.#token.text
    const { access_token, expires_in } = await this.#newToken()
    this.#token = { text: access_token, until: now + expires_in * 1_000 - marginMs }
    return access_token
  }

  async #fetch<T>(url: string, schema: z.ZodType<T>, init: RequestInit): Promise<T> {
    const { hostname } = new URL(url)
    let answer: Response
    let body: unknown
    try {
      answer = await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(this.#deadlineMs) })
      body = answer.ok ? await answer.json() : await answer.text()
    } catch (cause) {
      throw fail('cloud.unavailable', `${hostname} did not answer.`, { cause })
    }
    if (answer.ok) return parse(body, { schema, hostname })
    const { status } = answer
    const fields = { status, hostname, answer: String(body).slice(0, 500) }
    if (status >= 500 || status === 429)
      throw fail('cloud.unavailable', `${hostname} cannot serve now.`, { fields })
    throw fail('cloud.refused', `${hostname} answered ${status}.`, { fields })
  }
}

function isPassing(error: PortTunnelerError): boolean {
  return error.key === 'cloud.unavailable' || error.fields.status === 401
}

function parse<T>(body: unknown, { schema, hostname }: { schema: z.ZodType<T>; hostname: string }): T {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  throw fail('cloud.unavailable', `${hostname} gave an answer of another form.`, { cause: parsed.error })
}
