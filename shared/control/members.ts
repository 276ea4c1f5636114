/**
 * The members of an account and their roles. Service members belong to the account: they hold keys for CI and servers,
 * so what those serve outlives the people who set it up. Only owners make or unmake an owner, and the last one stays.
 */
import { type Permission, permissionsOf, type Role } from '../api/schemas/access.ts'
import type { Member } from '../api/schemas/accounts.ts'
import { fail } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import { byCaller, writeAudit } from './audit.ts'
import { type Caller, requirePermission, roleOf } from './caller.ts'
import type { AccountControl, Control } from './control.ts'
import { withCounts } from './counting.ts'
import { accounts, type MemberDoc, members, type UserDoc, users } from './documents.ts'
import { kick } from './jobs/kick.ts'
import { addressRef, hasBounced } from './mail/addresses.ts'
import { requireSeat } from './money/seats.ts'
import type { Snapshot, Transaction } from './platform.ts'
import { membersMax, queries } from './query-table.ts'
import { lookToTake, type Quota, readQuota, writeQuota } from './quota.ts'
import { requireHeld, requireStill } from './still.ts'
import { invitationRef } from './team/invitation-documents.ts'
import { lookToTellTeam } from './team/letters.ts'
import { lookToUnserve, memberOf } from './unserve.ts'

/** Oldest first. Needs the whole `control`: names and addresses of people belong to no account. */
export async function listMembers(control: Control, account: string): Promise<readonly Member[]> {
  const { items } = await control.store.query(queries.membersOfAccount, {
    where: { account },
    limit: membersMax,
  })
  const people = await control.store.getAll(items.map(({ data }) => users.ref(data.user)))
  const emails = people.map((person) => person?.data.email)
  const addresses = await control.store.getAll(
    items.map(({ data }, index) => addressRef(emails[index] ?? data.user)),
  )
  const nowMs = control.clock.now()
  return items.map(({ data }, index) => ({
    ...describeMember(data, emails[index]),
    ...(hasBounced(addresses[index]?.data, nowMs) && { mailRefused: true }),
    ...describeFactorOf(people[index]?.data, nowMs),
  }))
}

function describeFactorOf(person: UserDoc | undefined, nowMs: number): Pick<Member, 'factor' | 'recovering'> {
  if (!person) return {}
  const { hasFactor = false, recoveringUntil = 0 } = person
  return { factor: hasFactor, ...(recoveringUntil > nowMs && { recovering: true }) }
}

/** The address of a person; '' for a service. Needs the whole `control`, too. */
export async function emailOf({ store }: Pick<Control, 'store'>, user: string): Promise<string> {
  return (await store.get(users.ref(user)))?.data.email ?? ''
}

/** @throws member.limit, auth.scope */
export async function createService(
  control: AccountControl,
  caller: Caller,
  { name, role }: { readonly name: string; readonly role: Role },
): Promise<Member> {
  const { account } = caller
  const nowMs = control.clock.now()
  const member: MemberDoc = { account, user: newId('svc', nowMs), role, since: nowMs, status: 'active', name }
  await withRoom(control, async (tx, quota) => {
    await requireStill(tx, caller, { needs: rightToAssign(role), nowMs })
    tx.create(members.ref(`${account}:${member.user}`), member)
    writeQuota(tx, quota, { members: 1 })
    const entry = {
      ...entryOf(caller, member.user),
      action: 'member.added',
      details: { name, role },
    } as const
    writeAudit(tx, entry, nowMs)
  })
  return describeMember(member, undefined)
}

/** @throws api.not_found, auth.scope, member.last_owner */
export async function changeRole(
  control: AccountControl,
  caller: Caller,
  { member: id, role }: { readonly member: string; readonly role: Role },
): Promise<void> {
  const nowMs = control.clock.now()
  const { account } = caller
  const jobs = await control.store.transact(async (tx) => {
    const { found, others, own } = await readOne(tx, caller, id)
    const before = roleOf(found.data)
    const unserve = await lookToUnserve(tx, memberOf(account, id), nowMs)
    const tell = await lookToTellTeam(tx, { event: 'owner', account, user: id }, nowMs)
    for (const each of [before, role]) requireHeld(caller, own, { needs: rightToAssign(each), nowMs })
    if (found.data.name !== undefined && role === 'owner')
      throw fail('auth.scope', 'A service owns no account.')
    if (before === 'owner' && role !== 'owner') requireOwner(others)
    tx.set(found.ref, { ...found.data, role })
    const details = { from: before, to: role }
    writeAudit(tx, { ...entryOf(caller, id), action: 'member.changed', details }, nowMs)
    const asked = permissionsOf(role).has('tunnels.serve') ? [] : [unserve()]
    return role === 'owner' && before !== 'owner' ? [...asked, tell()] : asked
  })
  await kick(control, jobs)
}

/**
 * Makes another person an owner and the caller an admin, in one step: so nobody forgets the second half, and the
 * account is never without an owner.
 * @throws api.not_found, auth.scope
 */
export async function handOver(control: AccountControl, caller: Caller, id: string): Promise<void> {
  requirePermission(caller, 'owners.manage')
  const nowMs = control.clock.now()
  const { account, member: own } = caller
  if (id === own) throw fail('auth.scope', 'You are the owner already.')
  const jobs = await control.store.transact(async (tx) => {
    const { found, own: mine } = await readOne(tx, caller, id)
    const tell = await lookToTellTeam(tx, { event: 'owner', account, user: id }, nowMs)
    if (found.data.name !== undefined) throw fail('auth.scope', 'A service owns no account.')
    if (found.data.status === 'disabled') throw fail('auth.scope', 'A disabled member owns no account.')
    requireHeld(caller, mine, { needs: 'owners.manage', nowMs })
    tx.set(found.ref, { ...found.data, role: 'owner' })
    tx.update(members.ref(`${account}:${own}`), { role: 'admin' })
    for (const [target, from, to] of [
      [id, roleOf(found.data), 'owner'],
      [own, 'owner', 'admin'],
    ] as const)
      writeAudit(tx, { ...entryOf(caller, target), action: 'member.changed', details: { from, to } }, nowMs)
    return [tell()]
  })
  await kick(control, jobs)
}

/**
 * Ends the membership, all its keys, and what their agents serve. Everybody may leave.
 * @throws api.not_found, auth.scope, member.last_owner
 */
export async function removeMember(
  control: AccountControl,
  caller: Caller,
  { id, email }: { readonly id: string; readonly email: string },
): Promise<void> {
  const nowMs = control.clock.now()
  const { account } = caller
  const jobs = await control.store.transact(async (tx) => {
    const { found, others, own } = await readOne(tx, caller, id)
    const take = await lookToTake(tx, account)
    const unserve = await lookToUnserve(tx, memberOf(account, id), nowMs)
    const tell = await lookToTellTeam(tx, { event: 'removed', account, user: id }, nowMs)
    const isOwn = id === caller.user?.id
    if (!isOwn) requireHeld(caller, own, { needs: rightToAssign(roleOf(found.data)), nowMs })
    if (roleOf(found.data) === 'owner') requireOwner(others)
    tx.delete(found.ref)
    // An earlier one would let them in again.
    if (email !== '') tx.delete(invitationRef(account, email))
    writeAudit(tx, { ...entryOf(caller, id), action: 'member.removed' }, nowMs)
    take({ members: -1 })
    return isOwn || found.data.name !== undefined ? [unserve()] : [unserve(), tell()]
  })
  await kick(control, jobs)
}

/**
 * Makes a person a member.
 * @param prepare reads in the transaction; its `write` runs in the same one and returns jobs to kick
 * @returns those jobs. @throws member.exists, member.limit, plan.seats
 */
export async function joinAccount(
  control: AccountControl,
  prepare: (
    tx: Transaction,
  ) => Promise<{ readonly member: MemberDoc; readonly write: () => readonly string[] }>,
): Promise<readonly string[]> {
  let asked: readonly string[] = []
  await withRoom(control, async (tx, quota) => {
    const { member, write } = await prepare(tx)
    const ref = members.ref(`${member.account}:${member.user}`)
    if (await tx.get(ref)) throw fail('member.exists')
    await requireSeat(tx, member.account, 0)
    writeQuota(tx, quota, { members: 1 })
    tx.create(ref, member)
    asked = write()
  })
  return asked
}

/** Adds a person who is known, as operators do, whom seats do not bind. @throws store.exists, member.limit */
export async function addMember(
  control: AccountControl,
  { user, role, actor }: { readonly user: string; readonly role: Role; readonly actor: string },
): Promise<void> {
  const { account } = control.store
  const nowMs = control.clock.now()
  await withRoom(control, async (tx, quota) => {
    writeQuota(tx, quota, { members: 1 })
    tx.create(members.ref(`${account}:${user}`), { account, user, role, since: nowMs, status: 'active' })
    const entry = { account, actor, from: '', target: user }
    writeAudit(tx, { ...entry, action: 'member.added', details: { role } }, nowMs)
  })
}

/** Only an owner gives or takes what an owner has. */
export function rightToAssign(role: Role): Permission {
  return role === 'owner' ? 'owners.manage' : 'members.manage'
}

function requireOwner(others: readonly MemberDoc[]): void {
  const isOwner = (member: MemberDoc) => roleOf(member) === 'owner' && member.status !== 'disabled'
  if (!others.some(isOwner)) throw fail('member.last_owner')
}

/** Runs a transaction that adds a member. @throws member.limit */
async function withRoom(
  control: AccountControl,
  change: (tx: Transaction, quota: Quota) => Promise<void>,
): Promise<void> {
  const { account } = control.store
  const run = async (tx: Transaction) => {
    const quota = await readQuota(tx, account)
    if (quota.data.members >= membersMax)
      throw fail('member.limit', `An account has at most ${membersMax} members.`)
    await change(tx, quota)
  }
  await withCounts(control, () => control.store.transact(run))
}

/** Reads all members in one read, so that two owners who leave at once cannot both go. @throws api.not_found */
async function readOne(
  tx: Transaction,
  { account, member }: Pick<Caller, 'account' | 'member'>,
  id: string,
): Promise<{
  readonly found: Snapshot<MemberDoc>
  readonly others: readonly MemberDoc[]
  /** The caller's. */
  readonly own: MemberDoc | undefined
}> {
  const { items } = await tx.query(queries.membersOfAccount, { where: {}, limit: membersMax })
  const found = items.find(({ ref }) => ref.id === `${account}:${id}`)
  if (!found) throw fail('api.not_found')
  const others = items.filter((item) => item !== found).map(({ data }) => data)
  return { found, others, own: items.find(({ data }) => data.user === member)?.data }
}

function describeMember(member: MemberDoc, email: string | undefined): Member {
  const { user, since, name, status = 'active' } = member
  const role = roleOf(member)
  return {
    id: user,
    role,
    since,
    status,
    ...(name !== undefined && { name }),
    ...(email !== undefined && { email }),
  }
}

function entryOf(caller: Caller, target: string) {
  return { ...byCaller(caller), target }
}

/** The accounts of a person, to choose from. */
export async function describeAccounts(control: Control, of: readonly MemberDoc[]) {
  const found = await control.store.getAll(of.map(({ account }) => accounts.ref(account)))
  return of.flatMap((member, index) => {
    const account = found[index]?.data
    if (!account) return []
    const { name, plan, status, leaving } = account
    const leaves = leaving && { leavingAt: leaving.dueAt }
    return [{ id: member.account, name, plan, status, role: roleOf(member), ...leaves }]
  })
}
