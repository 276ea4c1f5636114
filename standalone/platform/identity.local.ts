/**
 * Identity without anybody else's service: addresses and scrypt passwords in the store, ES256 access tokens (15 min),
 * refresh tokens that are spent by use. The domain sees `verify` alone; the routes use the rest.
 * What strangers learn is the same whether or not an address is known, in words and in time.
 */
import type { Key, Tokens } from '@porttunneler/shared/api/schemas/accounts'
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { newId } from '@porttunneler/shared/base/ids'
import type { AuditAction } from '@porttunneler/shared/control/audit'
import { type SignInWrite, signInWrites } from '@porttunneler/shared/control/audit/sign-ins'
import { type UserDoc, users } from '@porttunneler/shared/control/documents'
import { listKeysOf } from '@porttunneler/shared/control/earlier-keys'
import { EndedSignIns } from '@porttunneler/shared/control/ended-sign-ins'
import type { JobKind } from '@porttunneler/shared/control/jobs/jobs'
import { normaliseEmail } from '@porttunneler/shared/control/mail/addresses'
import type { Doc, IdentityClaims, MovedAddress, Store } from '@porttunneler/shared/control/platform'
import { type SignInMethod, signIns } from '@porttunneler/shared/control/sign-ins/sign-in-documents'
import { Devices } from './identity.local.devices.ts'
import { emailRef, passwords } from './identity.local.documents.ts'
import { endAll, moveLocalAddress, replacePassword } from './identity.local.endings.ts'
import { Guard } from './identity.local.guard.ts'
import { AccessKeys, type PublicKeys } from './identity.local.keys.ts'
import { placeOf } from './identity.local.line.ts'
import { Passwords } from './identity.local.passwords.ts'
import { Prover } from './identity.local.prover.ts'
import { Registrations, userWrites } from './identity.local.registrations.ts'
import { Resets } from './identity.local.resets.ts'
import {
  newSessionName,
  type Session,
  type SessionName,
  Sessions,
  type Start,
} from './identity.local.sessions.ts'
import type {
  Credentials,
  LocalIdentity,
  LocalIdentityOptions,
  LogoutRequest,
  PasswordChange,
  PasswordReset,
  SignedIn,
  SignInSource,
} from './identity.local.types.ts'
import { requireStrong } from './identity.local.weak.ts'
import { SocialSignIns } from './oidc/social.ts'

export const accessTokenMs = 15 * 60_000

/** Used when nobody says where a request came from. */
const nowhere: SignInSource = { from: '' }

export function localIdentity(options: LocalIdentityOptions): LocalIdentity {
  return new LocalSignIn(options)
}

class LocalSignIn implements LocalIdentity {
  readonly kind = 'local'
  readonly jobs: readonly JobKind[]
  readonly social: SocialSignIns
  readonly #store: Store
  readonly #clock: Clock
  readonly #keys: AccessKeys
  readonly #passwords: Passwords
  readonly #sessions: Sessions
  readonly #guard: Guard
  readonly #resets: Resets
  readonly #registrations: Registrations
  readonly #devices: Devices
  readonly #prover: Prover
  readonly #ended: EndedSignIns
  readonly #kick: LocalIdentityOptions['kick']

  constructor(options: LocalIdentityOptions) {
    const { store, clock, passwordCost } = options
    this.#store = store
    this.#clock = clock
    this.#kick = options.kick
    this.#devices = new Devices(store, clock)
    this.#ended = new EndedSignIns(store, clock)
    this.#keys = new AccessKeys(options)
    this.#passwords = new Passwords(clock, passwordCost)
    this.#sessions = new Sessions(store, clock, this.#ended)
    this.#guard = new Guard(store, clock)
    this.#prover = new Prover({ store, clock, guard: this.#guard, passwords: this.#passwords })
    this.#resets = new Resets({ ...options, guard: this.#guard })
    this.#registrations = new Registrations({ ...options, guard: this.#guard })
    this.jobs = [this.#resets.jobs, this.#registrations.jobs]
    this.social = new SocialSignIns({
      ...{ providers: [], ...options },
      guard: this.#guard,
      signIn: (who, caller) => this.#enter(who, caller),
      bearer: (token) => this.#wholeBearer(token),
    })
  }

  async verify(token: string): Promise<IdentityClaims> {
    const { sub, email, email_verified, auth_time, sid } = await this.#keys.claims(token)
    const authTimeMs = Math.round(auth_time * 1000)
    await this.#ended.check(sid, { person: sub, authTimeMs })
    const subject = `local:${sub}`
    return { subject, email, emailVerified: email_verified, authTimeMs, signIn: sid, method: 'password' }
  }

  endSignIns(ids: readonly string[]): Promise<void> {
    return this.#sessions.endAll(ids)
  }

  moveAddress(move: MovedAddress): Promise<void> {
    return moveLocalAddress(this.#store, move)
  }

  async forget({ id, email }: { readonly id: string; readonly email: string }): Promise<void> {
    await this.#store.transact(async (tx) => {
      const claim = await tx.get(emailRef(email))
      if (claim?.data.user === id) tx.delete(claim.ref)
      tx.delete(passwords.ref(id))
    })
  }

  requestAccount(email: string, { from, userAgent = '' }: SignInSource): Promise<void> {
    return this.#registrations.request({ email, from, userAgent })
  }

  async confirmAccount({ token, password }: { token: string; password: string }, caller: SignInSource) {
    const email = await this.#registrations.check(token)
    requireStrong(password, email)
    const hash = await this.#passwords.hash(password, placeOf(caller))
    const user = await this.#registrations.redeem(token, hash)
    return this.#signIn(
      { user, authTime: this.#clock.now(), method: 'password' },
      { ...caller, device: undefined },
    )
  }

  async register(given: Credentials, caller: SignInSource): Promise<SignedIn> {
    requireStrong(given.password, given.email)
    await this.#guard.countRegistration(caller.from)
    const email = normaliseEmail(given.email)
    const hash = await this.#passwords.hash(given.password, placeOf(caller))
    const now = this.#clock.now()
    const user = newId('usr', now)
    try {
      await this.#store.batch([...userWrites(user, { email, hash, emailVerified: false, now })])
    } catch (error) {
      if (isFailure(error, 'store.exists')) throw fail('auth.taken')
      throw error
    }
    return this.#signIn({ user, authTime: now, method: 'password' }, { ...caller, device: undefined })
  }

  async login(given: Credentials, caller: SignInSource): Promise<SignedIn> {
    const user = (await this.#store.get(emailRef(given.email)))?.data.user
    // Read before the proof: if the password changes meanwhile, this sign-in ends with all others of the old one.
    const validSince = (await this.#store.get(users.ref(user ?? 'nobody')))?.data.validSince ?? 0
    const device = await this.#devices.find(caller.device, { user, validSince })
    const authTime = Math.max(this.#clock.now(), validSince)
    await this.#prover.prove({ ...given, user }, { ...caller, device })
    if (!user) throw fail('auth.credentials')
    return this.#signIn({ user, authTime, method: 'password' }, { ...caller, device })
  }

  async signInByPasskey(user: string, caller: SignInSource): Promise<SignedIn> {
    const { validSince } = await this.#activeUser(user)
    const device = await this.#devices.find(caller.device, { user, validSince })
    const authTime = Math.max(this.#clock.now(), validSince)
    const session = { user, authTime, method: 'passkey' } as const
    return this.#signIn(session, { ...caller, device }, { hasShownFactor: true })
  }

  async refresh(refreshToken: string, caller = nowhere): Promise<Tokens> {
    const reused = (user: string) => this.#tell('auth.token_reused', user, caller)
    const session = await this.#sessions.find(refreshToken, reused)
    return (await this.#tokens(session, () => this.#sessions.spend(session, reused))).tokens
  }

  async logout(given: LogoutRequest, caller = nowhere): Promise<void> {
    const { refreshToken, bearer, everywhere, endKeys = false } = given
    const session = refreshToken === undefined ? undefined : await this.#sessions.end(refreshToken)
    if (!everywhere) {
      // Without its refresh token, a session is known by the access token.
      if (refreshToken === undefined && bearer !== undefined) await this.#endOf(bearer)
      return
    }
    // The refresh token also names the person, so an access token that just expired does not matter.
    const user = session?.user ?? (bearer === undefined ? undefined : (await this.#bearer(bearer)).user)
    if (!user) throw fail('auth.invalid')
    const now = this.#clock.now()
    const told = await this.#tell('auth.signed_out_everywhere', user, caller)
    const { since, jobs } = await endAll(this.#store, { user, endKeys, told, now })
    this.#ended.noteAll(user, since)
    await this.#kick(jobs)
  }

  async changePassword(bearer: string, given: PasswordChange, caller: SignInSource) {
    const { user, email, validSince, hasShownFactor } = await this.#wholeBearer(bearer)
    requireStrong(given.next, email)
    const { endKeys = false } = given
    const device = await this.#devices.find(caller.device, { user, validSince })
    const { generation } = await this.#prover.prove(
      { email, password: given.current, user },
      { ...caller, device },
    )
    const told = await this.#tell('auth.password_changed', user, caller)
    const hash = await this.#passwords.hash(given.next, ['known', user])
    const now = this.#clock.now()
    const { since: authTime, jobs } = await replacePassword(
      this.#store,
      { user, endKeys, told, now },
      { hash, generation, from: caller.from },
    )
    this.#ended.noteAll(user, authTime)
    await this.#kick(jobs)
    const signedIn = await this.#signIn(
      { user, authTime, method: 'password' },
      { ...caller, device: undefined },
      { isExpected: true, hasShownFactor },
    )
    return { ...signedIn, keys: await this.#keysLeft(user, endKeys) }
  }

  async prove(bearer: string, password: string, caller: SignInSource): Promise<string> {
    const { user, doc, email, validSince, signIn } = await this.#bearer(bearer)
    if (doc.hasFactor) throw fail('auth.factor_needed')
    if (signIn === undefined) throw fail('auth.invalid') // a token of release 0.1
    const device = await this.#devices.find(caller.device, { user, validSince })
    await this.#prover.prove({ email, password, user }, { ...caller, device })
    await this.#store.batch([...(await this.#tell('auth.confirmed', user, caller))])
    return signIn
  }

  requestReset(email: string, caller: SignInSource): Promise<void> {
    return this.#resets.request(email, caller)
  }

  async confirmReset({ token, password, endKeys = false }: PasswordReset, caller = nowhere) {
    const { user, email } = await this.#resets.check(token)
    requireStrong(password, email)
    const hash = await this.#passwords.hash(password, ['known', user])
    const done = await this.#resets.redeem(token, { hash, endKeys, caller })
    this.#ended.noteAll(user, done.validSince)
    await this.#kick(done.jobs)
    const keys = await this.#keysLeft(user, done.keysEnd)
    return { device: await this.#devices.make(user, done.validSince), keys }
  }

  jwks(): Promise<PublicKeys> {
    return this.#keys.jwks()
  }

  /** For somebody who has proven themselves elsewhere. */
  async #enter({ user, method }: { user: string; method: SignInMethod }, caller: SignInSource) {
    const { validSince } = await this.#activeUser(user)
    const device = await this.#devices.find(caller.device, { user, validSince })
    const authTime = Math.max(this.#clock.now(), validSince)
    return this.#signIn({ user, authTime, method }, { ...caller, device })
  }

  /**
   * @param caller with the device's id, if it is a known one
   * @param isExpected the place is no news
   */
  async #signIn(
    session: Session & { readonly method: SignInMethod },
    caller: SignInSource,
    {
      isExpected = caller.device !== undefined,
      hasShownFactor = false,
    }: Partial<Pick<Start, 'isExpected' | 'hasShownFactor'>> = {},
  ): Promise<SignedIn> {
    const { method, user } = session
    const details = method === 'password' ? {} : { method }
    const told = await this.#tell('auth.signed_in', user, { ...caller, details })
    const name = newSessionName()
    const start = { method, source: caller, isExpected, hasShownFactor, told }
    const asked: string[] = []
    const { tokens, validSince } = await this.#tokens({ ...session, ...name }, async () => {
      const { refreshToken, jobs } = await this.#sessions.start(session, name, start)
      asked.push(...jobs)
      return refreshToken
    })
    await this.#kick(asked)
    return caller.device ? { tokens } : { tokens, device: await this.#devices.make(session.user, validSince) }
  }

  async #keysLeft(user: string, areEnded: boolean): Promise<readonly Key[]> {
    return areEnded ? [] : listKeysOf(this.#store, user)
  }

  /** The audit entries about it, to be committed with it. */
  #tell(
    action: AuditAction,
    user: string,
    { from, userAgent, details = {} }: SignInSource & { readonly details?: Doc },
  ): Promise<readonly SignInWrite[]> {
    return signInWrites(this.#store, { action, user, from, userAgent, details }, this.#clock.now())
  }

  /** Signs first: a refresh token is used up only for an answer that can be given. */
  async #tokens(
    { user, authTime, id }: Session & SessionName,
    nextRefreshToken: () => Promise<string>,
  ): Promise<{ readonly tokens: Tokens; readonly validSince: number }> {
    const doc = await this.#activeUser(user)
    if (authTime < doc.validSince) throw fail('auth.invalid')
    const accessToken = await this.#keys.sign(
      { sub: user, email: doc.email, email_verified: doc.emailVerified, auth_time: authTime / 1000, sid: id },
      accessTokenMs,
    )
    const tokens = { accessToken, expiresIn: accessTokenMs / 1000, refreshToken: await nextRefreshToken() }
    return { tokens, validSince: doc.validSince }
  }

  /** An invalid token has no session to end. */
  async #endOf(bearer: string): Promise<void> {
    try {
      const { sid } = await this.#keys.claims(bearer)
      if (sid !== undefined) await this.#sessions.endById(sid)
    } catch (error) {
      if (!isFailure(error, 'auth.invalid')) throw error
    }
  }

  /** @throws auth.invalid, also for a token from before the user signed out everywhere */
  async #bearer(token: string) {
    const claims = await this.verify(token)
    const user = claims.subject.slice('local:'.length)
    const doc = await this.#activeUser(user)
    if (claims.authTimeMs < doc.validSince) throw fail('auth.invalid')
    return { ...claims, user, doc, email: doc.email, validSince: doc.validSince }
  }

  /** The same for what a stolen password must not be enough for. @throws also auth.factor_needed */
  async #wholeBearer(token: string) {
    const bearer = await this.#bearer(token)
    // Tokens of releases up to 0.1 name no sign-in.
    const record = await this.#store.get(signIns.ref(bearer.signIn ?? 'none'))
    const hasShownFactor = (record?.data.factorAt ?? 0) > 0
    if (bearer.doc.hasFactor && !hasShownFactor) throw fail('auth.factor_needed')
    return { ...bearer, hasShownFactor }
  }

  async #activeUser(user: string): Promise<UserDoc> {
    const doc = (await this.#store.get(users.ref(user)))?.data
    if (!doc) throw fail('auth.invalid')
    if (doc.status !== 'active') throw fail('auth.disabled')
    return doc
  }
}
