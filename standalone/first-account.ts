/**
 * The account that a new server starts with, and the key of its demo agent. A small document remembers which account
 * that is, so a changed address or password never makes a second one.
 */
import { randomBytes } from 'node:crypto'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { Secret } from '@porttunneler/shared/base/secret'
import { ensureAccount, readAccount } from '@porttunneler/shared/control/accounts'
import type { Caller } from '@porttunneler/shared/control/caller'
import { type Control, controlOf } from '@porttunneler/shared/control/control'
import { users } from '@porttunneler/shared/control/documents'
import { createKey } from '@porttunneler/shared/control/keys'
import { globalCollection } from '@porttunneler/shared/control/names'
import type { IdentityClaims } from '@porttunneler/shared/control/platform'
import { type Principals, personCaller } from '@porttunneler/shared/control/principals'
import type { LocalIdentity } from './platform/identity.local.types.ts'

/** Id: `first`. */
type FirstAccountDoc = {
  readonly subject: string
  readonly account: string
  readonly email: string
  /** The demo agent's key, wrapped; '' until there is one. */
  readonly demoKey: string
}
const firstRef = globalCollection<FirstAccountDoc>('standalone').ref('first')

export type FirstAccount = { readonly email: string; readonly password: string }

/** Makes it at the first start and returns its password, only this once; undefined at every later start. */
export async function ensureFirstAccount(
  control: Control,
  identity: LocalIdentity,
  email: string,
): Promise<FirstAccount | undefined> {
  const known = await control.store.get(firstRef)
  if (known) {
    leaveOut(control, known.data)
    return undefined
  }
  const password = newPassword()
  const claims = await register(identity, { email, password })
  if (!claims) return undefined
  const { members } = await ensureAccount(control, claims, { plan: 'unlimited' })
  const [member] = members
  if (!member) throw new Error('an account without a member')
  const { subject } = claims
  // The operator made it before anybody else could, so a first reset has nothing of a stranger's to end.
  await control.store.update(users.ref(member.user), { emailVerified: true })
  await control.store.create(firstRef, { subject, account: member.account, email, demoKey: '' })
  leaveOut(control, claims)
  return { email, password }
}

/** The person who has set the server up publishes its terms, and accepts none. */
function leaveOut({ terms }: Control, { subject }: Pick<FirstAccountDoc, 'subject'>): void {
  terms.leaveOut(subject.slice('local:'.length))
}

/** Undefined when a start that was killed at the wrong moment had made it: then a reset link gives a new password. */
async function register(identity: LocalIdentity, given: FirstAccount): Promise<IdentityClaims | undefined> {
  try {
    const { tokens } = await identity.register(given, { from: '' })
    return await identity.verify(tokens.accessToken)
  } catch (error) {
    if (isFailure(error, 'auth.taken')) return undefined
    throw error
  }
}

/** 99 random bits in groups that can be read out: no letter looks like a digit. */
function newPassword(): string {
  const alphabet = 'abcdefghjkmnpqrstuvwxyz23456789'
  const letters = Array.from(randomBytes(64))
    // Values above the last whole multiple would make some letters more likely.
    .filter((byte) => byte < 8 * alphabet.length)
    .map((byte) => alphabet[byte % alphabet.length])
    .slice(0, 20)
  return letters.join('').replace(/(.{5})(?=.)/g, '$1-')
}

/** The demo agent's key: the earlier one while it is valid, else a new one. @throws standalone.demo */
export async function demoKey(control: Control, principals: Principals): Promise<Secret> {
  const first = await control.store.get(firstRef)
  if (!first) throw fail('standalone.demo', 'The demo belongs to the first account, and there is none.')
  const { demoKey: wrapped, ...rest } = first.data
  if (wrapped !== '') {
    const kept = await control.vault.unwrap(wrapped)
    if (await isValid(principals, kept)) return kept
  }
  const caller = await ownerOf(control, first.data)
  const { secret } = await createKey(controlOf(control, caller.account), caller, {
    name: 'Demo agent',
    scopes: ['tunnels'],
  })
  const key = new Secret(secret)
  await control.store.set(firstRef, { ...rest, demoKey: await control.vault.wrap(key) })
  return key
}

async function isValid(principals: Principals, key: Secret): Promise<boolean> {
  try {
    await principals.authenticate(key.reveal(), '')
    return true
  } catch (error) {
    if (isFailure(error, 'auth.invalid')) return false
    throw error
  }
}

/** The first account's owner, as if signed in. @throws standalone.demo when they have left the account */
async function ownerOf(control: Control, { subject, account, email }: FirstAccountDoc): Promise<Caller> {
  const person = { subject, email, emailVerified: false, authTimeMs: 0 }
  const { user: id, members } = await ensureAccount(control, person)
  const member = members.find((one) => one.account === account)
  if (!member) throw fail('standalone.demo', 'The person of the first account is no longer its member.')
  const { data } = await readAccount(control, account)
  return personCaller(data, { person: { id, email, emailVerified: false }, member, from: '' })
}
