/**
 * The documents of local sign-in, besides the domain's `users` and `identities`. None holds a password, token or key in
 * usable form: passwords are scrypt hashes, tokens SHA-256, signing keys wrapped.
 */
import { hashSecret } from '@porttunneler/shared/base/ids'
import { normaliseEmail } from '@porttunneler/shared/control/mail/addresses'
import { globalCollection } from '@porttunneler/shared/control/names'

/** Id: SHA-256 of the normalised address; its creation is the unique claim. */
export type EmailDoc = { readonly user: string }

/** Id: user. `generation` rises with every new password and voids reset links made before it. */
export type PasswordDoc = { readonly hash: string; readonly generation: number }

/**
 * One sign-in on one device, however many refresh tokens it goes through. Id: SHA-256 of the token's first half, which
 * stays. `current` is the SHA-256 of its second half, which changes with every refresh. A request that has the first
 * half but not the current second one shows a used token. `successorKey` made `current` out of the half before it.
 */
export type SessionDoc = {
  readonly user: string
  readonly current: string
  /** undefined until the first refresh; earlier releases omit it. */
  readonly successorKey?: string
  readonly authTime: number
  readonly createdAt: number
  readonly usedAt: number
  /** How the person proved themselves; earlier releases omit it. */
  readonly method?: string
  readonly ttl: Date
}

/** Id: SHA-256 of the token in the link. */
export type ResetDoc = {
  readonly user: string
  readonly generation: number
  /** Set for a link that makes an account for this address; `user` is '' then. undefined: it sets a new password. */
  readonly email?: string
  readonly ttl: Date
}

/** Id: SHA-256 of a device cookie. It only gives failures their own count, apart from everybody else's. */
export type DeviceDoc = {
  readonly user: string
  /** The user's value when it was made; earlier releases omit it. */
  readonly validSince?: number
  readonly ttl: Date
}

/** A sign-in at another service that is on its way. Id: SHA-256 of its state. */
export type AttemptDoc = {
  readonly provider: string
  /** Who wants to link the service to themselves; '' for a sign-in. */
  readonly user: string
  /** SHA-256 of what only the browser has that began it. */
  readonly half: string
  readonly ttl: Date
}

/** Id: scope and SHA-256 of the counted subject. Nothing is let through before `until`. */
export type FailuresDoc = { readonly count: number; readonly until: number; readonly ttl: Date }

export type AccessKey = {
  readonly kid: string
  /** Public JWK as JSON. */
  readonly public: string
  readonly wrapped: string
  /** Published when it is made, used from here to `useUntil`, published to `verifyUntil`. */
  readonly useFrom: number
  readonly useUntil: number
  readonly verifyUntil: number
}
/** Id: `access`. One document, so that a rotation is one compare-and-set. */
export type KeyRingDoc = { readonly keys: readonly AccessKey[] }

const emails = globalCollection<EmailDoc>('emails')
export const passwords = globalCollection<PasswordDoc>('passwords')
export const refreshTokens = globalCollection<SessionDoc>('refreshTokens')
export const resets = globalCollection<ResetDoc>('passwordResets')
export const devices = globalCollection<DeviceDoc>('knownDevices')
export const attempts = globalCollection<AttemptDoc>('signInAttempts')
export const failures = globalCollection<FailuresDoc>('signInFailures')
export const keyRings = globalCollection<KeyRingDoc>('keyRings')

export function emailRef(email: string) {
  return emails.ref(hashSecret(normaliseEmail(email)))
}
