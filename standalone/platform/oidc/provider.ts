/**
 * A sign-in service, as the rest of sign-in sees it: where it sends a browser, and whom the browser's return proves.
 * openid-client does the protocol (docs/decisions: social sign-in); this file has what both kinds share.
 */
import { fail, isFailure, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import {
  AuthorizationResponseError,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  None,
  ResponseBodyError,
} from 'openid-client'
import { z } from 'zod'
import { failureWithin } from './outbound.ts'
import type { ProviderSettings } from './settings.ts'

/** What one sign-in is bound to. `verifier` and `nonce` never leave the server together with the state. */
export type Binding = {
  readonly redirectUri: string
  readonly state: string
  /** PKCE (RFC 7636). */
  readonly verifier: string
  readonly nonce: string
}

/** The parameters with which the service sent the browser back (RFC 6749 section 4.1.2, RFC 9207). */
export type Returned = {
  readonly code?: string | undefined
  readonly iss?: string | undefined
  readonly error?: string | undefined
}

/** Somebody at a service. */
export type Proof = {
  /** Never given to another person there. */
  readonly subject: string
  readonly email?: string
  /** Whether the service says that it knows the address to be theirs. */
  readonly isVerified: boolean
}

export interface Provider {
  readonly id: string
  readonly name: string
  /** What its subjects are unique within. */
  readonly issuer: string
  /** Where the browser goes. @throws social.unreachable, social.answer */
  begin(binding: Binding, signal: AbortSignal): Promise<URL>
  /** @throws social.unreachable, social.refused, social.answer */
  finish(returned: Returned, binding: Binding, signal: AbortSignal): Promise<Proof>
}

/** @param methods what the service takes; undefined: it does not say, so what the standard prescribes */
export function clientAuthOf(
  { secret }: ProviderSettings,
  methods: readonly string[] | undefined,
): ClientAuth {
  if (!secret) return None()
  const takesBasic = methods?.includes('client_secret_basic') ?? true
  return takesBasic ? ClientSecretBasic(secret.reveal()) : ClientSecretPost(secret.reveal())
}

/** The redirect URI with what came back to it, as openid-client reads it. */
export function returnedUrl(redirectUri: string, state: string, returned: Returned): URL {
  const url = new URL(redirectUri)
  for (const [name, value] of Object.entries({ ...returned, state }))
    if (value !== undefined) url.searchParams.set(name, value)
  return url
}

/** What a person is told when a step failed: our own failure, the service's reason, or which check failed. */
function failureOf(error: unknown, name: string): PortTunnelerError {
  const own = failureWithin(error)
  if (own) return own
  if (error instanceof AuthorizationResponseError || error instanceof ResponseBodyError)
    return fail('social.refused', `${name} gave the reason "${plainReason(error.error)}".`, { cause: error })
  return fail('social.answer', `${name}: ${checkIn(error)}.`, { cause: error })
}

/** Runs a step, and says what failed in it. */
export async function told<T>(name: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (error) {
    throw isFailure(error) ? error : failureOf(error, name)
  }
}

/** Codes of RFC 6749 and its relatives; anything else could be words that somebody put into a link. */
function plainReason(reason: unknown): string {
  return typeof reason === 'string' && /^[a-z_]{1,60}$/.test(reason) ? reason : 'unknown'
}

/** The library's own words, which quote nothing of the answer: `unexpected JWT "iss" (issuer) claim value`. */
function checkIn(error: unknown): string {
  if (error instanceof z.ZodError) return 'what it says about a person has another form'
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return inner instanceof Error ? inner.message.slice(0, 200) : 'the answer was not understood'
}
