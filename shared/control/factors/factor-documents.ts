/**
 * What a person shows besides, or instead of, a password: passkeys, one authenticator app, recovery codes. All of it is
 * ours on both platforms. Nothing here lets anybody sign in who only reads the store: passkeys are public keys, the
 * app's secret is wrapped by the vault, recovery codes are hashes of 120 random bits.
 */
import { hashSecret } from '../../base/ids.ts'
import { globalCollection } from '../names.ts'
import type { Ref } from '../platform.ts'

/** Id: SHA-256 of the credential's id, so its creation is the unique claim that WebAuthn asks for (section 7.1, 26). */
export type PasskeyDoc = {
  readonly user: string
  /** The credential's id, base64url. */
  readonly credential: string
  /** COSE key, base64url. */
  readonly publicKey: string
  /** The highest signature counter seen; 0 for passkeys that have none. */
  readonly counter: number
  readonly transports: readonly string[]
  /** The person's name for it. */
  readonly name: string
  /** It is kept by a provider, and survives the loss of this device. */
  readonly isBackedUp: boolean
  readonly createdAt: number
  /** 0 = never. */
  readonly usedAt: number
}

export type AppDoc = {
  /** Base32 secret, wrapped by the vault. */
  readonly wrapped: string
  readonly createdAt: number
  readonly usedAt: number
  /** The newest time steps whose code was taken; such a code is good only once (RFC 6238, section 5.2). */
  readonly usedSteps: readonly number[]
}

/** A way back in for somebody who lost every factor. */
export type RecoveryDoc = {
  /** SHA-256 of the token in the mailed link; '' when the link was followed. */
  readonly token: string
  readonly askedAt: number
  /** When the factors may be removed; 0 until the link was followed. */
  readonly readyAt: number
  /** After this time it has to be asked for anew. */
  readonly endsAt: number
  /** Where it was asked for. */
  readonly from: string
}

/** Id: user. */
export type FactorsDoc = {
  readonly user: string
  readonly app?: AppDoc
  /** An app that was shown a secret and has not proved yet that it has it. */
  readonly nextApp?: { readonly wrapped: string; readonly createdAt: number }
  /** SHA-256 of each recovery code that is left. */
  readonly codes: readonly string[]
  /** 0 = none were ever made. */
  readonly codesAt: number
  readonly recovery?: RecoveryDoc
}

/** What a user's document says of their factors, for sign-ins and policies; written with them (changing.ts). */
export type FactorMarks = {
  /** They have a passkey or an app, so a sign-in has to show one. */
  readonly hasFactor?: boolean
  /** When they first had one; stays when all are removed. */
  readonly factorSince?: number
  /** Somebody waits to get in without a factor, until then; 0 or undefined: nobody. */
  readonly recoveringUntil?: number
}

/** What an account asks of its members. */
export type FactorPolicy = {
  /** Since when they need a second factor; 0 = no more. */
  readonly since: number
  /** From then on keys of people who never had one are refused. */
  readonly keysFrom: number
}

/** Id: SHA-256 of a challenge that was used, until it would have ended anyway. */
export type SpentChallengeDoc = { readonly ttl: Date }

export const passkeys = globalCollection<PasskeyDoc>('passkeys')
export const factors = globalCollection<FactorsDoc>('factors')
export const spentChallenges = globalCollection<SpentChallengeDoc>('spentChallenges')

export function passkeyRef(credential: string): Ref<PasskeyDoc> {
  return passkeys.ref(hashSecret(credential))
}

export function noFactors(user: string): FactorsDoc {
  return { user, codes: [], codesAt: 0 }
}
