/**
 * From bearer to caller: an API key (`pts_…`, known by its SHA-256) or a token of the identity service. Role
 * and account come from our own documents, never from a token's claims. A token older than its user's
 * `validSince` is refused.
 */
import { fail, isFailure } from '../base/errors.ts'
import { hashSecret } from '../base/ids.ts'
import { ensureAccount, followAddress, readAccount } from './accounts.ts'
import type { Caller } from './caller.ts'
import type { Control } from './control.ts'
import { type KeyDoc, keys, type UserDoc, users } from './documents.ts'
import { limitsOf } from './plans.ts'
import type { IdentityClaims, Ref } from './platform.ts'

const userCacheMs = 30_000
const userCacheMax = 10_000

type Cached = { readonly user: UserDoc; readonly readAt: number }

/** Keeps users for 30 s, so "log out everywhere" and disabling take that long here at the most. */
export class Principals {
  readonly #control: Control
  readonly #users = new Map<string, Cached>()

  constructor(control: Control) {
    this.#control = control
  }

  /** @throws auth.invalid, auth.unverified, auth.disabled, account.suspended, account.closed */
  async authenticate(bearer: string, from: string): Promise<Caller> {
    const caller = bearer.startsWith('pts_') ? await this.#byKey(bearer) : await this.#byToken(bearer)
    return { ...caller, from }
  }

  async #byKey(secret: string): Promise<Omit<Caller, 'from'>> {
    const ref = keys.ref(hashSecret(secret))
    const found = await this.#control.store.get(ref)
    if (found?.data.revokedAt !== 0) throw fail('auth.invalid')
    await this.#noteUse(ref, found.data)
    const { account, role, scopes, key } = found.data
    return { ...(await this.#account(account)), role, scopes, actor: key }
  }

  /** At most one write a day and key; a lost race or a full disk must not turn a valid key away. */
  async #noteUse(ref: Ref<KeyDoc>, { lastUsedDay }: KeyDoc): Promise<void> {
    const today = new Date(this.#control.clock.now()).toISOString().slice(0, 10)
    if (lastUsedDay === today) return
    try {
      await this.#control.store.update(ref, { lastUsedDay: today })
    } catch (error) {
      if (!isFailure(error)) throw error
      this.#control.log.warn({ code: error.code }, 'the last use of a key was not noted')
    }
  }

  async #byToken(token: string): Promise<Omit<Caller, 'from'>> {
    const { identity } = this.#control
    const claims = await identity.verify(token)
    // Firebase lets anybody sign up with anybody's address, and gives the sign-in to its owner as soon as they come by
    // Google. What the first one made until then, keys above all, would stay: so there is nothing before the proof.
    if (identity.kind === 'firebase' && !claims.emailVerified) throw fail('auth.unverified')
    const { user: id, member } = await ensureAccount(this.#control, claims)
    const user = await this.#userNow(id, claims)
    if (user.status === 'disabled') throw fail('auth.disabled')
    if (claims.authTimeMs < user.validSince) throw fail('auth.invalid')
    const { role } = member
    const { email, emailVerified } = user
    return {
      ...(await this.#account(member.account)),
      role,
      scopes: ['admin'],
      actor: id,
      user: { id, email, emailVerified },
    }
  }

  async #account(id: string) {
    const { data } = await readAccount(this.#control, id)
    if (data.status === 'suspended') throw fail('account.suspended')
    if (data.status === 'closed') throw fail('account.closed')
    return { account: id, accountName: data.name, plan: data.plan, limits: limitsOf(data) }
  }

  /** As the sign-in service knows them, where that is not ours. */
  async #userNow(id: string, claims: IdentityClaims): Promise<UserDoc> {
    const user = await this.#user(id)
    const isLocal = this.#control.identity.kind === 'local'
    if (isLocal || user.email === claims.email || claims.authTimeMs <= (user.emailAt ?? 0)) return user
    this.#users.delete(id)
    return (await followAddress(this.#control, id, claims)) ?? user
  }

  async #user(id: string): Promise<UserDoc> {
    const now = this.#control.clock.monotonic()
    const cached = this.#users.get(id)
    if (cached && now - cached.readAt < userCacheMs) return cached.user
    const found = await this.#control.store.get(users.ref(id))
    if (!found) throw fail('auth.invalid')
    this.#users.delete(id)
    const [oldest] = this.#users.keys()
    if (this.#users.size >= userCacheMax && oldest !== undefined) this.#users.delete(oldest)
    this.#users.set(id, { user: found.data, readAt: now })
    return found.data
  }
}
