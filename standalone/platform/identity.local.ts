/**
 * Identity without anybody else's service: addresses and scrypt passwords in the store, ES256 access tokens (15 min),
 * refresh tokens that are spent by use. The domain sees `verify` alone; the routes use the rest.
 * What strangers learn is the same whether or not an address is known, in words and in time; only registering tells.
 */
import type { Tokens } from '@porttunneler/shared/api/schemas/accounts'
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { hashSecret, newId, newSecret } from '@porttunneler/shared/base/ids'
import type { AuditAction } from '@porttunneler/shared/control/audit'
import { noteFailedSignIn, type SignInWrite, signInWrites } from '@porttunneler/shared/control/audit/sign-ins'
import { identities, type UserDoc, users } from '@porttunneler/shared/control/documents'
import type { JobKind } from '@porttunneler/shared/control/jobs/jobs'
import type { Identity, IdentityClaims, KeyVault, Store } from '@porttunneler/shared/control/platform'
import { z } from 'zod'
import { devices, emailRef, normaliseEmail, type PasswordDoc, passwords } from './identity.local.documents.ts'
import { Guard } from './identity.local.guard.ts'
import { AccessKeys, type PublicKeys } from './identity.local.keys.ts'
import { type PasswordCost, Passwords } from './identity.local.passwords.ts'
import { Resets } from './identity.local.resets.ts'
import { type Session, Sessions } from './identity.local.sessions.ts'

export const accessTokenMs = 15 * 60_000
const deviceMs = 180 * 86_400_000

/** What a sign-in brings besides the password. */
export type Caller = {
  /** Address the request came from. */
  readonly from: string
  /** What the program that asks calls itself. */
  readonly userAgent?: string | undefined
  /** The device secret that an earlier sign-in gave, if any. */
  readonly device?: string | undefined
}
export type Credentials = { readonly email: string; readonly password: string }
export type PasswordChange = { readonly current: string; readonly next: string }
export type LogoutRequest = {
  readonly refreshToken?: string | undefined
  readonly bearer?: string | undefined
  readonly everywhere: boolean
}
/** `device` is to be kept by the device for its next sign-in; absent when it showed a valid one. */
export type SignedIn = { readonly tokens: Tokens; readonly device?: string }

export interface LocalIdentity extends Identity {
  /** @throws auth.taken, auth.locked, auth.busy */
  register(given: Credentials, caller: Caller): Promise<SignedIn>
  /** @throws auth.credentials, auth.locked, auth.busy, auth.disabled; auth.invalid if the password changes now */
  login(given: Credentials, caller: Caller): Promise<SignedIn>
  /** @throws auth.invalid, auth.reused, auth.disabled */
  refresh(refreshToken: string, caller?: Caller): Promise<Tokens>
  /** Ends one session. With `everywhere`, whatever the user holds anywhere. @throws auth.invalid */
  logout(given: LogoutRequest, caller?: Caller): Promise<void>
  /** Ends every other session. @throws auth.invalid, auth.credentials, auth.locked, auth.busy */
  changePassword(bearer: string, given: PasswordChange, caller: Caller): Promise<SignedIn>
  /** Resolves before anything is looked up; a job sends the mail. @throws auth.locked */
  requestReset(email: string, caller: Caller): Promise<void>
  /** Sets the password and ends every session; the device counts as known. @throws auth.reset, auth.busy */
  confirmReset(
    given: { readonly token: string; readonly password: string },
    caller?: Caller,
  ): Promise<{ readonly device: string }>
  jwks(): Promise<PublicKeys>
  /** What sign-in leaves for a worker to do. */
  readonly jobs: readonly JobKind[]
}

export type LocalIdentityOptions = {
  readonly store: Store
  readonly vault: KeyVault
  readonly clock: Clock
  /** The `iss` of access tokens: the public address of the API. */
  readonly issuer: string
  /** The page where a person sets a new password. */
  readonly resetUrl: (token: string) => string
  /** Tells workers of jobs that were just asked for. */
  readonly kick: (ids: readonly string[]) => Promise<void>
  /** Lower in tests only. */
  readonly passwordCost?: PasswordCost
}

const claimsSchema = z.object({
  sub: z.string(),
  email: z.string(),
  email_verified: z.boolean(),
  auth_time: z.number(),
})

/** Where nobody says where a request came from. */
const nowhere: Caller = { from: '' }

export function localIdentity(options: LocalIdentityOptions): LocalIdentity {
  return new LocalSignIn(options)
}

class LocalSignIn implements LocalIdentity {
  readonly kind = 'local'
  readonly jobs: readonly JobKind[]
  readonly #store: Store
  readonly #clock: Clock
  readonly #keys: AccessKeys
  readonly #passwords: Passwords
  readonly #sessions: Sessions
  readonly #guard: Guard
  readonly #resets: Resets

  constructor(options: LocalIdentityOptions) {
    const { store, clock, passwordCost } = options
    this.#store = store
    this.#clock = clock
    this.#keys = new AccessKeys(options)
    this.#passwords = new Passwords(passwordCost)
    this.#sessions = new Sessions(store, clock)
    this.#guard = new Guard(store, clock)
    this.#resets = new Resets({ ...options, guard: this.#guard })
    this.jobs = [this.#resets.jobs]
  }

  async verify(token: string): Promise<IdentityClaims> {
    try {
      const claims = claimsSchema.parse(await this.#keys.verify(token))
      return {
        subject: `local:${claims.sub}`,
        email: claims.email,
        emailVerified: claims.email_verified,
        authTimeMs: Math.round(claims.auth_time * 1000),
      }
    } catch (cause) {
      if (isFailure(cause)) throw cause
      throw fail('auth.invalid', undefined, { cause })
    }
  }

  async forget({ id, email }: { readonly id: string; readonly email: string }): Promise<void> {
    await this.#store.transact(async (tx) => {
      const claim = await tx.get(emailRef(email))
      if (claim?.data.user === id) tx.delete(claim.ref)
      tx.delete(passwords.ref(id))
    })
  }

  async register(given: Credentials, caller: Caller): Promise<SignedIn> {
    await this.#guard.countRegistration(caller.from)
    const email = normaliseEmail(given.email)
    if (await this.#store.get(emailRef(email))) throw fail('auth.taken')
    const hash = await this.#passwords.hash(given.password)
    const now = this.#clock.now()
    const user = newId('usr', now)
    try {
      await this.#store.batch([
        { op: 'create', ref: emailRef(email), data: { user } },
        { op: 'create', ref: users.ref(user), data: newUser(email, now) },
        { op: 'create', ref: identities.ref(`local:${user}`), data: { user } },
        { op: 'create', ref: passwords.ref(user), data: { hash, generation: 1 } },
      ])
    } catch (error) {
      if (isFailure(error, 'store.exists')) throw fail('auth.taken')
      throw error
    }
    return this.#signIn({ user, authTime: now }, { ...caller, device: undefined })
  }

  async login(given: Credentials, caller: Caller): Promise<SignedIn> {
    const user = (await this.#store.get(emailRef(given.email)))?.data.user
    const device = user ? await this.#knownDevice(caller.device, user) : undefined
    // Of before the proof: a password that changes during it ends this sign-in with all others of the old one.
    const validSince = (await this.#store.get(users.ref(user ?? 'nobody')))?.data.validSince ?? 0
    const authTime = Math.max(this.#clock.now(), validSince)
    await this.#prove({ ...given, user }, { ...caller, device })
    if (!user) throw fail('auth.credentials')
    return this.#signIn({ user, authTime }, { ...caller, device })
  }

  async refresh(refreshToken: string, caller = nowhere): Promise<Tokens> {
    const reused = (user: string) => this.#tell('auth.token_reused', user, caller)
    const session = await this.#sessions.find(refreshToken, reused)
    return this.#tokens(session, () => this.#sessions.spend(session, reused))
  }

  async logout({ refreshToken, bearer, everywhere }: LogoutRequest, caller = nowhere): Promise<void> {
    const session = refreshToken === undefined ? undefined : await this.#sessions.end(refreshToken)
    if (!everywhere) return
    // The refresh token says who it is as well; an access token that just expired must not stand in the way.
    const user = session?.user ?? (bearer === undefined ? undefined : (await this.#bearer(bearer)).user)
    if (!user) throw fail('auth.invalid')
    const now = this.#clock.now()
    const told = await this.#tell('auth.signed_out_everywhere', user, caller)
    await this.#store.transact(async (tx) => {
      const doc = await tx.get(users.ref(user))
      if (!doc) return
      tx.update(doc.ref, { validSince: Math.max(now, doc.data.validSince) + 1 })
      for (const { ref, data } of told) tx.create(ref, data)
    })
  }

  async changePassword(bearer: string, given: PasswordChange, caller: Caller): Promise<SignedIn> {
    const { user, email } = await this.#bearer(bearer)
    const device = await this.#knownDevice(caller.device, user)
    const { generation } = await this.#prove({ email, password: given.current, user }, { ...caller, device })
    const told = await this.#tell('auth.password_changed', user, caller)
    const hash = await this.#passwords.hash(given.next)
    const now = this.#clock.now()
    const authTime = await this.#store.transact(async (tx) => {
      const doc = (await tx.get(users.ref(user)))?.data
      const before = (await tx.get(passwords.ref(user)))?.data
      // Of two changes at once, both of which knew the old password, the second no longer does.
      if (!doc || before?.generation !== generation) throw fail('auth.credentials')
      const since = Math.max(now, doc.validSince) + 1
      tx.update(users.ref(user), { validSince: since })
      tx.set(passwords.ref(user), { hash, generation: generation + 1 })
      for (const { ref, data } of told) tx.create(ref, data)
      return since
    })
    return this.#signIn({ user, authTime }, { ...caller, device })
  }

  requestReset(email: string, caller: Caller): Promise<void> {
    return this.#resets.request(email, caller)
  }

  async confirmReset(
    { token, password }: { readonly token: string; readonly password: string },
    caller = nowhere,
  ) {
    await this.#resets.check(token)
    const user = await this.#resets.redeem(token, { hash: await this.#passwords.hash(password), caller })
    return { device: await this.#makeDevice(user) }
  }

  jwks(): Promise<PublicKeys> {
    return this.#keys.jwks()
  }

  /** @throws auth.credentials after the same work whether or not there is such a user */
  async #prove(
    { email, password, user }: Credentials & { readonly user: string | undefined },
    caller: Caller,
  ): Promise<PasswordDoc> {
    const { from, device } = caller
    const attempt = await this.#guard.attempt({ email, from, device })
    const ref = passwords.ref(user ?? 'nobody')
    const stored = (await this.#store.get(ref))?.data
    const isRight = await this.#passwords.verify(password, stored?.hash)
    if (!stored || !isRight) {
      await this.#noteFailure(user, { ...caller, hasLocked: attempt.hasLocked })
      throw fail('auth.credentials')
    }
    await attempt.forgive()
    if (this.#passwords.isOutdated(stored.hash)) {
      const hash = await this.#passwords.hash(password)
      await this.#store.change(ref, (now) => (now?.hash === stored.hash ? { ...now, hash } : 'keep'))
    }
    return stored
  }

  /** @param caller with the id of the device, where it is a known one */
  async #signIn(session: Session, caller: Caller): Promise<SignedIn> {
    const told = await this.#tell('auth.signed_in', session.user, caller)
    const tokens = await this.#tokens(session, () => this.#sessions.start(session, told))
    return caller.device ? { tokens } : { tokens, device: await this.#makeDevice(session.user) }
  }

  /** What the audit log says of it, to be committed with it. */
  #tell(action: AuditAction, user: string, { from, userAgent }: Caller): Promise<readonly SignInWrite[]> {
    return signInWrites(this.#store, { action, user, from, userAgent }, this.#clock.now())
  }

  async #noteFailure(
    user = '',
    { from, userAgent, hasLocked }: Caller & { readonly hasLocked: boolean },
  ): Promise<void> {
    const parts = { store: this.#store, clock: this.#clock }
    await noteFailedSignIn(parts, { action: 'auth.failed', user, from, userAgent })
    if (hasLocked) await noteFailedSignIn(parts, { action: 'auth.locked', user, from, userAgent })
  }

  /** Signs first: a refresh token is spent only for an answer that can be given. */
  async #tokens({ user, authTime }: Session, nextRefreshToken: () => Promise<string>): Promise<Tokens> {
    const doc = await this.#activeUser(user)
    if (authTime < doc.validSince) throw fail('auth.invalid')
    const accessToken = await this.#keys.sign(
      { sub: user, email: doc.email, email_verified: doc.emailVerified, auth_time: authTime / 1000 },
      accessTokenMs,
    )
    return { accessToken, expiresIn: accessTokenMs / 1000, refreshToken: await nextRefreshToken() }
  }

  /** @throws auth.invalid also for a token from before the user signed out everywhere */
  async #bearer(token: string): Promise<{ readonly user: string; readonly email: string }> {
    const claims = await this.verify(token)
    const user = claims.subject.slice('local:'.length)
    const doc = await this.#activeUser(user)
    if (claims.authTimeMs < doc.validSince) throw fail('auth.invalid')
    return { user, email: doc.email }
  }

  async #activeUser(user: string): Promise<UserDoc> {
    const doc = (await this.#store.get(users.ref(user)))?.data
    if (!doc) throw fail('auth.invalid')
    if (doc.status !== 'active') throw fail('auth.disabled')
    return doc
  }

  async #makeDevice(user: string): Promise<string> {
    const secret = newSecret('ptv')
    const ttl = new Date(this.#clock.now() + deviceMs)
    await this.#store.create(devices.ref(hashSecret(secret)), { user, ttl })
    return secret
  }

  /** @returns the document id of the device if `secret` is one that `user` signed in on */
  async #knownDevice(secret: string | undefined, user: string): Promise<string | undefined> {
    if (secret === undefined) return undefined
    const id = hashSecret(secret)
    const device = (await this.#store.get(devices.ref(id)))?.data
    const isKnown = device?.user === user && device.ttl.getTime() > this.#clock.now()
    return isKnown ? id : undefined
  }
}

function newUser(email: string, now: number): UserDoc {
  return { email, emailVerified: false, status: 'active', validSince: now, providers: ['local'] }
}
