/** Second factors in the console, with Chromium's virtual authenticator (WebAuthn level 3, section 11). */
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { Tab } from '../harness/browser.ts'
import { callApi, type Service } from '../harness/service.ts'
import { password } from '../harness/standalone.ts'

/** A device with a fingerprint reader that always knows the finger. */
async function plugIn({ page }: Tab): Promise<void> {
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('WebAuthn.enable')
  const options = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true } as const
  const verifies = { hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true }
  await devtools.send('WebAuthn.addVirtualAuthenticator', { options: { ...options, ...verifies } })
}

/** @returns the address of a new person with an account of their own */
async function makePerson({ api, people }: Service, email: string): Promise<string> {
  if (!people) throw new Error('the operator is needed')
  const { code } = z
    .object({ code: z.string() })
    .parse(await people.operator('invites', 'create', '--plan', 'unlimited'))
  await people.signUp(email, code)
  const { accessToken: key } = z
    .looseObject({ accessToken: z.string() })
    .parse(await callApi({ api, key: '' }, 'POST', '/v1/auth/login', { email, password }))
  await callApi({ api, key }, 'POST', '/v1/accounts', { code })
  return email
}

async function typePassword({ page }: Tab, email: string): Promise<void> {
  await page.getByLabel('Email').fill(email)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

/** From the page Security, or where it is shown for want of a factor. @returns one of the recovery codes */
async function addPasskey(tab: Tab): Promise<string> {
  const { page } = tab
  await plugIn(tab)
  await page.getByRole('button', { name: 'Add a passkey' }).click()
  await page.getByLabel('Name').fill('Laptop')
  await page.getByRole('button', { name: 'Go on' }).click()
  const codes = page.getByRole('list', { name: 'Recovery codes' }).getByRole('listitem')
  await codes.first().waitFor()
  expect(await codes.count()).toBe(10)
  await tab.screenshot('recovery-codes')
  const code = (await codes.first().textContent()) ?? ''
  await page.getByRole('button', { name: 'I have kept them' }).click()
  await page.getByRole('listitem').filter({ hasText: 'Laptop' }).waitFor()
  return code
}

async function signOut({ page }: Tab): Promise<void> {
  await page.getByRole('button', { name: 'Account menu' }).click()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByLabel('Password').waitFor()
}

export function describeFactors(
  service: () => Service,
  inTab: (work: (tab: Tab) => Promise<void>) => Promise<void>,
): void {
  test('a passkey is added, asked for after the password, and enough alone; a recovery code stands in', () =>
    inTab(async (tab) => {
      const { page } = tab
      const { api } = service()
      const email = await makePerson(service(), 'factors@example.com')
      // A person who signs out comes back to the same page.
      const inside = page.getByRole('heading', { name: 'Security', level: 1 })
      await page.goto(`${api}/sign-in?next=/security`)
      await typePassword(tab, email)
      const code = await addPasskey(tab)
      await tab.screenshot('security')
      await page.getByRole('button', { name: 'Set up an app' }).click()
      await page.getByAltText('QR code for the authenticator app').waitFor()
      await tab.screenshot('authenticator-app')
      await page.getByRole('button', { name: 'Cancel' }).click()
      await signOut(tab)
      await page.getByRole('button', { name: 'Use a passkey' }).click()
      await inside.waitFor()
      await signOut(tab)
      await typePassword(tab, email)
      await page.getByRole('heading', { name: 'Second step' }).waitFor()
      await tab.screenshot('second-step')
      await page.getByRole('button', { name: 'Use a passkey' }).click()
      await inside.waitFor()
      await signOut(tab)
      await typePassword(tab, email)
      await page.getByLabel('Recovery code').fill('000000')
      await page.getByRole('button', { name: 'Go on' }).click()
      await page.getByRole('alert').getByText('PT-1203').waitFor()
      await page.getByLabel('Recovery code').fill(code)
      await page.getByRole('button', { name: 'Go on' }).click()
      await inside.waitFor()
    }))

  test('an account that asks for a second factor: who asks has one, and who joins adds one before anything else', async () => {
    const { api, people } = service()
    const member = await makePerson(service(), 'policy-member@example.com')
    const owner = await makePerson(service(), 'policy-owner@example.com')
    await inTab(async (tab) => {
      const { page } = tab
      await page.goto(`${api}/sign-in?next=/members`)
      await typePassword(tab, owner)
      await page.getByText('The only owner cannot leave.').waitFor()
      await page.getByRole('button', { name: 'Ask every member for one' }).click()
      await page.getByRole('alert').getByText('PT-1209').waitFor()
      await page.goto(`${api}/security`)
      await addPasskey(tab)
      await page.goto(`${api}/members`)
      await page.getByRole('button', { name: 'Ask every member for one' }).click()
      await page.getByRole('button', { name: 'Ask for it no longer' }).waitFor()
      await page.getByRole('button', { name: 'Invite' }).click()
      await page.getByLabel('Email').fill(member)
      await page.getByRole('button', { name: 'Send the invitation' }).click()
      await page.getByRole('list', { name: 'Invitations' }).getByText(member).waitFor()
    })
    const mail = (await people?.mailTo?.(member, 'Invitation')) ?? ''
    const link = new URL(/https?:\/\/\S+\/join\S+/.exec(mail)?.[0] ?? '')
    await inTab(async (tab) => {
      const { page } = tab
      await page.goto(`${api}${link.pathname}${link.search}`)
      await typePassword(tab, member)
      await page.getByRole('button', { name: 'Join' }).click()
      await page.getByRole('alert').getByText('PT-1202').waitFor()
      await page.getByRole('heading', { name: 'Security', level: 1 }).waitFor()
      await tab.screenshot('factor-required')
      await addPasskey(tab)
      await page.goto(api)
      await page.getByText('Your first tunnel takes two commands').waitFor()
    })
  })
}
