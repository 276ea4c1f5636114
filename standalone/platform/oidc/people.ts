/**
 * Whose a sign-in at another service is. A known one belongs to its person whatever its address is now. An unknown one
 * is linked to an account only if a mail of ours and the service both say that the address is the same person's; else
 * it makes an account, where strangers may, if the service has proven the address.
 */
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { hashSecret, newId } from '@porttunneler/shared/base/ids'
import type { AuditAction } from '@porttunneler/shared/control/audit'
import { signInWrites } from '@porttunneler/shared/control/audit/sign-ins'
import { type IdentityDoc, identities, type UserDoc, users } from '@porttunneler/shared/control/documents'
import { lookToNotify } from '@porttunneler/shared/control/mail/notices'
import type { Ref, Snapshot, Store, Transaction } from '@porttunneler/shared/control/platform'
import { emailRef, passwords } from '../identity.local.documents.ts'
import { userWrites } from '../identity.local.registrations.ts'
import type { SignInSource } from '../identity.local.types.ts'
import { linksIn, linksMax, providerIn } from './links.ts'
import type { Proof, Provider } from './provider.ts'

/** So long a service that was removed is not linked again by its address. */
const removedMs = 365 * 86_400_000

export type People = {
  readonly store: Store
  readonly clock: Clock
  /** New people accept documents before anything else. */
  readonly hasTerms?: boolean
  readonly kick: (ids: readonly string[]) => Promise<void>
}

export type Link = {
  readonly id: string
  readonly provider: string
  readonly email?: string
  readonly linkedAt: number
}

/** As sessions and the audit log name it. */
export function methodOf(provider: string): `oidc:${string}` {
  return `oidc:${provider}`
}

/** The issuer is part of it: if the settings give the id to another service, its people are others. */
function linkRef({ id, issuer }: Provider, { subject }: Proof): Ref<IdentityDoc> {
  // A slash at its end, as some write it, changes nothing.
  return identities.ref(`oidc.${id}:${hashSecret(`${new URL(issuer).href} ${subject}`)}`)
}

/**
 * The person who signs in: found, linked or made.
 * @param admit throws unless somebody with this address may make an account
 * @throws auth.no_address, auth.disabled, social.unverified, social.known, and what `admit` throws
 */
export async function personOf(
  people: People,
  { provider, proof }: { readonly provider: Provider; readonly proof: Proof },
  { caller, admit }: { readonly caller: SignInSource; readonly admit: (email: string) => Promise<void> },
): Promise<string> {
  const { store } = people
  const ref = linkRef(provider, proof)
  for (let attempt = 0; ; attempt++) {
    const found = (await store.get(ref))?.data
    if (found && found.user !== '') return found.user
    if (proof.email === undefined) throw fail('auth.no_address')
    if (!proof.isVerified) throw fail('social.unverified')
    const owner = (await store.get(emailRef(proof.email)))?.data.user
    if (owner !== undefined) {
      await requireSame(store, owner, found)
      await link(people, { provider, proof, user: owner }, caller)
      return owner
    }
    await admit(proof.email)
    try {
      return await make(people, { provider, ref, email: proof.email })
    } catch (error) {
      // Another request has made or linked it a moment ago: look again.
      if (!isFailure(error, 'store.exists') || attempt > 1) throw error
    }
  }
}

/** @param found what is left of an earlier link. @throws auth.disabled, social.known */
async function requireSame(store: Store, owner: string, found: IdentityDoc | undefined): Promise<void> {
  const user = (await store.get(users.ref(owner)))?.data
  if (user?.status !== 'active') throw fail('auth.disabled')
  if (!user.emailVerified || user.provenBy) throw fail('social.known')
  if (found?.removedFrom === owner)
    throw fail('social.known', 'This service was removed from the account that has the address.')
}

async function make(
  { store, clock, hasTerms = false }: People,
  {
    provider,
    ref,
    email,
  }: { readonly provider: Provider; readonly ref: Ref<IdentityDoc>; readonly email: string },
): Promise<string> {
  return store.transact(async (tx) => {
    const now = clock.now()
    const known = (await tx.get(ref))?.data
    if (known && known.user !== '') throw fail('store.exists')
    const user = newId('usr', now)
    const provenBy = methodOf(provider.id)
    for (const write of userWrites(user, { email, emailVerified: true, provenBy, hasTerms, now }))
      tx.create(write.ref, write.data)
    tx.set(ref, { user, email, linkedAt: now })
    return user
  })
}

/** Does nothing if they have it. @throws social.taken, social.limit, auth.invalid for an erased person */
export async function link(
  { store, clock, kick }: People,
  { provider, proof, user }: { readonly provider: Provider; readonly proof: Proof; readonly user: string },
  caller: SignInSource,
): Promise<void> {
  const ref = linkRef(provider, proof)
  const told = await toldOf(store, { action: 'auth.linked', user, provider: provider.id }, { caller, clock })
  const jobs = await store.transact(async (tx) => {
    const now = clock.now()
    const known = (await tx.get(ref))?.data
    if (known?.user === user) return []
    if (known && known.user !== '') throw fail('social.taken')
    const person = await personIn(tx, user)
    if ((await linksIn(tx, user)).length >= linksMax) throw fail('social.limit')
    const tell = await lookToNotify(tx, noticeOf('linked', { user, provider, caller }), {
      account: '',
      nowMs: now,
    })
    const { email } = proof
    tx.set(ref, { user, linkedAt: now, ...(email !== undefined && { email }) })
    tx.update(person.ref, { providers: [...new Set([...person.data.providers, methodOf(provider.id)])] })
    for (const { ref: entry, data } of told) tx.create(entry, data)
    return [tell()]
  })
  await kick(jobs)
}

/** @param isSetUp whether people can sign in with the service. @throws api.not_found, social.last */
export async function unlink(
  { store, clock, kick }: People,
  {
    id,
    user,
    providers,
  }: { readonly id: string; readonly user: string; readonly providers: ReadonlyMap<string, Provider> },
  caller: SignInSource,
): Promise<void> {
  const gone = providerIn(id)
  const told = await toldOf(store, { action: 'auth.unlinked', user, provider: gone }, { caller, clock })
  const jobs = await store.transact(async (tx) => {
    const now = clock.now()
    const person = await personIn(tx, user)
    const links = await linksIn(tx, user)
    const target = links.find(({ ref }) => ref.id === id)
    if (!target) throw fail('api.not_found', 'You have no such sign-in.')
    const rest = links.filter((one) => one !== target).map(({ ref }) => providerIn(ref.id))
    const canSignIn = rest.some((provider) => providers.has(provider)) || (await tx.get(passwords.ref(user)))
    if (!canSignIn) throw fail('social.last')
    const provider = { name: providers.get(gone)?.name ?? gone }
    const tell = await lookToNotify(tx, noticeOf('unlinked', { user, provider, caller }), {
      account: '',
      nowMs: now,
    })
    tx.set(target.ref, { user: '', removedFrom: user, ttl: new Date(now + removedMs) })
    const left = person.data.providers.filter((method) => method !== methodOf(gone) || rest.includes(gone))
    tx.update(person.ref, { providers: left })
    for (const { ref: entry, data } of told) tx.create(entry, data)
    return [tell()]
  })
  await kick(jobs)
}

export async function linksOf(
  { store }: Pick<People, 'store'>,
  user: string,
): Promise<{ readonly hasPassword: boolean; readonly links: readonly Link[] }> {
  const [links, password] = await Promise.all([linksIn(store, user), store.get(passwords.ref(user))])
  return {
    hasPassword: password !== undefined,
    links: links.map(({ ref, data: { email, linkedAt = 0 } }) => ({
      id: ref.id,
      provider: providerIn(ref.id),
      linkedAt,
      ...(email !== undefined && { email }),
    })),
  }
}

async function personIn(tx: Transaction, user: string): Promise<Snapshot<UserDoc>> {
  const person = await tx.get(users.ref(user))
  if (!person) throw fail('auth.invalid')
  if (person.data.status !== 'active') throw fail('auth.disabled')
  return person
}

function noticeOf(
  event: 'linked' | 'unlinked',
  {
    user,
    provider,
    caller,
  }: { readonly user: string; readonly provider: Pick<Provider, 'name'>; readonly caller: SignInSource },
) {
  return { event, user, name: provider.name, from: caller.from }
}

function toldOf(
  store: Store,
  {
    action,
    user,
    provider,
  }: { readonly action: AuditAction; readonly user: string; readonly provider: string },
  { caller: { from, userAgent }, clock }: { readonly caller: SignInSource; readonly clock: Clock },
) {
  return signInWrites(store, { action, user, from, userAgent, details: { provider } }, clock.now())
}
