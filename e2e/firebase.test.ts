/** Signs in at Firebase, against its official Auth emulator: by calls, and in a real browser. */
import { systemClock } from '@porttunneler/shared/base/clock'
import { siteOf } from '@porttunneler/shared/control/factors/webauthn'
import { SoftwarePasskey } from '@porttunneler/shared/testing/software-passkey'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { breadthOf } from './breadth.ts'
import { type AuthEmulator, noMetadata, startAuthEmulator } from './harness/auth-emulator.ts'
import { type Looks, openTab, pixelsTooWide, startBrowser, type Tab } from './harness/browser.ts'
import { eventually } from './harness/events.ts'
import { type FirebaseService, startFirebaseService } from './harness/firebase-service.ts'
import { gapiStandIn, passFirebaseWindow } from './harness/firebase-window.ts'
import { describeWith } from './requirements.ts'

const password = 'correct horse battery'
const projectId = 'demo-tunnels'
/** How long the control plane remembers users, and accounts at Firebase. */
const [usersMs, accountsMs] = [30_000, 300_000]

describeWith(['authEmulator', 'chromium'], 'firebase', () => {
  let emulator: AuthEmulator
  let service: FirebaseService
  let browser: Browser
  let people = 0
  beforeAll(async () => {
    vi.stubEnv('METADATA_SERVER_DETECTION', noMetadata.METADATA_SERVER_DETECTION)
    ;[emulator, browser] = await Promise.all([startAuthEmulator(projectId), startBrowser()])
    vi.stubEnv('GOOGLE_CLOUD_PROJECT', projectId)
    vi.stubEnv('FIREBASE_AUTH_EMULATOR_HOST', emulator.host)
    service = await startFirebaseService()
  })
  afterAll(async () => {
    await browser?.close()
    await service?.stop()
    await emulator?.stop()
    vi.unstubAllEnvs()
  })

  const newAddress = () => `person${++people}@example.com`
  const ask = async (method: string, path: string, { token, body }: { token?: string; body?: object }) => {
    const answer = await fetch(`${service.url}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    return { status: answer.status, body: text === '' ? {} : JSON.parse(text) }
  }
  const me = async (token: string) => (await ask('GET', '/v1/me', { token })).body
  /** A person with a password and a confirmed address. */
  const newPerson = async () => {
    const email = newAddress()
    const localId = await emulator.createUser({ email, password, emailVerified: true })
    return { email, localId, ...(await emulator.signIn(email, password)) }
  }

  test('a password: nothing before the address is confirmed, an account with the next token after it', async () => {
    const email = newAddress()
    const { idToken, refreshToken } = await emulator.register(email, password)
    expect(await me(idToken)).toMatchObject({ status: 403, code: 'PT-1010' })
    await emulator.requestMail(idToken)
    await emulator.followMail(email, 'VERIFY_EMAIL')
    const fresh = await emulator.refresh(refreshToken)
    const first = await me(fresh.idToken)
    expect(first).toMatchObject({ email, emailVerified: true, role: 'owner', plan: 'free' })
    expect(await me((await emulator.signIn(email, password)).idToken)).toEqual(first)
  })

  test('a person who signed up with a foreign address has nothing when its owner comes by Google', async () => {
    const email = newAddress()
    const thief = await emulator.register(email, password)
    const owner = await emulator.signInBy('google.com', { sub: 'g1', email })
    expect(await me(owner.idToken)).toMatchObject({ email, role: 'owner' })
    // Firebase removes the password, and with it all tokens signed before that second.
    expect(['PT-1001', 'PT-1010']).toContain((await me(thief.idToken)).code)
    await expect(emulator.signIn(email, password)).rejects.toThrow('400')
  })

  test('GitHub: its address is confirmed by mail, then it is one person with one account', async () => {
    const email = newAddress()
    const person = { sub: 'h1', email }
    const first = await emulator.signInBy('github.com', person)
    expect(await me(first.idToken)).toMatchObject({ code: 'PT-1010' })
    await emulator.requestMail(first.idToken)
    await emulator.followMail(email, 'VERIFY_EMAIL')
    const again = await me((await emulator.signInBy('github.com', person)).idToken)
    expect(again).toMatchObject({ email, role: 'owner' })
    expect(await me((await emulator.signInBy('github.com', person)).idToken)).toEqual(again)
  })

  test('an account disabled at Firebase is refused within five minutes, and may come back', async () => {
    const { localId, idToken } = await newPerson()
    expect(await me(idToken)).toMatchObject({ role: 'owner' })
    await emulator.updateUser(localId, { disableUser: true })
    service.advance(accountsMs)
    expect(await me(idToken)).toMatchObject({ status: 403, code: 'PT-1006' })
    await emulator.updateUser(localId, { disableUser: false })
    service.advance(accountsMs)
    expect(await me(idToken)).toMatchObject({ role: 'owner' })
  })

  test('signing out everywhere ends every session here and at Firebase; a new sign-in works', async () => {
    const { email, localId, idToken } = await newPerson()
    const before = await me(idToken)
    const since = await emulator.validSince(localId)
    await eventually('a later second', () => Math.floor(systemClock.now() / 1_000) > since || undefined)
    const out = await ask('POST', '/v1/auth/logout', { token: idToken, body: { everywhere: true } })
    expect(out.status).toBe(204)
    service.advance(usersMs)
    expect(await me(idToken)).toMatchObject({ status: 401, code: 'PT-1001' })
    expect(await emulator.validSince(localId)).toBeGreaterThan(since)
    // Sign-ins are known to the second, so one that began in the same second has ended too.
    const after = await eventually('a sign-in that counts', async () => {
      const answer = await me((await emulator.signIn(email, password)).idToken)
      return answer.role === undefined ? undefined : answer
    })
    expect(after).toEqual(before)
  })

  test('a password set anew at Firebase ends the sessions of before; the keys stay, as with a later reset of ours', async () => {
    const { email, localId, idToken } = await newPerson()
    await me(idToken)
    const made = await ask('POST', '/v1/keys', { token: idToken, body: { name: 'ci', scopes: ['read'] } })
    const since = await emulator.validSince(localId)
    await eventually('a later second', () => Math.floor(systemClock.now() / 1_000) > since || undefined)
    await emulator.requestReset(email)
    await emulator.followMail(email, 'PASSWORD_RESET', 'another good long one')
    expect(await emulator.validSince(localId)).toBeGreaterThan(since)
    service.advance(accountsMs)
    expect(await me(idToken)).toMatchObject({ status: 401, code: 'PT-1001' })
    await expect(emulator.signIn(email, password)).rejects.toThrow('400')
    expect(await me((await emulator.signIn(email, 'another good long one')).idToken)).toMatchObject({ email })
    expect((await ask('GET', '/v1/tunnels', { token: made.body.secret })).status).toBe(200)
  })

  test('erasing a person deletes them at Firebase, and erasing again changes nothing', async () => {
    const { email, localId } = await newPerson()
    const person = { id: 'usr_1', email, subjects: [`firebase:${localId}`] }
    for (let n = 0; n < 2; n++) await service.identity.forget(person)
    await expect(emulator.signIn(email, password)).rejects.toThrow('EMAIL_NOT_FOUND')
  })

  test('a custom token signs in a user that an operator made; without an address there is no account', async () => {
    const email = newAddress()
    const uid = await emulator.createUser({ email, emailVerified: true })
    expect(await me((await emulator.signInByToken(uid)).idToken)).toMatchObject({ email, role: 'owner' })
    expect(await me((await emulator.signInByToken('robot-1')).idToken)).toMatchObject({ code: 'PT-1011' })
  })

  test('a service of OpenID Connect: its address is confirmed by mail, and its sign-ins bear its name', async () => {
    const email = newAddress()
    const person = { sub: 'o1', email }
    const first = await emulator.signInBy('oidc.work', person)
    expect(await me(first.idToken)).toMatchObject({ code: 'PT-1010' })
    await emulator.requestMail(first.idToken)
    await emulator.followMail(email, 'VERIFY_EMAIL')
    const { idToken } = await emulator.signInBy('oidc.work', person)
    const again = await me(idToken)
    expect(again).toMatchObject({ email, role: 'owner' })
    const { body } = await ask('GET', '/v1/sign-ins', { token: idToken })
    expect(body.items).toMatchObject([{ method: 'oidc:work', current: true }])
    // Somebody else at that service with the same address gets no second account there.
    const other = await emulator.signInBy('oidc.work', { sub: 'o2', email: newAddress() })
    expect(await me(other.idToken)).toMatchObject({ code: 'PT-1010' })
  })

  test('a passkey ends in a custom token, which Firebase takes once as the second step and once alone', async () => {
    const { idToken } = await newPerson()
    const before = await me(idToken)
    const passkey = new SoftwarePasskey(siteOf({ consoleUrl: service.url }))
    const options = (await ask('POST', '/v1/factors/passkeys/options', { token: idToken })).body
    const added = { attestation: passkey.create(options), name: 'Laptop' }
    const { customToken } = (await ask('POST', '/v1/factors/passkeys', { token: idToken, body: added })).body
    expect(await me(idToken), 'the sign-in without the factor').toMatchObject({ code: 'PT-1201' })
    expect(await me((await emulator.signInByCustomToken(customToken)).idToken)).toEqual(before)
    const asked = (await ask('POST', '/v1/auth/passkey/options', {})).body
    const alone = await ask('POST', '/v1/auth/passkey', { body: { assertion: passkey.sign(asked) } })
    const { idToken: token, refreshToken } = await emulator.signInByCustomToken(alone.body.customToken)
    expect(await me(token)).toEqual(before)
    // What needs the factor and a fresh sign-in works, and so do the tokens that Firebase makes later.
    expect((await ask('POST', '/v1/factors/codes', { token })).status).toBe(200)
    expect(await me((await emulator.refresh(refreshToken)).idToken)).toEqual(before)
    // A token of somebody's own making names no factor that we have seen.
    const forged = JSON.stringify({ uid: 'robot-2', claims: { ptun_sign_in: 'x'.repeat(43) } })
    const { idToken: stranger } = await emulator.signInByCustomToken(forged)
    expect(await me(stranger)).toMatchObject({ code: 'PT-1011' })
  })

  test('a second sign-in there confirms the first, once, and is nothing by itself', async () => {
    const { email, idToken: token } = await newPerson()
    await me(token)
    await service.makeStale(token)
    const dangerous = async () => (await ask('DELETE', '/v1/sign-ins', { token })).body.code ?? 'done'
    expect(await dangerous()).toBe('PT-1016')
    const confirm = (proof: string) => ask('POST', '/v1/auth/confirm', { token, body: { token: proof } })
    expect((await confirm(token)).body, 'its own token proves nothing new').toMatchObject({ code: 'PT-1016' })
    const since = Math.floor(systemClock.now() / 1_000)
    await eventually('a later second', () => Math.floor(systemClock.now() / 1_000) > since || undefined)
    const stranger = await newPerson()
    expect((await confirm(stranger.idToken)).body).toMatchObject({ code: 'PT-1070' })
    const { idToken: proof } = await emulator.signIn(email, password)
    expect((await confirm(proof)).status).toBe(204)
    expect(await dangerous()).toBe('done')
    expect(await me(proof), 'the proof has ended').toMatchObject({ code: 'PT-1001' })
    await service.makeStale(token)
    expect((await confirm(proof)).body, 'a second time').toMatchObject({ code: 'PT-1001' })
    expect(await dangerous()).toBe('PT-1016')
  })

  const inTab = async (work: (tab: Tab) => Promise<void>, look: Looks = 'light') => {
    const tab = await openTab(browser, look)
    try {
      await work(tab)
      expect(tab.takeErrors()).toEqual([])
    } finally {
      await tab.close()
    }
  }
  const fill = async ({ page }: Tab, given: { email: string; password: string }, action: string) => {
    await page.getByLabel('Email').fill(given.email)
    await page.getByLabel('Password').fill(given.password)
    await page.getByRole('button', { name: action, exact: true }).click()
  }
  const tunnelsShow = ({ page }: Tab) => page.getByRole('heading', { name: 'Tunnels', level: 1 }).waitFor()

  test('in a browser: register, confirm the address, come back later, sign out', () =>
    inTab(async (tab) => {
      const { page } = tab
      const email = newAddress()
      await page.goto(service.url)
      await page.getByRole('link', { name: 'Create an account' }).click()
      await fill(tab, { email, password }, 'Create the account')
      await page.getByRole('heading', { name: 'Confirm your address' }).waitFor()
      await page.getByRole('button', { name: 'I have confirmed it' }).click()
      await page.getByText('The link has not been followed yet.').waitFor()
      await emulator.followMail(email, 'VERIFY_EMAIL')
      await page.getByRole('button', { name: 'I have confirmed it' }).click()
      await tunnelsShow(tab)
      const loaded: string[] = []
      page.on('request', (request) => loaded.push(request.url()))
      await page.reload()
      await tunnelsShow(tab)
      // Only signing in needs Firebase's SDK.
      expect(loaded.filter((url) => url.includes('/assets/firebase'))).toEqual([])
      await page.getByRole('button', { name: 'Account menu' }).click()
      await page.getByRole('button', { name: 'Sign out' }).click()
      await page.getByLabel('Email').waitFor()
    }))

  test('in a browser: a wrong password has the code of the API, a forgotten one is set anew', () =>
    inTab(async (tab) => {
      const { page } = tab
      const { email } = await newPerson()
      await page.goto(service.url)
      await fill(tab, { email, password: 'not the password' }, 'Sign in')
      await page.getByRole('alert').getByText('PT-1002').waitFor()
      await page.getByRole('link', { name: 'Forgot the password?' }).click()
      await page.getByLabel('Email').fill(email)
      await page.getByRole('button', { name: 'Send the link' }).click()
      await page.getByRole('heading', { name: 'Look at your mail' }).waitFor()
      await emulator.followMail(email, 'PASSWORD_RESET', 'another long password')
      await page.getByRole('link', { name: 'Back to sign-in' }).click()
      await fill(tab, { email, password: 'another long password' }, 'Sign in')
      await tunnelsShow(tab)
    }))

  test.each(breadthOf<'Google' | 'GitHub'>(['Google', 'GitHub'], ['GitHub']))(
    'in a browser: the window of %s signs in',
    (name) =>
      inTab(async (tab) => {
        const { page } = tab
        const email = newAddress()
        await page.addInitScript(gapiStandIn)
        await page.goto(service.url)
        const claims = { sub: `w-${name}`, email, ...(name === 'Google' && { email_verified: true }) }
        const asked = await passFirebaseWindow(page, { name, emulatorUrl: emulator.url, claims })
        expect(asked.get('scopes')).toContain(name === 'GitHub' ? 'user:email' : 'profile')
        if (name === 'GitHub') {
          await page.getByRole('heading', { name: 'Confirm your address' }).waitFor()
          // The mail was sent without a click.
          await emulator.followMail(email, 'VERIFY_EMAIL')
          await page.getByRole('button', { name: 'I have confirmed it' }).click()
        }
        await tunnelsShow(tab)
      }),
  )

  test('in a browser: Google out of reach is reported as such, and the form goes on', () =>
    inTab(async (tab) => {
      const { page } = tab
      await page.route('https://apis.google.com/**', (route) => route.abort())
      await page.goto(service.url)
      await page.getByRole('button', { name: 'Continue with Google' }).click()
      await page.getByRole('alert').getByText('The other sign-in could not be opened').waitFor()
      await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor()
    }))

  test.each(breadthOf<Looks>(['light', 'dark', 'phone'], ['phone']))(
    'every page of signing in fits the window: %s',
    (look) =>
      inTab(async (tab) => {
        const { page } = tab
        const fits = async (name: string) => {
          await tab.screenshot(name)
          const wide = await pixelsTooWide(page)
          expect(wide, `${name} is wider than the window`).toBeLessThanOrEqual(0)
        }
        await page.goto(service.url)
        await page.getByRole('button', { name: 'Continue with GitHub' }).waitFor()
        await fits('firebase-sign-in')
        const email = newAddress()
        await emulator.register(email, password)
        await fill(tab, { email, password }, 'Sign in')
        await page.getByRole('heading', { name: 'Confirm your address' }).waitFor()
        await fits('firebase-confirm')
      }, look),
  )
})
