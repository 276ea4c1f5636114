/**
 * A person's new address. Both mailboxes confirm it: the new one, because mail must arrive there; the old one, because
 * the account was trusted for it until now. Confirming takes the link and a sign-in of that very person; stopping it
 * takes a link alone. Asking tells nobody whether the new address is taken: only whoever reads its mail hears that.
 */
import { timingSafeEqual } from 'node:crypto'
import { linkTo } from '../../base/console-pages.ts'
import { fail, isFailure } from '../../base/errors.ts'
import { hashSecret, newSecret } from '../../base/ids.ts'
import { signInWrites } from '../audit/sign-ins.ts'
import type { Person } from '../caller.ts'
import type { Control } from '../control.ts'
import { type UserDoc, users } from '../documents.ts'
import { look } from '../jobs/jobs.ts'
import { kick } from '../jobs/kick.ts'
import { normaliseEmail } from '../mail/addresses.ts'
import { linkOf } from '../mail/links.ts'
import { type Addressed, mailWish } from '../mail/sending.ts'
import { queries } from '../query-table.ts'
import { countEvent } from '../rates.ts'
import type { Source } from '../sign-ins/beginning.ts'
import { isStillOn } from '../stored-times.ts'
import { type AddressChangeDoc, addressChanges } from './address-change-documents.ts'

/** Two mailboxes, perhaps at work and at home. */
const openMs = 24 * 3_600_000
const perDay = { scope: 'address-change', max: 5, windowMs: 24 * 3_600_000 }
/** More ways of signing in than one person has. */
const waysMax = 10

/** @throws address.same, mail.limit */
export async function requestAddressChange(
  control: Control,
  person: Person,
  { email, source }: { readonly email: string; readonly source: Source },
): Promise<void> {
  const { store, clock } = control
  const to = normaliseEmail(email)
  const owner = await readOwner(control, person.id)
  if (to === normaliseEmail(owner.email)) throw fail('address.same')
  await countEvent(control, perDay, { subject: person.id, key: 'mail.limit' })
  const now = clock.now()
  const [fromSecret, toSecret] = [newSecret('ptx'), newSecret('ptx')]
  const change: AddressChangeDoc = {
    from: owner.email,
    to,
    fromSecret: hashSecret(fromSecret),
    toSecret: hashSecret(toSecret),
    // Nobody ever showed that they read mail there, so nobody can be asked.
    fromAt: owner.emailVerified ? 0 : now,
    toAt: 0,
    createdAt: now,
    expiresAt: now + openMs,
    ttl: new Date(now + openMs),
  }
  const tokenOf = (secret: string) => ({ token: `${person.id}.${secret}` })
  const when = timeText(now)
  const about = { address: to, when, from: source.from }
  await leave(control, {
    letters: [
      {
        to,
        template: 'address-new',
        data: { link: linkOf(control.settings, 'address-new', tokenOf(toSecret)) },
      },
      {
        to: owner.email,
        template: 'address-old',
        data: {
          ...about,
          link: linkOf(control.settings, 'address-old', tokenOf(fromSecret)),
          stop: linkTo(control.settings, 'stopAddress', tokenOf(fromSecret)),
        },
      },
    ],
    until: now + openMs,
    told: await signInWrites(store, { action: 'auth.address_asked', user: person.id, ...source }, now),
    write: (tx) => tx.set(addressChanges.ref(person.id), change),
  })
}

/** The open change of the person, if there is one. */
export async function readAddressChange(
  control: Pick<Control, 'store' | 'clock'>,
  { id }: Person,
): Promise<AddressChangeDoc | undefined> {
  const { store, clock } = control
  const [change, owner] = await Promise.all([store.get(addressChanges.ref(id)), store.get(users.ref(id))])
  return change && isOpenFor(change.data, owner?.data, clock.now()) ? change.data : undefined
}

export async function withdrawAddressChange(
  { store }: Pick<Control, 'store'>,
  { id }: Person,
): Promise<void> {
  await store.delete(addressChanges.ref(id))
}

/**
 * Notes that a mailbox has confirmed, and when both have, changes the address. Repeating it after a failure goes on.
 * @returns whether the address has changed @throws address.link, auth.taken, cloud.unavailable
 */
export async function confirmAddressChange(
  control: Control,
  person: Person,
  { token, source }: { readonly token: string; readonly source: Source },
): Promise<boolean> {
  const { user, secret } = readToken(token)
  if (user !== person.id) throw fail('address.link')
  const now = control.clock.now()
  const change = await control.store.transact(async (tx) => {
    const found = (await tx.get(addressChanges.ref(user)))?.data
    const owner = (await tx.get(users.ref(user)))?.data
    if (!found || !isOpenFor(found, owner, now)) throw fail('address.link')
    const isTo = isSecret(found.toSecret, secret)
    if (!isTo && !isSecret(found.fromSecret, secret)) throw fail('address.link')
    const at = isTo ? { toAt: found.toAt || now } : { fromAt: found.fromAt || now }
    tx.update(addressChanges.ref(user), at)
    return { ...found, ...at }
  })
  if (change.toAt === 0 || change.fromAt === 0) return false
  await move(control, user, change)
  await finish(control, user, { change, source })
  return true
}

/** For whoever reads one of the mails: stops it, also without a sign-in. @throws address.link */
export async function stopAddressChange(
  { store, clock }: Pick<Control, 'store' | 'clock'>,
  token: string,
  source: Source,
): Promise<void> {
  const { user, secret } = readToken(token)
  const told = await signInWrites(store, { action: 'auth.address_stopped', user, ...source }, clock.now())
  await store.transact(async (tx) => {
    const found = await tx.get(addressChanges.ref(user))
    const secrets = found ? [found.data.fromSecret, found.data.toSecret] : []
    if (!found || !secrets.some((right) => isSecret(right, secret))) throw fail('address.link')
    tx.delete(found.ref)
    for (const { ref, data } of told) tx.create(ref, data)
  })
}

/** Where sign-in keeps the address. @throws auth.taken, which ends the change; cloud.unavailable */
async function move({ store, identity }: Control, id: string, { from, to }: AddressChangeDoc): Promise<void> {
  const ways = await store.query(queries.identitiesByUser, { where: {}, from: id, to: id, limit: waysMax })
  try {
    await identity.moveAddress({ id, from, to, subjects: ways.items.map(({ ref }) => ref.id) })
  } catch (error) {
    if (isFailure(error, 'auth.taken')) await store.delete(addressChanges.ref(id))
    throw error
  }
}

/** Where the domain keeps it; the mails tell both mailboxes. */
async function finish(
  control: Control,
  id: string,
  { change, source }: { readonly change: AddressChangeDoc; readonly source: Source },
): Promise<void> {
  const { store, clock } = control
  const now = clock.now()
  const { from, to } = change
  const data = {
    address: to,
    when: timeText(now),
    from: source.from,
    link: linkOf(control.settings, 'address-changed'),
  }
  await leave(control, {
    letters: [from, to].map((each) => ({ to: each, template: 'address-changed', data })),
    until: now + 7 * 24 * 3_600_000,
    told: await signInWrites(store, { action: 'auth.address_changed', user: id, ...source }, now),
    write(tx) {
      // Tokens of sign-ins before now still have the old address.
      const former = { email: normaliseEmail(from), untilMs: now }
      tx.update(users.ref(id), { email: to, emailVerified: true, emailAt: now, former })
      tx.delete(addressChanges.ref(id))
    },
  })
}

type Leaving = {
  readonly letters: readonly Addressed[]
  readonly until: number
  readonly told: Awaited<ReturnType<typeof signInWrites>>
  readonly write: (tx: Parameters<Parameters<Control['store']['transact']>[0]>[0]) => void
}

/** Writes, with the audit entries and the mails, all or nothing. */
async function leave(control: Control, { letters, until, told, write }: Leaving): Promise<void> {
  const { store, vault, clock } = control
  const wishes = await Promise.all(letters.map((letter) => mailWish(vault, letter, { account: '', until })))
  const jobs = await store.transact(async (tx) => {
    const asks = await Promise.all(wishes.map((wish) => look(tx, wish, clock.now())))
    write(tx)
    for (const { ref, data } of told) tx.create(ref, data)
    return asks.map((ask) => ask())
  })
  await kick(control, jobs)
}

/** A new password, and signing out everywhere, void it: whoever asked may have been somebody else. */
function isOpenFor(
  { createdAt, expiresAt, from, to }: AddressChangeDoc,
  owner: UserDoc | undefined,
  nowMs: number,
): boolean {
  if (owner?.status !== 'active' || createdAt < owner.validSince) return false
  return [from, to].includes(owner.email) && isStillOn(expiresAt, { nowMs, lastsMs: openMs })
}

/** @throws address.link */
function readToken(token: string): { readonly user: string; readonly secret: string } {
  const [, user, secret] = /^(usr_[0-9a-z]{26})\.(ptx_[\w-]{43})$/.exec(token) ?? []
  if (user === undefined || secret === undefined) throw fail('address.link')
  return { user, secret }
}

function isSecret(right: string, secret: string): boolean {
  return timingSafeEqual(Buffer.from(right, 'hex'), Buffer.from(hashSecret(secret), 'hex'))
}

async function readOwner({ store }: Control, id: string): Promise<UserDoc> {
  const owner = (await store.get(users.ref(id)))?.data
  if (!owner) throw fail('auth.invalid')
  return owner
}

function timeText(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}
