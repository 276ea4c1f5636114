/**
 * From bearer to caller: an API key (`pts_…`, known by its SHA-256) or a token of the identity service. Account, role
 * and rights come from our own documents, never from a token's claims. A request acts for one account: a key's own, or
 * the one that a person's request names. A token older than its user's `validSince` is refused.
 *
 * A key is read anew with every call, and so are its account and its maker's membership, so a right that is taken away
 * is gone with the next request. What a person's token needs is cached for 30 s.
 */
import { permissionsOf, permissionsOfKey } from '../api/schemas/access.ts'
import { fail, isFailure } from '../base/errors.ts'
import { hashSecret } from '../base/ids.ts'
import { ensureAccount, followAddress, putBackEndOfSignIns, readAccount, recordSignIn } from './accounts.ts'
import { type Caller, type Person, roleOf } from './caller.ts'
import type { Control } from './control.ts'
import {
  type AccountDoc,
  type KeyDoc,
  keys,
  type MemberDoc,
  members,
  type UserDoc,
  users,
} from './documents.ts'
import { lacksFactor, requireMaker, requireShown } from './factors/requiring.ts'
import { dayOf, type Leaving } from './leaving/terms.ts'
import { limitsOf } from './plans.ts'
import type { IdentityClaims, Ref } from './platform.ts'
import type { Source } from './sign-ins/beginning.ts'

const peopleCacheMs = 30_000
const peopleMax = 10_000
/** An account that somebody is not a member of is looked up anew, but not more often than this. */
const joinedMs = 2_000

type Known = {
  readonly id: string
  readonly user: UserDoc
  readonly members: readonly MemberDoc[]
  readonly readAt: number
}

/** A signed-in person, before any account is chosen. */
export type SignedIn = { readonly person: Person; readonly members: readonly MemberDoc[] }

export class Principals {
  readonly #control: Control
  /** Keyed by the token's subject. */
  readonly #people = new Map<string, Known>()

  constructor(control: Control) {
    this.#control = control
  }

  /**
   * @param account the account that the request names; '' = none
   * @param userAgent what the calling program says it is
   * @param evenStopped also for an account that is suspended or being deleted
   * @throws auth.invalid, auth.unverified, auth.disabled, auth.leaving, auth.factor_needed, auth.factor_required,
   * account.choose, account.suspended, account.leaving, account.closed, api.not_found for an account that is not
   * the caller's
   */
  async authenticate(
    bearer: string,
    from: string,
    {
      account = '',
      userAgent,
      evenStopped = false,
    }: {
      readonly account?: string
      readonly userAgent?: string | undefined
      readonly evenStopped?: boolean
    } = {},
  ): Promise<Caller> {
    const source = { from, userAgent }
    if (bearer.startsWith('pts_')) return this.#byKey(bearer, { from, account })
    let { person, members: of } = await this.signIn(bearer, source, { evenStopped })
    const isUnknown = account !== '' && !of.some((member) => member.account === account)
    // They may have joined it a moment ago, through another process.
    if (isUnknown && this.#dropOlder(person.id, joinedMs))
      ({ person, members: of } = await this.signIn(bearer, source, { evenStopped }))
    if (of.length === 0 && account === '')
      throw fail(this.#control.settings.registration === 'beta' ? 'auth.invite' : 'auth.closed')
    const member = chooseMember(of, account)
    if (member.status === 'disabled') throw fail('auth.disabled')
    const chosen = await this.#account(member.account, evenStopped)
    if (lacksFactor(chosen, person)) {
      // They may have added one a moment ago, through another process.
      if (!this.#dropOlder(person.id, joinedMs)) throw fail('auth.factor_required')
      return this.authenticate(bearer, from, { account, userAgent, evenStopped })
    }
    return personCaller(chosen, { person, member, from })
  }

  /**
   * The person of a token.
   * @param before lets a sign-in through that has not shown its second factor yet
   * @param evenStopped also for a person who is leaving
   * @throws auth.invalid for a key, auth.unverified, auth.disabled, auth.leaving, auth.invite, auth.factor_needed
   */
  async signIn(
    token: string,
    source: Source,
    {
      before,
      evenStopped = false,
    }: { readonly before?: 'factor' | undefined; readonly evenStopped?: boolean | undefined } = {},
  ): Promise<SignedIn> {
    const claims = await this.#proven(token)
    const known = await this.#person(claims)
    const { id } = known
    const { status, validSince, email, emailVerified, leaving } = known.user
    if (status === 'disabled') throw fail('auth.disabled')
    if (leaving && !leaving.isAlone && !evenStopped) throw leavingPerson(leaving)
    if (claims.authTimeMs < validSince && !(await this.#countsAgain(id, claims))) throw fail('auth.invalid')
    if (this.#control.identity.kind !== 'local') await this.#recordSignIn(known, claims, source.from)
    const { signIns } = this.#control
    const begun = await signIns.of(claims, id, source)
    const signIn = before === 'factor' ? begun : await requireShown(signIns, known.user, begun)
    const { authTimeMs } = claims
    const { hasFactor = false, former } = known.user
    const leaves = leaving && { leavingAt: leaving.dueAt }
    const person = { id, email, emailVerified, former, authTimeMs, signIn, hasFactor, ...leaves }
    return { person, members: known.members }
  }

  /**
   * Makes the account of a person who brings an invite code. A person who has one gets that, and the code keeps its
   * place.
   * @throws as signIn, and invite.invalid, auth.closed
   */
  async join(token: string, { invite, source }: { invite: string; source: Source }): Promise<SignedIn> {
    const claims = await this.#proven(token)
    await ensureAccount(this.#control, claims, { invite })
    this.#people.delete(claims.subject)
    return this.signIn(token, source)
  }

  /** Their memberships have changed: what this process knew of them is read again. */
  forget(user: string): void {
    this.#dropOlder(user, 0)
  }

  /** @returns whether anything was dropped */
  #dropOlder(user: string, ageMs: number): boolean {
    const until = this.#control.clock.monotonic() - ageMs
    const old = [...this.#people].filter(([, { id, readAt }]) => id === user && readAt <= until)
    for (const [subject] of old) this.#people.delete(subject)
    return old.length > 0
  }

  async #byKey(secret: string, { from, account: named }: { from: string; account: string }): Promise<Caller> {
    const { store } = this.#control
    const ref = keys.ref(hashSecret(secret))
    const found = await store.get(ref)
    const { expiresAt, revokedAt } = found?.data ?? {}
    // A key revoked before its end is as unknown as any other.
    if (expiresAt !== undefined && expiresAt <= this.#control.clock.now() && !isEarlier(revokedAt, expiresAt))
      throw fail('auth.expired', `This key ended on ${new Date(expiresAt).toISOString().slice(0, 10)}.`)
    if (found?.data.revokedAt !== 0) throw fail('auth.invalid')
    const { account, user, scopes, tunnels, key, createdAt } = found.data
    if (named !== '' && named !== account) throw fail('api.not_found')
    const [owner, member] = await Promise.all([
      this.#account(account),
      user === '' ? undefined : store.get(members.ref(`${account}:${user}`)),
    ])
    // A key ends with its maker's membership. In releases up to 0.1, keys made by a key name no maker.
    if (user !== '' && (!member || member.data.status === 'disabled')) throw fail('auth.invalid')
    if (createdAt < (member?.data.keysSince ?? 0)) throw fail('auth.invalid')
    // A service's keys belong to the account.
    const isPersons = member !== undefined && member.data.name === undefined
    if (isPersons) await requireMaker(store, owner, { user, nowMs: this.#control.clock.now() })
    const role = roleOf(member?.data ?? found.data)
    await this.#recordUse(ref, found.data)
    return {
      ...describeAccount(account, owner),
      role,
      permissions: permissionsOfKey(scopes, role),
      scopes,
      ...(tunnels && { tunnels: new Set(tunnels) }),
      actor: key,
      member: user,
      from,
    }
  }

  /** At most one write for each day and key; a lost race or a full disk must not refuse a valid key. */
  async #recordUse(ref: Ref<KeyDoc>, { lastUsedDay }: KeyDoc): Promise<void> {
    const today = new Date(this.#control.clock.now()).toISOString().slice(0, 10)
    if (lastUsedDay === today) return
    try {
      await this.#control.store.update(ref, { lastUsedDay: today })
    } catch (error) {
      if (!isFailure(error)) throw error
      this.#control.log.warn({ code: error.code }, 'the last use of a key was not noted')
    }
  }

  async #account(id: string, evenStopped = false): Promise<AccountDoc> {
    const { data } = await readAccount(this.#control, id)
    if (data.status === 'closed') throw fail('account.closed')
    if (evenStopped) return data
    if (data.leaving) throw leavingAccount(data.leaving)
    if (data.status === 'suspended') throw fail('account.suspended')
    return data
  }

  async #proven(token: string): Promise<IdentityClaims> {
    const { identity } = this.#control
    const claims = await identity.verify(token)
    // Firebase lets anybody sign up with anybody's address, and gives that sign-in to the owner when they come by
    // Google. Everything that the first person made, keys above all, would stay. So nothing is made before the proof.
    if (identity.kind === 'firebase' && !claims.emailVerified) throw fail('auth.unverified')
    return claims
  }

  async #person(claims: IdentityClaims): Promise<Known> {
    const known = await this.#read(claims)
    // Name and address as the sign-in service has them, if that is not ours.
    const isLocal = this.#control.identity.kind === 'local'
    const { id, user } = known
    if (isLocal || user.email === claims.email || claims.authTimeMs <= (user.emailAt ?? 0)) return known
    this.#people.delete(claims.subject)
    return { ...known, user: (await followAddress(this.#control, id, claims)) ?? user }
  }

  /** @returns whether a sign-in counts that a clock ahead of its time had ended */
  async #countsAgain(id: string, { subject, authTimeMs }: IdentityClaims): Promise<boolean> {
    // Our own sign-ins are dated by the same clock, and never before the end of earlier ones.
    if (this.#control.identity.kind === 'local') return false
    this.#people.delete(subject)
    return putBackEndOfSignIns(this.#control, id, authTimeMs)
  }

  /** The only cached part of a person that changes. */
  async #recordSignIn(
    { id, user }: Known,
    { subject, authTimeMs }: IdentityClaims,
    from: string,
  ): Promise<void> {
    if ((user.signedInAt ?? 0) >= authTimeMs) return
    const next = await recordSignIn(this.#control, id, { authTimeMs, from })
    const cached = this.#people.get(subject)
    if (next && cached) this.#people.set(subject, { ...cached, user: next })
  }

  async #read(claims: IdentityClaims): Promise<Known> {
    const { subject } = claims
    const now = this.#control.clock.monotonic()
    const cached = this.#people.get(subject)
    if (cached && now - cached.readAt < peopleCacheMs) return cached
    const { user: id, members: of } = await ensureAccount(this.#control, claims)
    const found = await this.#control.store.get(users.ref(id))
    if (!found) throw fail('auth.invalid')
    this.#people.delete(subject)
    const [oldest] = this.#people.keys()
    if (this.#people.size >= peopleMax && oldest !== undefined) this.#people.delete(oldest)
    const known = { id, user: found.data, members: of, readAt: now }
    this.#people.set(subject, known)
    return known
  }
}

function leavingAccount({ dueAt }: Leaving) {
  return fail(
    'account.leaving',
    `An owner has asked to delete this account. It is erased on ${dayOf(dueAt)} (UTC).`,
  )
}

function leavingPerson({ dueAt }: Leaving) {
  return fail('auth.leaving', `You have asked to delete your sign-in. It is erased on ${dayOf(dueAt)} (UTC).`)
}

function isEarlier(revokedAt: number | undefined, expiresAt: number): boolean {
  return revokedAt !== undefined && revokedAt !== 0 && revokedAt < expiresAt
}

/** A caller who is a member in person. */
export function personCaller(
  account: AccountDoc,
  { person, member, from }: { readonly person: Person; readonly member: MemberDoc; readonly from: string },
): Caller {
  const role = roleOf(member)
  return {
    ...describeAccount(member.account, account),
    role,
    permissions: permissionsOf(role),
    scopes: [],
    actor: person.id,
    user: person,
    member: person.id,
    from,
  }
}

/** The part of a caller that its account gives. */
export function describeAccount(account: string, doc: AccountDoc) {
  return {
    account,
    accountName: doc.name,
    plan: doc.plan,
    limits: limitsOf(doc),
    periodAnchor: doc.periodAnchor,
  }
}

/** @throws account.choose, api.not_found */
function chooseMember(of: readonly MemberDoc[], account: string): MemberDoc {
  if (account !== '') {
    const named = of.find((member) => member.account === account)
    if (!named) throw fail('api.not_found', 'There is no such account, or you are not a member of it.')
    return named
  }
  const [only, another] = of
  if (!only) throw fail('auth.invalid')
  if (another) throw fail('account.choose')
  return only
}
