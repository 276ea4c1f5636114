/**
 * An issuer that speaks ACME (RFC 8555), with ARI (RFC 9773). Each call is one request, signed by `jose` and repeated
 * only when the issuer wants another nonce. docs/decisions/0063 says why there is no client library here.
 */
import { FlattenedSign, importJWK, type JWK } from 'jose'
import { z } from 'zod'
import { type ErrorKey, fail, isFailure, type PortTunnelerError } from '../../base/errors.ts'
import { readBody } from '../../base/read-text.ts'
import type { Secret } from '../../base/secret.ts'
import type {
  Authorization,
  Challenge,
  Issuer,
  IssuerAccount,
  IssuerLimits,
  Order,
  RenewalWindow,
} from './role.ts'

/** The limit of one request with its answer. */
const requestMs = 20_000
/** If an issuer refuses every second nonce, one call in 4,000 fails. */
const nonceTries = 12
const noncesKept = 4
const answerBytesMax = 256 * 1024
const reasonMax = 300

const url = z.url({ protocol: /^https$/ }).max(1_000)
const directorySchema = z.object({
  newNonce: url,
  newAccount: url,
  newOrder: url,
  renewalInfo: url.optional(),
})
type Directory = z.infer<typeof directorySchema>
const problemSchema = z.object({
  type: z.string().max(200).default(''),
  detail: z.string().default(''),
  subproblems: z.array(z.object({ detail: z.string().default('') })).optional(),
})
const orderSchema = z.object({
  status: z.enum(['pending', 'ready', 'processing', 'valid', 'invalid']),
  authorizations: z.array(url).max(100),
  finalize: url,
  certificate: url.optional(),
  error: problemSchema.optional(),
})
const challengeSchema = z.object({
  type: z.string().max(64),
  url,
  // Challenges of later kinds may omit it.
  token: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,256}$/)
    .default(''),
  status: z.string().max(32).default('pending'),
  error: problemSchema.optional(),
})
const authorizationSchema = z.object({
  identifier: z.object({ value: z.string().max(255).toLowerCase() }),
  status: z.string().max(32),
  challenges: z.array(challengeSchema).max(20),
})
const windowSchema = z.object({
  suggestedWindow: z.object({
    start: z.iso.datetime({ offset: true }),
    end: z.iso.datetime({ offset: true }),
  }),
})

export type AcmeOptions = {
  readonly name: string
  /** URL of the directory. */
  readonly directory: string
  /** The issuer reports trouble to it; some issuers require it. */
  readonly email?: string
  /** External account binding, which some issuers require. */
  readonly eab?: { readonly keyId: string; readonly key: Secret }
  readonly caa: readonly string[]
  readonly limits: IssuerLimits
  readonly userAgent: string
}

type Answer = { readonly status: number; readonly headers: Headers; readonly text: string }
type Signer = { readonly key: Secret; readonly url?: string }

export class AcmeIssuer implements Issuer {
  readonly name: string
  readonly limits: IssuerLimits
  readonly caa: readonly string[]
  readonly #options: AcmeOptions
  readonly #nonces: string[] = []
  #directory: Directory | undefined

  constructor(options: AcmeOptions) {
    this.#options = options
    this.name = options.name
    this.limits = options.limits
    this.caa = options.caa
  }

  async account(key: Secret, signal: AbortSignal): Promise<string> {
    const { newAccount } = await this.#read(signal)
    const { email, eab } = this.#options
    const payload = {
      termsOfServiceAgreed: true,
      ...(email !== undefined && { contact: [`mailto:${email}`] }),
      ...(eab && { externalAccountBinding: await this.#binding(eab, key, newAccount) }),
    }
    const { headers } = await this.#post(newAccount, payload, { key }, signal)
    return this.#location(headers)
  }

  async order(
    account: IssuerAccount,
    { hosts, replaces }: { readonly hosts: readonly string[]; readonly replaces?: string },
    signal: AbortSignal,
  ): Promise<Order> {
    const { newOrder, renewalInfo } = await this.#read(signal)
    const identifiers = hosts.map((value) => ({ type: 'dns', value }))
    const isNamed = replaces !== undefined && renewalInfo !== undefined
    const ask = (payload: object) => this.#post(newOrder, payload, account, signal)
    try {
      const answer = await ask({ identifiers, ...(isNamed && { replaces }) })
      return this.#orderOf(answer, this.#location(answer.headers))
    } catch (error) {
      // It was replaced already, or another issuer made it: then this is an ordinary order.
      if (!isNamed || !isFailure(error, 'certificate.refused')) throw error
      const answer = await ask({ identifiers })
      return this.#orderOf(answer, this.#location(answer.headers))
    }
  }

  async readOrder(account: IssuerAccount, orderUrl: string, signal: AbortSignal): Promise<Order> {
    return this.#orderOf(await this.#post(orderUrl, undefined, account, signal), orderUrl)
  }

  async authorization(account: IssuerAccount, at: string, signal: AbortSignal): Promise<Authorization> {
    const answer = await this.#post(at, undefined, account, signal)
    const { identifier, status, challenges } = this.#parse(authorizationSchema, answer.text)
    const problem = challenges.find(({ error }) => error)?.error
    return { host: identifier.value, status, challenges, ...(problem && { reason: reasonOf(problem) }) }
  }

  async ready(account: IssuerAccount, challenge: Challenge, signal: AbortSignal): Promise<void> {
    await this.#post(challenge.url, {}, account, signal)
  }

  async finalize(account: IssuerAccount, order: Order, request: Buffer, signal: AbortSignal): Promise<Order> {
    const csr = request.toString('base64url')
    return this.#orderOf(await this.#post(order.finalize, { csr }, account, signal), order.url)
  }

  async download(account: IssuerAccount, at: string, signal: AbortSignal): Promise<string> {
    return (await this.#post(at, undefined, account, signal)).text
  }

  async renewalWindow(ariId: string, signal: AbortSignal): Promise<RenewalWindow | undefined> {
    const { renewalInfo } = await this.#read(signal)
    if (renewalInfo === undefined) return undefined
    const answer = await this.#fetch(`${renewalInfo.replace(/\/$/, '')}/${ariId}`, {}, signal)
    if (answer.status !== 200) throw this.#failure(answer)
    const { suggestedWindow } = this.#parse(windowSchema, answer.text)
    const [start, end] = [Date.parse(suggestedWindow.start), Date.parse(suggestedWindow.end)]
    if (!(start < end)) throw this.#down('a window of renewal that ends before it begins')
    return { start, end, ...retryAfterOf(answer.headers) }
  }

  async #read(signal: AbortSignal): Promise<Directory> {
    if (this.#directory) return this.#directory
    const answer = await this.#fetch(this.#options.directory, {}, signal)
    if (answer.status !== 200) throw this.#failure(answer)
    this.#directory = this.#parse(directorySchema, answer.text)
    return this.#directory
  }

  async #post(at: string, payload: object | undefined, signer: Signer, signal: AbortSignal): Promise<Answer> {
    for (let tries = 1; ; tries++) {
      const body = await this.#sign(at, payload, signer, signal)
      const headers = { 'content-type': 'application/jose+json' }
      const answer = await this.#fetch(at, { method: 'POST', headers, body }, signal)
      if (answer.status >= 200 && answer.status < 300) return answer
      const isNonce = problemOf(answer)?.type.endsWith(':badNonce') === true
      if (!isNonce || tries === nonceTries) throw this.#failure(answer)
    }
  }

  async #sign(
    at: string,
    payload: object | undefined,
    { key, url: kid }: Signer,
    signal: AbortSignal,
  ): Promise<string> {
    const { newNonce } = await this.#read(signal)
    if (this.#nonces.length === 0) await this.#fetch(newNonce, { method: 'HEAD' }, signal)
    const nonce = this.#nonces.pop()
    if (nonce === undefined) throw this.#down('no nonce')
    const jwk = JSON.parse(key.reveal()) as JWK
    const who = kid === undefined ? { jwk: publicPart(jwk) } : { kid }
    const text = payload === undefined ? '' : JSON.stringify(payload)
    const signed = await new FlattenedSign(Buffer.from(text))
      .setProtectedHeader({ alg: 'ES256', nonce, url: at, ...who })
      .sign(await importJWK(jwk, 'ES256'))
    return JSON.stringify(signed)
  }

  /** RFC 8555, section 7.3.4: our key, signed with the key that the issuer gave out beforehand. */
  async #binding({ keyId, key: mac }: NonNullable<AcmeOptions['eab']>, key: Secret, at: string) {
    const text = JSON.stringify(publicPart(JSON.parse(key.reveal()) as JWK))
    return new FlattenedSign(Buffer.from(text))
      .setProtectedHeader({ alg: 'HS256', kid: keyId, url: at })
      .sign(Buffer.from(mac.reveal(), 'base64url'))
  }

  async #fetch(at: string, init: RequestInit, signal: AbortSignal): Promise<Answer> {
    try {
      const headers = { ...init.headers, 'user-agent': this.#options.userAgent }
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(requestMs)])
      const answer = await fetch(at, { ...init, headers, redirect: 'error', signal: deadline })
      const nonce = answer.headers.get('replay-nonce')
      if (nonce !== null && /^[A-Za-z0-9_-]{1,256}$/.test(nonce)) this.#nonces.push(nonce)
      if (this.#nonces.length > noncesKept) this.#nonces.shift()
      return { status: answer.status, headers: answer.headers, text: await readBody(answer, answerBytesMax) }
    } catch (cause) {
      signal.throwIfAborted()
      throw this.#down('no answer', cause)
    }
  }

  #orderOf(answer: Answer, at: string): Order {
    const { error, certificate, ...order } = this.#parse(orderSchema, answer.text)
    const issued = certificate === undefined ? {} : { certificate }
    const reason = error ? { reason: reasonOf(error) } : {}
    return { ...order, url: at, ...issued, ...reason, ...retryAfterOf(answer.headers) }
  }

  #location(headers: Headers): string {
    const parsed = url.safeParse(headers.get('location'))
    if (!parsed.success) throw this.#down('an answer without a location')
    return parsed.data
  }

  #parse<T>(schema: z.ZodType<T>, text: string): T {
    try {
      return schema.parse(JSON.parse(text))
    } catch (cause) {
      throw this.#down('an answer that cannot be read', cause)
    }
  }

  #failure(answer: Answer): PortTunnelerError {
    // Its addresses may have changed: they are read again.
    this.#directory = undefined
    const problem = problemOf(answer)
    const type = problem?.type.replace(/^urn:ietf:params:acme:error:/, '') ?? ''
    const key = keyOf(answer.status, type)
    const detail = problem ? reasonOf(problem) : `HTTP ${answer.status}`
    return fail(key, `${this.name}: ${detail}`, { fields: { type, ...retryAfterOf(answer.headers) } })
  }

  #down(why: string, cause?: unknown): PortTunnelerError {
    return fail('certificate.issuer_down', `${this.name} gave ${why}.`, { cause })
  }
}

function keyOf(status: number, type: string): ErrorKey {
  if (type === 'rateLimited' || status === 429) return 'certificate.limited'
  if (type === 'caa') return 'certificate.caa'
  if (status >= 500 || type === 'serverInternal' || type === 'badNonce') return 'certificate.issuer_down'
  return 'certificate.refused'
}

function problemOf({ text }: Answer): z.infer<typeof problemSchema> | undefined {
  try {
    return problemSchema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** The issuer's reason, as one line that may be shown. */
function reasonOf({ detail, subproblems = [] }: z.infer<typeof problemSchema>): string {
  const text = [detail, ...subproblems.map((each) => each.detail)].join(' ')
  return text
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(0, reasonMax)
}

function retryAfterOf(headers: Headers): { readonly retryAfterMs?: number } {
  const text = headers.get('retry-after') ?? ''
  return /^\d{1,7}$/.test(text) ? { retryAfterMs: Number(text) * 1000 } : {}
}

function publicPart({ kty, crv, x, y }: JWK): JWK {
  return { ...(crv !== undefined && { crv }), kty: kty ?? 'EC', ...(x && { x }), ...(y && { y }) } as JWK
}
