/**
 * A service that speaks OpenID Connect. Its description is read at the first sign-in and once an hour, its keys at
 * each sign-in: so a key that it changed a moment ago is known, and one that it withdrew no longer counts.
 */
import type { Clock } from '@porttunneler/shared/base/clock'
import { systemClock } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  type ClientMetadata,
  Configuration,
  calculatePKCECodeChallenge,
  clockSkew,
  clockTolerance,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  fetchUserInfo,
  type ServerMetadata,
} from 'openid-client'
import { z } from 'zod'
import { boundedFetch, stepMsMax } from './outbound.ts'
import {
  type Binding,
  clientAuthOf,
  type Proof,
  type Provider,
  type Returned,
  returnedUrl,
  told,
} from './provider.ts'
import { isSafe, type ProviderSettings } from './settings.ts'

const describedMs = 60 * 60_000
/** What a service's clock and ours may differ by. A token lives for minutes, and its code was used just now. */
const toleranceSeconds = 60

const claimsSchema = z.object({
  /** OpenID Connect Core, section 2: at most 255 ASCII characters. */
  sub: z.string().min(1).max(255),
  email: z.email().max(254).optional().catch(undefined),
  /** Some services send a string; only these two mean yes. */
  email_verified: z
    .union([z.literal(true), z.literal('true')])
    .optional()
    .catch(undefined),
})

type Described = { readonly server: ServerMetadata; readonly readAt: number }

export class OidcProvider implements Provider {
  readonly id: string
  readonly name: string
  readonly issuer: string
  readonly #settings: ProviderSettings
  readonly #clock: Clock
  #described: Described | undefined
  #describing: Promise<Described> | undefined

  constructor(settings: ProviderSettings, clock: Clock) {
    this.id = settings.id
    this.name = settings.name
    this.issuer = settings.issuer
    this.#settings = settings
    this.#clock = clock
  }

  begin({ redirectUri, state, verifier, nonce }: Binding, signal: AbortSignal): Promise<URL> {
    return told(this.name, async () => {
      const url = buildAuthorizationUrl(await this.#configuration(signal), {
        redirect_uri: redirectUri,
        scope: 'openid email',
        state,
        nonce,
        code_challenge: await calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        // Else Google takes whichever account it signed in last.
        ...(this.issuer === 'https://accounts.google.com' && { prompt: 'select_account' }),
      })
      // The browser goes there: never to javascript: or in the clear.
      if (!isSafe(url.href))
        throw fail('social.answer', `${this.name}: its address for sign-in is not https.`)
      return url
    })
  }

  finish(
    returned: Returned,
    { redirectUri, state, verifier, nonce }: Binding,
    signal: AbortSignal,
  ): Promise<Proof> {
    return told(this.name, async () => {
      const config = await this.#configuration(signal)
      const tokens = await authorizationCodeGrant(config, returnedUrl(redirectUri, state, returned), {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
      })
      const claims = claimsSchema.parse(tokens.claims())
      if (claims.email !== undefined || config.serverMetadata().userinfo_endpoint === undefined)
        return proofOf(claims)
      // Many services put the address only there.
      return proofOf(claimsSchema.parse(await fetchUserInfo(config, tokens.access_token, claims.sub)))
    })
  }

  /** A fresh one for each step, because the library keeps the keys of a service with it. */
  async #configuration(signal: AbortSignal): Promise<Configuration> {
    const { server } = await this.#describe()
    const config = new Configuration(
      { ...server },
      this.#settings.clientId,
      this.#client(),
      clientAuthOf(this.#settings, server.token_endpoint_auth_methods_supported),
    )
    config[customFetch] = boundedFetch(signal)
    config.timeout = stepMsMax / 1_000
    if (this.#isLocal) allowInsecureRequests(config)
    enableNonRepudiationChecks(config)
    return config
  }

  #client(): Partial<ClientMetadata> {
    // The library has a clock of its own.
    const skew = Math.round((this.#clock.now() - systemClock.now()) / 1_000)
    return { [clockSkew]: skew, [clockTolerance]: toleranceSeconds }
  }

  get #isLocal(): boolean {
    return this.issuer.startsWith('http:')
  }

  /** One request, however many sign-ins wait for it. */
  async #describe(): Promise<Described> {
    const known = this.#described
    if (known && this.#clock.monotonic() - known.readAt < describedMs) return known
    this.#describing ??= this.#read().finally(() => {
      this.#describing = undefined
    })
    this.#described = await this.#describing
    return this.#described
  }

  async #read(): Promise<Described> {
    const found = await discovery(new URL(this.issuer), this.#settings.clientId, undefined, undefined, {
      [customFetch]: boundedFetch(AbortSignal.timeout(stepMsMax)),
      timeout: stepMsMax / 1_000,
      execute: this.#isLocal ? [allowInsecureRequests] : [],
    })
    return { server: found.serverMetadata(), readAt: this.#clock.monotonic() }
  }
}

function proofOf({ sub, email, email_verified }: z.infer<typeof claimsSchema>): Proof {
  return { subject: sub, isVerified: email_verified !== undefined, ...(email !== undefined && { email }) }
}
