/**
 * Sign-ins of people: one document for each, from the sign-in to its end, and what is remembered of the places that
 * somebody signed in from. Their ids are those that access tokens name.
 */
import { globalCollection } from '../names.ts'

/** `oidc:` is followed by the provider. `other` is a way that this release does not know. */
export type SignInMethod = 'password' | 'passkey' | 'custom' | 'other' | `oidc:${string}`

/** Id: the sign-in, as its identity names it (`IdentityClaims.signIn`). */
export type SignInDoc = {
  readonly user: string
  readonly method: SignInMethod
  /** As in the tokens: sign-ins before the person's `validSince` have ended. */
  readonly authTime: number
  /** When the person last showed who they are, which dangerous acts want to be recent. */
  readonly freshAt: number
  /** When they showed a second factor; 0 = not yet. */
  readonly factorAt: number
  readonly createdAt: number
  /** Written at most hourly. */
  readonly usedAt: number
  /** The network of the last use, as `sourceNetwork` has it; '' = unknown. */
  readonly from: string
  /** Browser and system in words. */
  readonly device: string
  /** When it ends unless it is used again. */
  readonly ttl: Date
}

/** Id: user. Digests of devices and networks, with the day (UTC, since 1970) of the last sign-in from there. */
export type SignInPlacesDoc = {
  readonly seen: readonly { readonly place: string; readonly day: number }[]
}

export const signIns = globalCollection<SignInDoc>('signIns')
export const signInPlaces = globalCollection<SignInPlacesDoc>('signInPlaces')
