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
async function makePerson({ api, people }: Service): Promise<string> {
  if (!people) throw new Error('the operator is needed')
  const email = 'factors@example.com'
  const { code } = z.object({ code: z.string() }).parse(await people.operator('invites', 'create'))
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
      const email = await makePerson(service())
      // A person who signs out comes back to the same page.
      const inside = page.getByRole('heading', { name: 'Security', level: 1 })
      await plugIn(tab)
      await page.goto(`${api}/sign-in?next=/security`)
      await typePassword(tab, email)
      await page.getByRole('button', { name: 'Add a passkey' }).click()
      await page.getByLabel('Name').fill('Laptop')
      await page.getByRole('button', { name: 'Go on' }).click()
      const codes = page.getByRole('list', { name: 'Recovery codes' }).getByRole('listitem')
      await codes.first().waitFor()
      expect(await codes.count()).toBe(10)
      const code = (await codes.first().textContent()) ?? ''
      await tab.screenshot('recovery-codes')
      await page.getByRole('button', { name: 'I have kept them' }).click()
      await page.getByRole('listitem').filter({ hasText: 'Laptop' }).waitFor()
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
}
