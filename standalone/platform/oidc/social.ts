/**
 * Signing in with other services, and linking them to a person who is signed in. It ends in a session like any other
 * (identity.local.ts), and knows nothing of passwords.
 */

import type { Clock } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import { requireFreshRecord } from '@porttunneler/shared/control/sign-ins/fresh'
import type { SignInMethod } from '@porttunneler/shared/control/sign-ins/sign-in-documents'
import type { Guard } from '../identity.local.guard.ts'
import type { SignedIn, SignInSource } from '../identity.local.types.ts'
import { beginAttempt, bindingOf, type Halves, takeAttempt } from './attempts.ts'
import { GitHubProvider } from './github.ts'
import { OidcProvider } from './oidc.ts'
import { stepMsMax } from './outbound.ts'
import { type Link, link, linksOf, methodOf, type People, personOf, unlink } from './people.ts'
import type { Proof, Provider, Returned } from './provider.ts'
import type { ProviderSettings } from './settings.ts'

/** For what changes who can sign in, the last sign-in must not be older. */
/** Codes that are exchanged at once, for each service: so one that hangs holds little. */
const runningMax = 64

/** A person who is signed in, as their access token says. */
export type Bearer = {
  readonly user: string
  readonly authTimeMs: number
  readonly signIn?: string | undefined
}

/** What a browser brings back from a service. */
export type Return = Halves & Returned

/** Where a browser goes, and what it keeps meanwhile. */
export type Begun = { readonly url: string; readonly state: string; readonly secret: string }

export type Links = {
  readonly hasPassword: boolean
  readonly items: readonly (Link & { readonly name: string })[]
}

export type SocialOptions = People & {
  readonly guard: Guard
  readonly providers: readonly ProviderSettings[]
  /** For the requests of one step of a sign-in. Only lower in tests. */
  readonly stepMs?: number
  /** The page that a service sends browsers back to; another one for each. */
  readonly returnUrl: (provider: string) => string
  /** Begins a session. */
  readonly signIn: (
    who: { readonly user: string; readonly method: SignInMethod },
    caller: SignInSource,
  ) => Promise<SignedIn>
  /** @throws auth.invalid */
  readonly bearer: (token: string) => Promise<Bearer>
}

export class SocialSignIns {
  readonly #options: SocialOptions
  readonly #providers: ReadonlyMap<string, Provider>
  readonly #running = new Map<string, number>()

  constructor(options: SocialOptions) {
    this.#options = options
    const made = options.providers.map((settings) => makeProvider(settings, options.clock))
    this.#providers = new Map(made.map((provider) => [provider.id, provider]))
  }

  /** @throws social.unknown, social.unreachable, social.answer, auth.locked */
  async begin(id: string, caller: SignInSource): Promise<Begun> {
    const provider = this.#provider(id)
    await this.#options.guard.countSocial(caller.from)
    return this.#begin(provider, '')
  }

  /**
   * @param admit throws unless somebody with this address may make an account
   * @throws social.*, auth.no_address, auth.disabled, and what `admit` throws
   */
  async finish(
    id: string,
    returned: Return,
    { caller, admit }: { readonly caller: SignInSource; readonly admit: (email: string) => Promise<void> },
  ): Promise<SignedIn> {
    const provider = this.#provider(id)
    const proof = await this.#prove(provider, returned, '')
    const user = await personOf(this.#options, { provider, proof }, { caller, admit })
    const signedIn = await this.#options.signIn({ user, method: methodOf(id) }, caller)
    await this.#options.guard.forgiveSocial(caller.from)
    return signedIn
  }

  /** @throws auth.invalid, auth.stale, and as begin */
  async beginLink(id: string, token: string): Promise<Begun> {
    const provider = this.#provider(id)
    const { user } = await this.#fresh(token)
    return this.#begin(provider, user)
  }

  /** @throws auth.invalid, social.* */
  async finishLink(
    id: string,
    returned: Return,
    { token, caller }: { token: string; caller: SignInSource },
  ): Promise<void> {
    const provider = this.#provider(id)
    const { user } = await this.#options.bearer(token)
    const proof = await this.#prove(provider, returned, user)
    await link(this.#options, { provider, proof, user }, caller)
  }

  /** @throws auth.invalid, auth.stale, api.not_found, social.last */
  async unlink(id: string, { token, caller }: { token: string; caller: SignInSource }): Promise<void> {
    const { user } = await this.#fresh(token)
    await unlink(this.#options, { id, user, providers: this.#providers }, caller)
  }

  /** @throws auth.invalid */
  async links(token: string): Promise<Links> {
    const { user } = await this.#options.bearer(token)
    const { hasPassword, links } = await linksOf(this.#options, user)
    const nameOf = (id: string) => this.#providers.get(id)?.name ?? id
    return { hasPassword, items: links.map((one) => ({ ...one, name: nameOf(one.provider) })) }
  }

  #provider(id: string): Provider {
    const provider = this.#providers.get(id)
    if (!provider) throw fail('social.unknown')
    return provider
  }

  async #begin(provider: Provider, user: string): Promise<Begun> {
    const halves = await beginAttempt(this.#options, { provider: provider.id, user })
    const binding = bindingOf(halves, this.#options.returnUrl(provider.id))
    const url = await provider.begin(binding, this.#deadline())
    return { url: url.href, ...halves }
  }

  async #prove(provider: Provider, { state, secret, ...returned }: Return, user: string): Promise<Proof> {
    await takeAttempt(this.#options, { state, secret }, { provider: provider.id, user })
    const binding = bindingOf({ state, secret }, this.#options.returnUrl(provider.id))
    const running = this.#running.get(provider.id) ?? 0
    if (running >= runningMax) throw fail('social.unreachable')
    this.#running.set(provider.id, running + 1)
    try {
      return await provider.finish(returned, binding, this.#deadline())
    } finally {
      this.#running.set(provider.id, (this.#running.get(provider.id) ?? 1) - 1)
    }
  }

  #deadline(): AbortSignal {
    return AbortSignal.timeout(this.#options.stepMs ?? stepMsMax)
  }

  async #fresh(token: string): Promise<Bearer> {
    const bearer = await this.#options.bearer(token)
    await requireFreshRecord(this.#options, bearer)
    return bearer
  }
}

function makeProvider(settings: ProviderSettings, clock: Clock): Provider {
  return settings.kind === 'github' ? new GitHubProvider(settings) : new OidcProvider(settings, clock)
}
