/** A beta by invitation, in the console: a person without an account is asked for the code, and has one afterwards. */
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { Tab } from '../harness/browser.ts'
import type { Service } from '../harness/service.ts'
import { password } from '../harness/standalone.ts'

/** @param service one whose accounts are by invitation */
export function describeInvitation(
  service: () => Service,
  inTab: (work: (tab: Tab) => Promise<void>) => Promise<void>,
): void {
  test('a person comes in with the code of an invitation, which its link has filled in', () =>
    inTab(async (tab) => {
      const { page } = tab
      const { api, people } = service()
      if (!people) throw new Error('the operator is needed')
      const { code } = z.object({ code: z.string() }).parse(await people.operator('invites', 'create'))
      const email = 'invited@example.com'
      await people.signUp(email, code)
      await page.goto(`${api}/register?code=${code}`)
      expect(await page.getByLabel('Invite code').inputValue()).toBe(code)
      await page.getByRole('link', { name: 'Join the waiting list' }).click()
      await page.getByLabel('Email').fill('waiting@example.com')
      await page.getByRole('button', { name: 'Join' }).click()
      await page.getByRole('heading', { name: 'Your address is noted' }).waitFor()
      await page.goto(`${api}/wait-list?token=none`)
      await page.getByRole('button', { name: 'Confirm' }).click()
      await page.getByRole('alert').getByText('PT-1114').waitFor()
      await page.goto(`${api}/sign-in`)
      await page.getByLabel('Email').fill(email)
      await page.getByLabel('Password').fill(password)
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByRole('heading', { name: 'You need an invitation' }).waitFor()
      await tab.screenshot('invitation')
      await page.getByLabel('Invite code').fill('pti_wrong')
      await page.getByRole('button', { name: 'Create the account' }).click()
      await page.getByRole('alert').getByText('PT-1113').waitFor()
      await page.getByLabel('Invite code').fill(code)
      await page.getByRole('button', { name: 'Create the account' }).click()
      await page.getByRole('heading', { name: 'Tunnels', level: 1 }).waitFor()
      await page.goto(`${api}/account`)
      await page.getByLabel('What should whoever runs this service know?').fill('I like it.')
      await page.getByRole('button', { name: 'Send', exact: true }).click()
      await page.getByText('Sent. Thank you.').waitFor()
      const [said] = z
        .array(z.looseObject({ text: z.string() }))
        .parse(await people.operator('feedback', 'list'))
      expect(said?.text).toBe('I like it.')
    }))
}
