/**
 * GitHub, also a server of one's own: OAuth 2 without an ID token. Who somebody is, its API says: the number of the
 * account never passes to another person (names do), and of its addresses only the primary one, if proven, counts.
 */
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  ClientSecretPost,
  Configuration,
  calculatePKCECodeChallenge,
  customFetch,
  fetchProtectedResource,
  None,
} from 'openid-client'
import { z } from 'zod'
import { boundedFetch, stepMsMax } from './outbound.ts'
import { type Binding, type Proof, type Provider, type Returned, returnedUrl, told } from './provider.ts'
import type { ProviderSettings } from './settings.ts'

const userSchema = z.object({ id: z.int().positive() })
const emailsSchema = z
  .array(z.object({ email: z.string(), primary: z.boolean(), verified: z.boolean() }))
  .max(1_000)

export class GitHubProvider implements Provider {
  readonly id: string
  readonly name: string
  readonly issuer: string
  readonly #settings: ProviderSettings

  constructor(settings: ProviderSettings) {
    this.id = settings.id
    this.name = settings.name
    this.issuer = settings.issuer
    this.#settings = settings
  }

  begin({ redirectUri, state, verifier }: Binding, signal: AbortSignal): Promise<URL> {
    return told(this.name, async () =>
      buildAuthorizationUrl(this.#configuration(signal), {
        redirect_uri: redirectUri,
        scope: 'user:email',
        state,
        code_challenge: await calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      }),
    )
  }

  finish(returned: Returned, { redirectUri, state, verifier }: Binding, signal: AbortSignal): Promise<Proof> {
    return told(this.name, async () => {
      const config = this.#configuration(signal)
      const { access_token: token } = await authorizationCodeGrant(
        config,
        returnedUrl(redirectUri, state, returned),
        { pkceCodeVerifier: verifier, expectedState: state },
      )
      const { id } = userSchema.parse(await this.#read(config, token, 'user'))
      const emails = emailsSchema.parse(await this.#read(config, token, 'user/emails'))
      const primary = emails.find((one) => one.primary)
      const email = z.email().max(254).safeParse(primary?.email)
      return {
        subject: String(id),
        isVerified: primary?.verified ?? false,
        ...(email.success && { email: email.data }),
      }
    })
  }

  #configuration(signal: AbortSignal): Configuration {
    const { issuer, clientId, secret } = this.#settings
    const config = new Configuration(
      {
        // As GitHub says of itself in `iss`.
        issuer: `${issuer}/login/oauth`,
        authorization_endpoint: `${issuer}/login/oauth/authorize`,
        token_endpoint: `${issuer}/login/oauth/access_token`,
      },
      clientId,
      {},
      secret ? ClientSecretPost(secret.reveal()) : None(),
    )
    config[customFetch] = boundedFetch(signal)
    config.timeout = stepMsMax / 1_000
    if (issuer.startsWith('http:')) allowInsecureRequests(config)
    return config
  }

  async #read(config: Configuration, token: string, path: string): Promise<unknown> {
    const { issuer } = this.#settings
    const api = issuer === 'https://github.com' ? 'https://api.github.com' : `${issuer}/api/v3`
    const headers = new Headers({
      accept: 'application/vnd.github+json',
      'x-github-api-version': '2022-11-28',
    })
    const url = new URL(`${api}/${path}`)
    const answer = await fetchProtectedResource(config, token, url, 'GET', undefined, headers)
    if (answer.status !== 200) throw new Error(`its API answered ${answer.status}`)
    return answer.json()
  }
}
