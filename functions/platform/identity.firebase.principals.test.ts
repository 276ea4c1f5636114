/** People who sign in by Firebase, as the control plane's rules see them. */
import { fail } from '@porttunneler/shared/base/errors'
import { eraseAfterMs, setAccountStatus } from '@porttunneler/shared/control/accounts'
import { controlOf } from '@porttunneler/shared/control/control'
import { identities, jobs, users } from '@porttunneler/shared/control/documents'
import { newInviteCode, writeInvite } from '@porttunneler/shared/control/invites'
import { makeWorker } from '@porttunneler/shared/control/jobs/kinds'
import { createKey } from '@porttunneler/shared/control/keys'
import { Principals } from '@porttunneler/shared/control/principals'
import { queries } from '@porttunneler/shared/control/query-table'
import { erasedIdentity } from '@porttunneler/shared/control/tombstones'
import { dyingAt } from '@porttunneler/shared/testing/dying-store'
import { expectFailure } from '@porttunneler/shared/testing/store.contract'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { makeTestControl } from '../../standalone/testing/control.ts'
import { makeFirebaseSignIn } from '../testing/firebase-sign-in.ts'

const ada = 'ada@example.com'
const proven = { email_verified: true }

describe('people who sign in by Firebase', () => {
  let t: Awaited<ReturnType<typeof makeFirebaseSignIn>>
  beforeEach(async () => {
    t = await makeFirebaseSignIn()
  })
  afterEach(() => t.close())

  test('one person has one account, with the rights that local sign-in gives', async () => {
    const local = await t.local.principals.authenticate(await localToken(t.local), '192.0.2.1')
    const [first, again] = [await t.signIn(ada, proven), await t.signIn(ada, proven)]
    expect(again).toEqual(first)
    const shape = ({ role, scopes, plan, limits, accountName }: typeof first) => ({
      role,
      scopes,
      plan,
      limits,
      accountName,
    })
    expect(shape(first)).toEqual(shape(local))
    expect(first.user).toMatchObject({ email: ada, emailVerified: true })
  })

  test('where there are terms a new person is to be asked for them', async () => {
    await t.signIn(ada, proven)
    const terms = [{ kind: 'terms', version: '1', url: 'https://example.com/terms', by: t.clock.now() + 1e9 }]
    Object.assign(t.control.settings, { terms })
    const { user } = await t.signIn('eve@example.com', proven)
    expect((await t.control.store.get(users.ref(user?.id ?? '')))?.data.terms).toEqual([])
    expect(await t.control.terms.dueAt(user?.id ?? '')).toBe(0)
    const before = await t.signIn(ada, proven)
    expect(await t.control.terms.dueAt(before.member)).toBe(terms[0]?.by)
  })

  test('before the address is proven there is no account that its owner could be given', async () => {
    await expectFailure(t.signIn(ada), 'auth.unverified')
    expect(await t.control.store.get(identities.ref(`firebase:${t.firebase.uidOf(ada)}`))).toBeUndefined()
    // The same Firebase account, now by Google: the person who made it before has nothing of ours.
    const google = { ...proven, firebase: { sign_in_provider: 'google.com' } }
    expect((await t.signIn(ada, google)).role).toBe('owner')
    await expectFailure(t.signIn(ada), 'auth.unverified')
  })

  test('two sign-ins with one address are two people: the address alone links nothing', async () => {
    const first = await t.signIn(ada, proven)
    const other = await t.signIn(ada, { ...proven, sub: 'anotherAccount' })
    expect(other.account).not.toBe(first.account)
  })

  test('a sign-in there appears once in our audit log, with its first token', async () => {
    const token = await t.token(ada, proven)
    const { account, actor } = await t.principals.authenticate(token, '192.0.2.5')
    await Promise.all([1, 2, 3].map(() => new Principals(t.control).authenticate(token, '192.0.2.6')))
    const told = async () => {
      const where = { account, action: 'auth.signed_in' }
      const { items } = await t.control.store.query(queries.auditByAction, { where, limit: 10 })
      return items.map(({ data }) => [data.actor, data.from])
    }
    expect(await told()).toEqual([[actor, '192.0.2.5']])
    t.clock.advance(60_000)
    await t.signIn(ada, proven)
    expect(await told()).toHaveLength(2)
  })

  test('an address changed at Firebase is followed, and an older token does not change it back', async () => {
    const before = await t.token(ada, proven)
    const { user } = await t.principals.authenticate(before, '')
    t.clock.advance(60_000)
    const changed = await t.signIn('countess@example.com', { ...proven, sub: t.firebase.uidOf(ada) })
    expect(changed.user).toMatchObject({
      id: user?.id,
      email: 'countess@example.com',
      authTimeMs: t.clock.now(),
    })
    expect((await t.principals.authenticate(before, '')).user?.email).toBe('countess@example.com')
  })

  test('a person erased with their account is deleted at Firebase, over failures and crashes', async () => {
    const { account, user } = await t.signIn(ada, proven)
    const { store } = t.control
    await setAccountStatus(t.control, account, 'closed')
    await t.local.runJobs()
    t.clock.advance(eraseAfterMs)
    const id = `account.erase:${account}`
    const crashAt = async (n: number, when: 'before' | 'after') => {
      const dying = makeWorker({ ...t.control, store: dyingAt(store, n, when) }, 1)
      await dying.take([id]).catch(() => undefined)
      t.clock.advance(3_700_000)
      await makeWorker(t.control, 4).round(60_000)
    }
    t.firebase.failWith(fail('cloud.unavailable'))
    for (let n = 1; n <= 6; n++) await crashAt(n, n % 2 === 0 ? 'before' : 'after')
    // We forget nothing about somebody whom Firebase still knows, but nobody is let in either.
    expect((await store.get(users.ref(user?.id ?? '')))?.data).toMatchObject({ status: 'disabled' })
    t.firebase.failWith(undefined)
    await expectFailure(
      new Principals(t.control).authenticate(await t.token(ada, proven), ''),
      'auth.disabled',
    )
    for (let n = 1; n <= 6; n++) await crashAt(n, n % 2 === 0 ? 'before' : 'after')
    expect(await t.firebase.accounts.read(t.firebase.uidOf(ada))).toBeUndefined()
    expect(await store.get(users.ref(user?.id ?? ''))).toBeUndefined()
    expect(await store.get(jobs.ref(id))).toBeUndefined()
    // An old token makes no new person, even where another instance has not asked Firebase since.
    t.firebase.setState(ada, { isDisabled: false, validSinceMs: 0 })
    const erased = await store.get(identities.ref(`firebase:${t.firebase.uidOf(ada)}`))
    const before = Math.floor((erased?.data.erasedAt ?? 0) / 1_000)
    const late = await t.token(ada, { ...proven, auth_time: before })
    await expectFailure(new Principals(t.control).authenticate(late, ''), 'auth.invalid')
    const again = await t.signIn(ada, proven)
    expect(again.user?.id === user?.id || again.account === account).toBe(false)
  })

  test('signing out of one sign-in ends only its token', async () => {
    const here = await t.token(ada, proven)
    t.clock.advance(1_000)
    const other = await t.token(ada, proven)
    expect((await t.logout(here, {})).status).toBe(204)
    await expectFailure(t.principals.authenticate(here, ''), 'auth.invalid')
    await t.principals.authenticate(other, '')
    expect((await t.logout('not a token', {})).status).toBe(204)
  })

  test('signing out everywhere ends the keys as well, when asked to', async () => {
    const caller = await t.signIn(ada, proven)
    const control = controlOf(t.control, caller.account)
    const { secret } = await createKey(control, caller, { name: 'laptop', scopes: ['tunnels'] })
    await t.logout(await t.token(ada, proven))
    await t.local.runJobs()
    await t.principals.authenticate(secret, '')
    t.clock.advance(2_000)
    t.local.clock.advance(2_000)
    await t.logout(await t.token(ada, proven), { everywhere: true, endKeys: true })
    await t.local.runJobs()
    await expectFailure(t.principals.authenticate(secret, ''), 'auth.invalid')
  })

  test('signing out everywhere ends every session, here and at Firebase; the next sign-in works', async () => {
    const token = await t.token(ada, proven)
    await t.principals.authenticate(token, '')
    expect((await t.logout(token)).status).toBe(204)
    t.clock.advance(31_000)
    await expectFailure(t.principals.authenticate(token, ''), 'auth.invalid')
    expect((await t.firebase.accounts.read(t.firebase.uidOf(ada)))?.validSinceMs).toBeGreaterThan(0)
    expect((await t.signIn(ada, proven)).role).toBe('owner')
    expect((await t.logout('x')).status).toBe(401)
  })

  test('signed out everywhere by a process whose clock is a year ahead: the next sign-in works, and no earlier one', async () => {
    const earlier = await t.token(ada, proven)
    const { user } = await t.principals.authenticate(earlier, '')
    const ref = users.ref(user?.id ?? '')
    const year = 365 * 86_400_000
    await t.control.store.update(ref, { validSince: t.clock.now() + year })
    t.clock.advance(11 * 60_000)
    await expectFailure(new Principals(t.control).authenticate(earlier, ''), 'auth.invalid')
    expect((await t.signIn(ada, proven)).role).toBe('owner')
    await expectFailure(new Principals(t.control).authenticate(earlier, ''), 'auth.invalid')
    const ended = t.clock.now() + 60_000
    await t.control.store.update(ref, { validSince: ended })
    await expectFailure(
      new Principals(t.control).authenticate(await t.token(ada, proven), ''),
      'auth.invalid',
    )
    expect((await t.control.store.get(ref))?.data.validSince, 'within what clocks differ').toBe(ended)
  })

  test('erased by a process whose clock is a year ahead: the next sign-in is a new person, and no earlier one is', async () => {
    const earlier = await t.token(ada, proven)
    const { user } = await t.principals.authenticate(earlier, '')
    const ref = identities.ref(`firebase:${t.firebase.uidOf(ada)}`)
    await t.control.store.set(ref, erasedIdentity(t.clock.now() + 365 * 86_400_000))
    t.clock.advance(11 * 60_000)
    const fresh = () => new Principals(t.control)
    await expectFailure(fresh().authenticate(earlier, ''), 'auth.invalid')
    const again = await fresh().authenticate(await t.token(ada, proven), '')
    expect(again.user?.id).not.toBe(user?.id)
    expect((await t.control.store.get(ref))?.data).toEqual({ user: again.user?.id })
  })

  test('a user disabled by an operator is told so', async () => {
    const { user } = await t.signIn(ada, proven)
    await t.control.store.update(users.ref(user?.id ?? ''), { status: 'disabled' })
    t.clock.advance(30_000)
    await expectFailure(t.signIn(ada, proven), 'auth.disabled')
  })

  test('with registration closed a stranger is told so, and people with an account go on', async () => {
    await t.signIn(ada, proven)
    const settings = { ...t.control.settings, registration: 'closed' } as const
    const principals = new Principals({ ...t.control, settings })
    expect((await principals.authenticate(await t.token(ada, proven), '')).role).toBe('owner')
    await expectFailure(principals.authenticate(await t.token('bob@example.com', proven), ''), 'auth.closed')
  })

  test('in a beta a stranger with a confirmed address needs an invite code', async () => {
    await t.signIn(ada, proven)
    const settings = { ...t.control.settings, registration: 'beta' } as const
    const control = { ...t.control, settings }
    const principals = new Principals(control)
    expect((await principals.authenticate(await t.token(ada, proven), '')).role).toBe('owner')
    const code = newInviteCode()
    const wish = { places: 1, days: 1, plan: 'team', note: '', by: 'test' } as const
    await control.store.transact(async (tx) => writeInvite(tx, code, { wish, nowMs: control.clock.now() }))
    const bob = await t.token('bob@example.com', proven)
    const asked = { invite: code, source: { from: '' } }
    await expectFailure(principals.authenticate(bob, ''), 'auth.invite')
    await expectFailure(principals.join(bob, { ...asked, invite: 'pti_guess' }), 'invite.invalid')
    await expectFailure(principals.join(await t.token('bob@example.com'), asked), 'auth.unverified')
    await principals.join(bob, asked)
    expect(await principals.authenticate(bob, '')).toMatchObject({ plan: 'team', role: 'owner' })
  })

  test('a console learns where to sign in before anybody has signed in', async () => {
    const answer = await t.app.request('https://tunnel.example.com/v1/config')
    expect(await answer.json()).toMatchObject({ identity: 'firebase', firebase: t.control.settings.firebase })
  })
})

async function localToken({ identity }: ReturnType<typeof makeTestControl>): Promise<string> {
  return (await identity.register({ email: ada, password: 'correct horse battery' }, { from: '' })).tokens
    .accessToken
}
