/**
 * The members of an account and their roles. Service members belong to the account: they hold keys for CI and servers,
 * so what those serve outlives the people who set it up. Only owners make or unmake an owner, and the last one stays.
 */
import { permissionsOf, type Role } from '../api/schemas/access.ts'
import type { Member } from '../api/schemas/accounts.ts'
import { fail } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import { byCaller, writeAudit } from './audit.ts'
import { type Caller, requirePermission, roleOf } from './caller.ts'
import type { AccountControl, Control } from './control.ts'
import { withCounts } from './counting.ts'
import { accounts, type MemberDoc, members, users } from './documents.ts'
import { kick } from './jobs/kick.ts'
import type { Snapshot, Transaction } from './platform.ts'
import { queries } from './query-table.ts'
import { lookToTake, type Quota, readQuota, writeQuota } from './quota.ts'
import { lookToUnserve, memberOf } from './unserve.ts'

/** One page of a query, and far more than a team that shares one account of tunnels. */
const membersMax = 200

/** Oldest first. Needs the whole `control`: names and addresses of people belong to no account. */
export async function listMembers(control: Control, account: string): Promise<readonly Member[]> {
  const { items } = await control.store.query(queries.membersOfAccount, {
    where: { account },
    limit: membersMax,
  })
  const people = await control.store.getAll(items.map(({ data }) => users.ref(data.user)))
  return items.map(({ data }, index) => describeMember(data, people[index]?.data.email))
}

/** @throws member.limit */
export async function createService(
  control: AccountControl,
  caller: Caller,
  { name, role }: { readonly name: string; readonly role: Role },
): Promise<Member> {
  requireAssign(caller, role)
  const { account } = caller
  const nowMs = control.clock.now()
  const member: MemberDoc = { account, user: newId('svc', nowMs), role, since: nowMs, status: 'active', name }
  await withRoom(control, async (tx, quota) => {
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
  const job = await control.store.transact(async (tx) => {
    const { found, others } = await readOne(tx, caller.account, id)
    const before = roleOf(found.data)
    const unserve = await lookToUnserve(tx, memberOf(caller.account, id), nowMs)
    requireAssign(caller, before)
    requireAssign(caller, role)
    if (found.data.name !== undefined && role === 'owner')
      throw fail('auth.scope', 'A service owns no account.')
    if (before === 'owner' && role !== 'owner') requireOwner(others)
    tx.set(found.ref, { ...found.data, role })
    const details = { from: before, to: role }
    writeAudit(tx, { ...entryOf(caller, id), action: 'member.changed', details }, nowMs)
    return permissionsOf(role).has('tunnels.serve') ? undefined : unserve()
  })
  if (job !== undefined) await kick(control, [job])
}

/**
 * Ends the membership, all its keys, and what their agents serve. Everybody may leave.
 * @throws api.not_found, auth.scope, member.last_owner
 */
export async function removeMember(control: AccountControl, caller: Caller, id: string): Promise<void> {
  const nowMs = control.clock.now()
  const job = await control.store.transact(async (tx) => {
    const { found, others } = await readOne(tx, caller.account, id)
    const take = await lookToTake(tx, caller.account)
    const unserve = await lookToUnserve(tx, memberOf(caller.account, id), nowMs)
    if (id !== caller.user?.id) requireAssign(caller, roleOf(found.data))
    if (roleOf(found.data) === 'owner') requireOwner(others)
    tx.delete(found.ref)
    writeAudit(tx, { ...entryOf(caller, id), action: 'member.removed' }, nowMs)
    take({ members: -1 })
    return unserve()
  })
  await kick(control, [job])
}

/** Adds a person who is already known. @throws store.exists for a member, member.limit */
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

/** Only an owner gives or takes what an owner has. @throws auth.scope */
function requireAssign(caller: Caller, role: Role): void {
  requirePermission(caller, role === 'owner' ? 'owners.manage' : 'members.manage')
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
  account: string,
  id: string,
): Promise<{ readonly found: Snapshot<MemberDoc>; readonly others: readonly MemberDoc[] }> {
  const { items } = await tx.query(queries.membersOfAccount, { where: {}, limit: membersMax })
  const found = items.find(({ ref }) => ref.id === `${account}:${id}`)
  if (!found) throw fail('api.not_found')
  return { found, others: items.filter((item) => item !== found).map(({ data }) => data) }
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
    const { name, plan, status } = account
    return [{ id: member.account, name, plan, status, role: roleOf(member) }]
  })
}
