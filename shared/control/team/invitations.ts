/**
 * Invitations into an account: made by whoever may give the role, mailed to one address, good once and for a week. The
 * link alone lets nobody in: it takes a sign-in that has proven that very address. An invitation ends with its sender's
 * right to invite, and with the account.
 */
import { permissionsOf, type Role } from '../../api/schemas/access.ts'
import type { Invitation } from '../../api/schemas/team.ts'
import { fail } from '../../base/errors.ts'
import { hashSecret, newSecret } from '../../base/ids.ts'
import { byCaller, writeAudit } from '../audit.ts'
import { type Caller, type Person, requirePermission, requirePerson, roleOf } from '../caller.ts'
import { type Control, controlOf } from '../control.ts'
import { accounts, type MemberDoc, members, users } from '../documents.ts'
import { look } from '../jobs/jobs.ts'
import { kick } from '../jobs/kick.ts'
import { belongAgain } from '../leaving/alone.ts'
import { addressRef, hasBounced, normaliseEmail } from '../mail/addresses.ts'
import { linkOf } from '../mail/links.ts'
import { mailWish } from '../mail/sending.ts'
import { joinAccount, rightToAssign } from '../members.ts'
import { requireSeat } from '../money/seats.ts'
import type { Snapshot, Transaction } from '../platform.ts'
import { queries } from '../query-table.ts'
import { countEvent } from '../rates.ts'
import { requireStill } from '../still.ts'
import { type InvitationDoc, invitationRef, invitations } from './invitation-documents.ts'
import { lookToTellTeam } from './letters.ts'
import { type Asked, invitationMs, isOpen, isRight, readToken } from './open-invitations.ts'

/** Open ones of an account: more than a team takes in at a time, and less than a sender of spam wants. */
const openMax = 50
const perDay = { scope: 'invite', max: 50, windowMs: 24 * 3_600_000 }
const sameAddressMax = 20

/**
 * Inviting an address again mails a new link, and the earlier one is void.
 * @throws auth.scope, member.exists, invitation.limit, plan.seats, mail.limit; mail.refused when nobody has it
 */
export async function invite(
  control: Control,
  caller: Caller,
  given: { readonly email: string; readonly role: Role },
): Promise<Invitation> {
  const { store, clock, vault, settings } = control
  const by = requirePerson(caller)
  requirePermission(caller, rightToAssign(given.role))
  const { account } = caller
  const email = normaliseEmail(given.email)
  if (await isMember(control, account, email)) throw fail('member.exists')
  if (hasBounced((await store.get(addressRef(email)))?.data, clock.now())) throw fail('mail.refused')
  await countEvent(control, perDay, { subject: account, key: 'mail.limit' })
  const nowMs = clock.now()
  const expiresAt = nowMs + invitationMs
  const ref = invitationRef(account, email)
  const secret = newSecret('ptj')
  const link = linkOf(settings, 'invitation', { invitation: `${ref.id}.${secret}` })
  const data = { link, account: caller.accountName, by: by.email, role: given.role }
  const wish = await mailWish(
    vault,
    { to: email, template: 'invitation', data },
    { account, until: expiresAt },
  )
  const made: InvitationDoc = {
    account,
    email,
    role: given.role,
    by: by.id,
    secret: hashSecret(secret),
    createdAt: nowMs,
    expiresAt,
    ttl: new Date(expiresAt),
  }
  const job = await store.transact(async (tx) => {
    await requireStill(tx, caller, { needs: rightToAssign(given.role), nowMs })
    const options = { where: { account }, limit: openMax + 1 }
    const { items } = await tx.query(queries.invitationsOfAccount, options)
    const others = items.filter((item) => item.ref.id !== ref.id && isOpen(item.data, nowMs))
    if (others.length >= openMax) throw fail('invitation.limit')
    await requireSeat(tx, account, others.length)
    const ask = await look(tx, wish, nowMs)
    tx.set(ref, made)
    const details = { role: given.role }
    writeAudit(tx, { ...byCaller(caller), target: ref.id, action: 'member.invited', details }, nowMs)
    return ask()
  })
  await kick(control, [job])
  return describe(ref.id, made, { by: by.email, state: 'open' })
}

/** Oldest first, also those that are over: people ask why somebody has not come. */
export async function listInvitations(control: Control, account: string): Promise<Invitation[]> {
  const { store, clock } = control
  const options = { where: { account }, limit: 2 * openMax }
  const { items } = await store.query(queries.invitationsOfAccount, options)
  const senders = [...new Set(items.map(({ data }) => data.by))]
  const [people, memberships] = await Promise.all([
    store.getAll(senders.map((id) => users.ref(id))),
    store.getAll(senders.map((id) => members.ref(`${account}:${id}`))),
  ])
  return items.map(({ ref, data }) => {
    const at = senders.indexOf(data.by)
    const isSound = mayGive(memberships[at]?.data, data.role)
    const state = isOpen(data, clock.now()) ? (isSound ? 'open' : 'void') : 'expired'
    return describe(ref.id, data, { by: people[at]?.data.email ?? '', state })
  })
}

/** @throws api.not_found, auth.scope for one with a role that the caller could not give */
export async function revokeInvitation(control: Control, caller: Caller, id: string): Promise<void> {
  const nowMs = control.clock.now()
  await control.store.transact(async (tx) => {
    const found = await tx.get(invitations.ref(id))
    if (found?.data.account !== caller.account) throw fail('api.not_found')
    await requireStill(tx, caller, { needs: rightToAssign(found.data.role), nowMs })
    tx.delete(found.ref)
    writeAudit(tx, { ...byCaller(caller), target: id, action: 'member.uninvited' }, nowMs)
  })
}

/** What a signed-in person sees before they accept. @throws as accept */
export async function readInvitation(control: Control, person: Person, token: string) {
  const { store, clock } = control
  const found = parse(token)
  const { data } = requireOpen(await store.get(found.ref), found, clock.now())
  requireAddress(person, data)
  const [account, sender] = await Promise.all([
    store.get(accounts.ref(data.account)),
    store.get(users.ref(data.by)),
  ])
  return { accountName: account?.data.name ?? '', role: data.role, by: sender?.data.email ?? '' }
}

/**
 * Makes the person a member, once: of two who accept at the same moment one comes too late.
 * @throws invitation.over, invitation.other, auth.unverified, member.exists, member.limit, plan.seats,
 * account.suspended, account.closed
 */
export async function acceptInvitation(
  control: Control,
  person: Person,
  {
    token,
    from,
    userAgent,
  }: { readonly token: string; readonly from: string; readonly userAgent?: string | undefined },
): Promise<{ readonly account: string; readonly role: Role }> {
  const nowMs = control.clock.now()
  const found = parse(token)
  const { data } = requireOpen(await control.store.get(found.ref), found, nowMs)
  requireAddress(person, data)
  const { account, role } = data
  const by = { account, actor: person.id, from, userAgent }
  const jobs = await joinAccount(controlOf(control, account), async (tx) => {
    const latest = requireOpen(await tx.get(found.ref), found, nowMs)
    requireAddress(person, latest.data)
    await requireAccount(tx, account)
    const sender = await tx.get(members.ref(`${account}:${latest.data.by}`))
    if (!mayGive(sender?.data, latest.data.role)) throw fail('invitation.over')
    const tell = await lookToTellTeam(tx, { event: 'joined', account, user: person.id }, nowMs)
    return {
      member: { account, user: person.id, role: latest.data.role, since: nowMs, status: 'active' },
      write() {
        tx.delete(latest.ref)
        const details = { role: latest.data.role, invitedBy: latest.data.by }
        writeAudit(tx, { ...byCaller(by), target: person.id, action: 'member.added', details }, nowMs)
        return [tell()]
      },
    }
  })
  await belongAgain(control, person.id)
  await kick(control, jobs)
  return { account, role }
}

/** @throws invitation.over */
function parse(token: string): Asked {
  const found = readToken(token)
  if (!found) throw fail('invitation.over')
  return found
}

/** One answer for what is unknown, used, taken back, over, or guessed. @throws invitation.over */
function requireOpen(
  found: Snapshot<InvitationDoc> | undefined,
  asked: Asked,
  nowMs: number,
): Snapshot<InvitationDoc> {
  if (!found || !isRight(found.data, asked, nowMs)) throw fail('invitation.over')
  return found
}

/**
 * An invitation to the address that the person had when it was made is theirs, too.
 * @throws auth.unverified, invitation.other
 */
function requireAddress(person: Person, { email, createdAt }: InvitationDoc): void {
  const { former } = person
  const isFormer = former !== undefined && former.email === email && createdAt <= former.untilMs
  if (normaliseEmail(person.email) !== email && !isFormer) throw fail('invitation.other')
  if (!person.emailVerified) throw fail('auth.unverified')
}

/** @throws account.suspended, account.closed, invitation.over */
async function requireAccount(tx: Transaction, id: string): Promise<void> {
  const status = (await tx.get(accounts.ref(id)))?.data.status
  if (status === 'suspended') throw fail('account.suspended')
  if (status === 'closed') throw fail('account.closed')
  if (status === undefined) throw fail('invitation.over')
}

function mayGive(member: MemberDoc | undefined, role: Role): boolean {
  if (!member || member.status === 'disabled') return false
  return permissionsOf(roleOf(member)).has(rightToAssign(role))
}

async function isMember({ store }: Control, account: string, email: string): Promise<boolean> {
  const { items } = await store.query(queries.usersByEmail, { where: { email }, limit: sameAddressMax })
  const found = await store.getAll(items.map(({ ref }) => members.ref(`${account}:${ref.id}`)))
  return found.some((member) => member !== undefined)
}

function describe(
  id: string,
  { email, role, createdAt, expiresAt }: InvitationDoc,
  { by, state }: Pick<Invitation, 'by' | 'state'>,
): Invitation {
  return { id, email, role, by, state, createdAt, expiresAt }
}
