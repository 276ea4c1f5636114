/** Signing in with a real service, from the button to the session, and what it makes and links. */
import { users } from '@porttunneler/shared/control/documents'
import { expectFailure } from '@porttunneler/shared/testing/store.contract'
import { afterEach, describe, expect, test } from 'vitest'
import { makeLocalIdentity } from '../../testing/local-identity.ts'
import { type Browser, openSocialWorld, password, type SocialWorld } from '../../testing/social-world.ts'

const worlds: SocialWorld[] = []
const openWorld: typeof openSocialWorld = async (options) => {
  const world = await openSocialWorld(options)
  worlds.push(world)
  return world
}
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close()
})

const ada = 'ada@example.com'

/** Signs in, and returns who that is. */
async function enter(w: SocialWorld, browser: Browser = {}) {
  const { tokens } = await w.signIn(browser)
  const { subject, email, emailVerified } = await w.identity.verify(tokens.accessToken)
  return { user: subject.slice('local:'.length), email, emailVerified, tokens }
}

describe('sign-in with a service', () => {
  test('a new person gets an account, and the same one the next time', async () => {
    const w = await openWorld()
    const first = await enter(w)
    expect(first).toMatchObject({ email: ada, emailVerified: true })
    w.service.be({ sub: 'ada', email: 'ada@new.example.com', email_verified: false })
    const again = await enter(w)
    expect(again.user).toBe(first.user)
    // What changes at the service changes nothing here.
    expect(again.email).toBe(ada)
    await w.identity.refresh(again.tokens.refreshToken)
  })

  test('where there are terms, a new person is to be asked for them', async () => {
    const w = await openWorld({ hasTerms: true })
    const { user } = await enter(w)
    expect((await w.store.get(users.ref(user)))?.data.terms).toEqual([])
  })

  test('the address may also be in the ID token', async () => {
    const w = await openWorld({ idTokenHasAddress: true })
    expect(await enter(w)).toMatchObject({ email: ada, emailVerified: true })
  })

  test('two people of one service are two people here, whatever their names', async () => {
    const w = await openWorld()
    const first = await enter(w)
    w.service.be({ sub: 'ADA', email: 'other@example.com', email_verified: true })
    expect((await enter(w)).user).not.toBe(first.user)
  })

  test('a slash at the end of the issuer makes nobody a stranger', async () => {
    const w = await openWorld()
    const { user } = await enter(w)
    const settings = { ...w.service.settings, issuer: `${w.service.issuer}/` }
    const { identity } = makeLocalIdentity({ ...w.options, providers: [settings] })
    const at = { caller: { from: '192.0.2.1' }, admit: w.admit }
    const begun = await identity.social.begin('work', at.caller)
    const { tokens } = await identity.social.finish('work', await w.goThere(begun, 'work', {}), at)
    expect((await identity.verify(tokens.accessToken)).subject).toBe(`local:${user}`)
  })

  test('where strangers make no accounts, the address decides, once it is proven', async () => {
    const w = await openWorld({ admits: ['bob@example.com'] })
    await expectFailure(w.signIn(), 'auth.closed')
    w.service.be({ sub: 'bob', email: 'bob@example.com', email_verified: false })
    await expectFailure(w.signIn(), 'social.unverified')
    w.service.be({ sub: 'bob', email: 'bob@example.com', email_verified: true })
    expect(await enter(w)).toMatchObject({ email: 'bob@example.com' })
  })

  test('an account whose address we have proven is linked, and the person is told', async () => {
    const w = await openWorld()
    const user = await w.register(ada)
    expect((await enter(w)).user).toBe(user)
    await w.work()
    expect(w.mails.map(({ subject, to }) => [to, subject])).toContainEqual([
      ada,
      'You can sign in with Work now',
    ])
    // Linked once: the next sign-in tells nobody.
    const before = w.mails.length
    await enter(w)
    await w.work()
    expect(w.mails.length).toBe(before)
    const { tokens } = await w.identity.login({ email: ada, password }, { from: '192.0.2.1' })
    expect(tokens.accessToken).toBeTruthy()
  })

  test('an account whose address nobody has proven is not linked', async () => {
    const w = await openWorld()
    await w.identity.register({ email: ada, password }, { from: '' })
    await expectFailure(w.signIn(), 'social.known')
    // A mail of ours proves it.
    await w.resetPassword(ada)
    expect(await enter(w)).toMatchObject({ email: ada })
  })

  test('what one service has proven does not let another service in', async () => {
    const w = await openWorld({ services: ['work', 'home'] })
    const { user } = await enter(w)
    const [, home] = w.services
    home?.be({ sub: 'somebody', email: ada, email_verified: true })
    await expectFailure(w.signIn({}, 'home'), 'social.known')
    await w.resetPassword(ada)
    const { tokens } = await w.signIn({}, 'home')
    expect((await w.identity.verify(tokens.accessToken)).subject).toBe(`local:${user}`)
  })

  test('a person without a password sets one by a link, and then has two ways in', async () => {
    const w = await openWorld()
    const { user, tokens } = await enter(w)
    expect(await w.identity.social.links(tokens.accessToken)).toMatchObject({ hasPassword: false })
    await expectFailure(w.identity.login({ email: ada, password }, { from: '' }), 'auth.credentials')
    await w.resetPassword(ada)
    const login = await w.identity.login({ email: ada, password }, { from: '' })
    expect((await w.identity.verify(login.tokens.accessToken)).subject).toBe(`local:${user}`)
    expect(await w.identity.social.links(login.tokens.accessToken)).toMatchObject({ hasPassword: true })
  })

  test('a disabled person gets no session', async () => {
    const w = await openWorld()
    const { user } = await enter(w)
    await w.disable(user)
    await expectFailure(w.signIn(), 'auth.disabled')
  })

  test('the audit log says how somebody came in', async () => {
    const w = await openWorld()
    await enter(w)
    expect(await w.audit('auth.signed_in')).toMatchObject([{ details: { method: 'oidc:work' } }])
  })
})

describe('linked sign-ins', () => {
  test('a signed-in person links a service whatever its address, and removes it', async () => {
    const w = await openWorld()
    const user = await w.register('ada@elsewhere.example.com')
    const { tokens } = await w.identity.login({ email: 'ada@elsewhere.example.com', password }, { from: '' })
    w.service.be({ sub: 'ada', email: ada, email_verified: false })
    await w.link(tokens.accessToken)
    const { items } = await w.identity.social.links(tokens.accessToken)
    expect(items).toMatchObject([{ provider: 'work', name: 'Work', email: ada }])
    expect((await enter(w)).user).toBe(user)
    const by = { token: tokens.accessToken, caller: { from: '192.0.2.1' } }
    await w.identity.social.unlink(items[0]?.id ?? '', by)
    expect((await w.identity.social.links(tokens.accessToken)).items).toEqual([])
    await w.work()
    const subjects = w.mails.map(({ subject }) => subject)
    expect(subjects).toContain('You can sign in with Work now')
    expect(subjects).toContain('You no longer sign in with Work')
    expect(await w.audit('auth.linked')).toHaveLength(1)
    expect(await w.audit('auth.unlinked')).toHaveLength(1)
    // Now it is a stranger's, whose address nobody has proven.
    await expectFailure(w.signIn(), 'social.unverified')
  })

  test('a service that was removed is not linked again by its address alone', async () => {
    const w = await openWorld()
    await w.register(ada)
    const { tokens } = await enter(w)
    const [item] = (await w.identity.social.links(tokens.accessToken)).items
    await w.identity.social.unlink(item?.id ?? '', { token: tokens.accessToken, caller: { from: '' } })
    await expectFailure(w.signIn(), 'social.known')
    await w.link(tokens.accessToken)
    expect(await enter(w)).toMatchObject({ email: ada })
  })

  test('the last way to sign in stays', async () => {
    const w = await openWorld()
    const { tokens } = await enter(w)
    const [item] = (await w.identity.social.links(tokens.accessToken)).items
    const unlink = (token: string) =>
      w.identity.social.unlink(item?.id ?? '', { token, caller: { from: '' } })
    await expectFailure(unlink(tokens.accessToken), 'social.last')
    await w.resetPassword(ada)
    const login = await w.identity.login({ email: ada, password }, { from: '' })
    await unlink(login.tokens.accessToken)
  })

  test('of two last ways that are removed at once, one stays', async () => {
    const w = await openWorld({ services: ['work', 'home'] })
    const { tokens } = await enter(w)
    await w.link(tokens.accessToken, 'home')
    const { items } = await w.identity.social.links(tokens.accessToken)
    const by = { token: tokens.accessToken, caller: { from: '' } }
    const ends = await Promise.allSettled(items.map(({ id }) => w.identity.social.unlink(id, by)))
    expect(ends.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect((await w.identity.social.links(tokens.accessToken)).items).toHaveLength(1)
  })

  test('a new password by mail removes them if the person asks to end everything', async () => {
    const w = await openWorld()
    await w.register(ada)
    const { tokens } = await w.identity.login({ email: ada, password }, { from: '' })
    w.service.be({ sub: 'mallory', email: 'mallory@example.com', email_verified: true })
    await w.link(tokens.accessToken)
    await w.resetPassword(ada)
    expect((await enter(w)).email).toBe(ada)
    await w.resetPassword(ada, { endKeys: true })
    expect((await enter(w)).email).toBe('mallory@example.com')
  })

  test('an account of a service belongs to one person', async () => {
    const w = await openWorld()
    await enter(w)
    await w.register('bob@example.com')
    const { tokens } = await w.identity.login({ email: 'bob@example.com', password }, { from: '' })
    await expectFailure(w.link(tokens.accessToken), 'social.taken')
  })

  test('eight sign-ins are enough', async () => {
    const w = await openWorld()
    await w.register(ada)
    const { tokens } = await w.identity.login({ email: ada, password }, { from: '' })
    for (let n = 0; n < 8; n++) {
      w.service.be({ sub: `ada-${n}` })
      await w.link(tokens.accessToken)
    }
    w.service.be({ sub: 'ada-8' })
    await expectFailure(w.link(tokens.accessToken), 'social.limit')
  })

  test('linking and removing need a fresh sign-in', async () => {
    const w = await openWorld()
    await w.register(ada)
    const { tokens } = await w.identity.login({ email: ada, password }, { from: '' })
    w.clock.advance(31 * 60_000)
    const { accessToken: token } = await w.identity.refresh(tokens.refreshToken)
    await expectFailure(w.identity.social.beginLink('work', token), 'auth.stale')
    const id = `oidc.work:${'0'.repeat(64)}`
    await expectFailure(w.identity.social.unlink(id, { token, caller: { from: '' } }), 'auth.stale')
  })
})
