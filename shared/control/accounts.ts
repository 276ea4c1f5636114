/** Accounts: made at a person's first sign-in, renamed, suspended, closed. Roles live in `members` alone. */
import { fail, isFailure } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import { limits } from '../protocol/limits.ts'
import { signInWrites } from './audit/sign-ins.ts'
import { type AuditAction, type AuditCaller, byCaller, writeAudit } from './audit.ts'
import type { Caller } from './caller.ts'
import { everyCell, makeCommand, type Outgoing, publishCommands, writeCommand } from './commands.ts'
import type { AccountControl, Control } from './control.ts'
import {
  type AccountDoc,
  accounts,
  type IdentityDoc,
  identities,
  type MemberDoc,
  members,
  type UserDoc,
  users,
} from './documents.ts'
import { findPlace } from './invites.ts'
import { look } from './jobs/jobs.ts'
import { kick } from './jobs/kick.ts'
import { withoutLeaving } from './leaving/terms.ts'
import { grantOf } from './money/grants.ts'
import type { IdentityClaims, Snapshot, Store, Transaction } from './platform.ts'
import { queries } from './query-table.ts'
import { freshQuota } from './quota.ts'
import { quotas } from './quota-documents.ts'
import { isAhead } from './stored-times.ts'
import { lookToTellTeam } from './team/letters.ts'
import { isInvited } from './team/open-invitations.ts'
import { nothingAccepted } from './terms/marks.ts'
import { findWaiting } from './wait-list.ts'

/** A person and every account that they are a member of, oldest membership first. */
export type Memberships = { readonly user: string; readonly members: readonly MemberDoc[] }

type NewAccount = {
  /** Set for an account that the operator makes, without an invite code. Default: the code's, else the usual one. */
  readonly plan?: string
  /** The code that a stranger brings. */
  readonly invite?: string
}

/** Far more than anybody has, and fewer than a page holds. */
const membershipsMax = 200

/** If the service dates a sign-in to within this time of our clock, our clock is right. */
const freshMs = 10 * 60_000

/**
 * Reads the person's memberships. At their first sign-in it makes an account for them, only one however many requests
 * at once.
 * @param made how a new account is made
 * @throws auth.closed, auth.invite, invite.invalid, auth.disabled
 */
export async function ensureAccount(
  control: Control,
  claims: IdentityClaims,
  made: NewAccount = {},
): Promise<Memberships> {
  for (let attempt = 0; ; attempt++) {
    const known = await findMemberships(control, claims)
    if (known && (known.members.length > 0 || !mayMake(control, made))) return known
    try {
      return await createAccount(control, claims, made)
    } catch (error) {
      // Another request made it a moment ago: read it.
      if (!isFailure(error, 'store.exists') || attempt > 0) throw error
    }
  }
}

async function findMemberships(control: Control, claims: IdentityClaims): Promise<Memberships | undefined> {
  const identity = await control.store.get(identities.ref(claims.subject))
  const user = identity && userIn(identity.data, claims, control.clock.now())
  if (user === undefined) return undefined
  const { items } = await control.store.query(queries.membersOfUser, {
    where: { user },
    limit: membershipsMax,
  })
  return { user, members: items.map(({ data }) => data) }
}

/** Whether a person without an account gets one now. */
function mayMake({ settings: { registration } }: Control, { plan, invite }: NewAccount): boolean {
  return registration === 'open' || plan !== undefined || (registration === 'beta' && invite !== undefined)
}

/**
 * @returns undefined for a stranger, also one who was erased and signed in anew. When the clock of the erasure was
 * ahead, a sign-in of just now is one, as in `putBackEndOfSignIns`
 * @throws auth.invalid
 */
function userIn(
  { user, erasedAt }: IdentityDoc,
  { authTimeMs }: Pick<IdentityClaims, 'authTimeMs'>,
  nowMs: number,
): string | undefined {
  if (erasedAt === undefined) return user
  if (isAhead(erasedAt, { nowMs, lastsMs: 0 }) && nowMs - authTimeMs <= freshMs) return undefined
  if (authTimeMs <= erasedAt + limits.skewMs) throw fail('auth.invalid')
  return undefined
}

async function createAccount(
  control: Control,
  claims: IdentityClaims,
  { plan, invite }: NewAccount,
): Promise<Memberships> {
  const { registration, defaultPlan, terms = [] } = control.settings
  // A guest gets no account: the invitation leads into another's.
  const isStranger = !mayMake(control, { ...(plan && { plan }), ...(invite !== undefined && { invite }) })
  const isGuest = isStranger && claims.emailVerified && (await isInvited(control, claims.email))
  if (isStranger && !isGuest) throw fail(registration === 'closed' ? 'auth.closed' : 'auth.invite')
  const catalogue = await control.catalogues.newest()
  const nowMs = control.clock.now()
  const account = newId('acc', nowMs)
  const { email, emailVerified, subject } = claims
  const provider = subject.slice(0, subject.indexOf(':'))
  const name = email.slice(0, email.indexOf('@')).slice(0, 80) || 'account'
  return control.store.transact(async (tx) => {
    const identity = await tx.get(identities.ref(subject))
    const before = identity && userIn(identity.data, claims, nowMs)
    const user = before ?? userOf(subject) ?? newId('usr', nowMs)
    const known = await tx.get(users.ref(user))
    if (known?.data.status === 'disabled') throw fail('auth.disabled')
    if (known?.data.leaving && !known.data.leaving.isAlone) return { user, members: [] }
    const present = await tx.query(queries.membersOfUser, { where: { user }, limit: 1 })
    if (present.items[0]) return { user, members: [present.items[0].data] }
    const place = invite === undefined ? undefined : await findPlace(tx, invite, nowMs)
    const came = place && (await findWaiting(tx, email, nowMs))
    if (!identity) tx.create(identities.ref(subject), { user })
    else if (before === undefined) tx.set(identity.ref, { user })
    if (!known)
      tx.create(users.ref(user), {
        email,
        emailVerified,
        status: 'active',
        validSince: 0,
        providers: [provider],
        ...(terms.length > 0 && { terms: nothingAccepted }),
      })
    // They were alone until now (leaving/alone.ts).
    else if (known.data.leaving && !isGuest) tx.set(known.ref, withoutLeaving(known.data))
    if (isGuest) return { user, members: [] }
    const begin = { createdAt: nowMs, periodAnchor: nowMs }
    const fresh = { status: 'active', statusVersion: 1, overrides: {}, ...begin } as const
    // A plan that an invite promised may be gone.
    const promised = place && Object.hasOwn(catalogue.plans, place.plan) ? place.plan : undefined
    const details = { plan: plan ?? promised ?? defaultPlan, ...(place && { invite: place.invite }) }
    tx.create(accounts.ref(account), { name, ...grantOf(catalogue, details.plan), ...fresh })
    place?.take(account)
    came?.(account)
    const member: MemberDoc = { account, user, role: 'owner', since: nowMs, status: 'active' }
    tx.create(members.ref(`${account}:${user}`), member)
    tx.create(quotas.ref(account), { ...freshQuota(account, nowMs), members: 1 })
    const entry = { account, actor: user, from: '', target: account }
    writeAudit(tx, { ...entry, action: 'account.created', details }, nowMs)
    return { user, members: [member] }
  })
}

/**
 * An address changed at an outside sign-in service becomes ours with the first sign-in after the change; older tokens
 * change nothing.
 */
export async function followAddress(
  { store }: Control,
  id: string,
  { email, emailVerified, authTimeMs }: IdentityClaims,
): Promise<UserDoc | undefined> {
  return store.change(users.ref(id), (user) =>
    user && user.email !== email && authTimeMs > (user.emailAt ?? 0)
      ? { ...user, email, emailVerified, emailAt: authTimeMs }
      : 'keep',
  )
}

/**
 * A process whose clock was ahead has ended all sign-ins until a later time. A sign-in that the outside service and we
 * both date to just now shows that nobody meant that: from it on sign-ins count again. With weaker proof, a process
 * whose clock is behind would bring back ended ones.
 */
export async function putBackEndOfSignIns(
  { store, clock }: Pick<Control, 'store' | 'clock'>,
  id: string,
  authTimeMs: number,
): Promise<boolean> {
  const nowMs = clock.now()
  if (nowMs - authTimeMs > freshMs) return false
  const span = { nowMs, lastsMs: 0 }
  const user = await store.change(users.ref(id), (latest) =>
    latest && isAhead(latest.validSince, span) ? { ...latest, validSince: authTimeMs } : 'keep',
  )
  return user !== undefined && authTimeMs >= user.validSince
}

/**
 * An outside service does not report sign-ins, but the first token of one shows it. It is written once, however many
 * requests bring the token at the same time. Failures and lock-outs stay in that service's own log.
 */
export async function recordSignIn(
  { store, clock }: Pick<Control, 'store' | 'clock'>,
  id: string,
  { authTimeMs, from }: { readonly authTimeMs: number; readonly from: string },
): Promise<UserDoc | undefined> {
  const event = { action: 'auth.signed_in', user: id, from } as const
  const told = await signInWrites(store, event, clock.now())
  return store.transact(async (tx) => {
    const found = await tx.get(users.ref(id))
    if (!found || (found.data.signedInAt ?? 0) >= authTimeMs) return found?.data
    tx.update(found.ref, { signedInAt: authTimeMs })
    for (const { ref, data } of told) tx.create(ref, data)
    return { ...found.data, signedInAt: authTimeMs }
  })
}

/** Local sign-in uses our own ids as subjects. */
function userOf(subject: string): string | undefined {
  return /^local:(usr_[0-9a-z]{26})$/.exec(subject)?.[1]
}

export async function readAccount(
  control: { readonly store: Pick<Store, 'get'> },
  id: string,
): Promise<Snapshot<AccountDoc>> {
  const snapshot = await control.store.get(accounts.ref(id))
  if (!snapshot) throw fail('auth.invalid')
  return snapshot
}

export async function renameAccount(
  control: AccountControl,
  caller: Caller,
  name: string,
): Promise<AccountDoc> {
  return changeAccount(control, (tx, before, nowMs) => {
    writeAudit(tx, { ...entryOf(caller), action: 'account.renamed', details: { name } }, nowMs)
    return { ...before, name }
  })
}

/** @param next returns the changed account; its writes commit with the change. It may run again. */
async function changeAccount(
  { store, clock }: Pick<AccountControl, 'store' | 'clock'>,
  next: (tx: Transaction, before: AccountDoc, nowMs: number) => AccountDoc,
): Promise<AccountDoc> {
  return store.transact(async (tx) => {
    const before = await tx.get(accounts.ref(store.account))
    if (!before) throw fail('api.not_found')
    const after = next(tx, before.data, clock.now())
    tx.set(before.ref, after)
    return after
  })
}

/** How long an account that an operator closed by mistake can be put back by hand. */
export const eraseAfterMs = 30 * 24 * 3_600_000

type NewStatus = Pick<AccountDoc, 'status' | 'leaving'>

/** Writes a status and the command that tells relays; publish that after the commit. */
export function writeStatus(
  tx: Transaction,
  { ref, data }: Snapshot<AccountDoc>,
  { status, leaving, nowMs }: { [F in keyof Required<NewStatus>]: NewStatus[F] } & { readonly nowMs: number },
): Outgoing {
  const { leaving: _, ...before } = data
  // It follows the clock too: a store that was restored makes none that relays have seen.
  const statusVersion = Math.max(before.statusVersion + 1, nowMs)
  const closed = status === 'closed' ? { closedAt: nowMs } : {}
  tx.set(ref, { ...before, status, statusVersion, ...closed, ...(leaving && { leaving }) })
  const suspended = status !== 'active'
  const body = { kind: 'suspend', account: ref.id, suspended, version: statusVersion } as const
  const command = makeCommand(everyCell, body, nowMs)
  writeCommand(tx, command)
  return command
}

/**
 * Accounts can change between suspended and active; `closed` is final: keys and sign-ins are refused from now on,
 * every relay cuts the account's tunnels, and a job ends the rest (closing.ts). One that is leaving stays off in any
 * case; then the status is what an undoing leads back to.
 */
export async function setAccountStatus(
  control: Pick<Control, 'bus' | 'cells' | 'clock' | 'log'> & { readonly store: Pick<Store, 'transact'> },
  account: string,
  status: AccountDoc['status'],
  by?: Partial<Omit<AuditCaller, 'account'>> & { readonly reason?: string },
): Promise<void> {
  const nowMs = control.clock.now()
  const wish = { kind: 'account.close', subject: account, account }
  const later = { kind: 'account.erase', subject: account, account, dueAt: nowMs + eraseAfterMs }
  const [outgoing, ids] = await control.store.transact(async (tx) => {
    const before = await tx.get(accounts.ref(account))
    if (!before) throw fail('api.not_found')
    if (before.data.status === 'closed') throw fail('account.closed')
    const asks = status === 'closed' ? [await look(tx, wish, nowMs), await look(tx, later, nowMs)] : []
    if (status === 'suspended')
      asks.push(await lookToTellTeam(tx, { event: 'suspended', account, user: '' }, nowMs))
    const command = writeStatus(tx, before, { ...besideLeaving(before.data, status), nowMs })
    writeAudit(tx, statusEntry(account, status, by), nowMs)
    return [[command], asks.map((ask) => ask())] as const
  })
  await publishCommands(control, outgoing)
  await kick(control, ids)
}

function besideLeaving({ leaving }: AccountDoc, status: AccountDoc['status']) {
  if (!leaving || status === 'closed') return { status, leaving: undefined }
  return { status: 'suspended', leaving: { ...leaving, was: status } } as const
}

const statusActions = {
  active: 'account.resumed',
  suspended: 'account.suspended',
  closed: 'account.closed',
} as const satisfies Record<AccountDoc['status'], AuditAction>

/** Without an actor, the service itself did it. */
function statusEntry(
  account: string,
  status: AccountDoc['status'],
  {
    actor = 'system',
    from = '',
    userAgent,
    reason,
  }: NonNullable<Parameters<typeof setAccountStatus>[3]> = {},
) {
  const details = reason === undefined ? {} : { reason }
  const action = statusActions[status]
  return { ...byCaller({ account, actor, from, userAgent }), target: account, action, details }
}

function entryOf(caller: Caller) {
  return { ...byCaller(caller), target: caller.account }
}
