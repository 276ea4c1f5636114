/** An operator in the console: the search, an account seen as a member sees it, the banner, and what a view refuses. */
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { Tab } from '../harness/browser.ts'
import { callApi, type Service } from '../harness/service.ts'
import { password } from '../harness/standalone.ts'

/** Somebody with an account of their own, whom the machine's owner makes an operator. */
async function makeOperator({ api, people }: Service): Promise<string> {
  if (!people) throw new Error('the operator is needed')
  const email = 'operator@example.com'
  const { code } = z.object({ code: z.string() }).parse(await people.operator('invites', 'create'))
  const key = await people.signUp(email, code)
  await callApi({ api, key }, 'POST', '/v1/accounts', { code })
  await people.operator('operators', 'add', email)
  return email
}

export function describeOperator(
  service: () => Service,
  inTab: (work: (tab: Tab) => Promise<void>) => Promise<void>,
): void {
  test('an operator finds a person, sees their account under a banner, changes nothing, and ends the view', () =>
    inTab(async (tab) => {
      const { page } = tab
      const { api, account } = service()
      const email = await makeOperator(service())
      await page.goto(`${api}/sign-in`)
      await page.getByLabel('Email').fill(email)
      await page.getByLabel('Password').fill(password)
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Accounts' }).click()
      await page.getByLabel('Search').fill(account.email.slice(0, -3).toUpperCase())
      await page.getByRole('button', { name: 'Search' }).click()
      await tab.screenshot('operator-search')
      await page.getByRole('list', { name: 'Found people' }).getByText(account.email).click()
      await page.getByRole('button', { name: / as admin/ }).click()
      await page.getByLabel('Reason').fill('ok')
      await page.getByRole('button', { name: 'Begin the view' }).click()
      await page.getByText('Say why in a few words.').waitFor()
      await page.getByLabel('Reason').fill('they asked why a tunnel is offline')
      await page.getByRole('button', { name: 'Begin the view' }).click()
      const banner = page.getByRole('region', { name: 'View of an operator' })
      await banner.getByText(`as ${account.email}`).waitFor()
      await page.getByRole('row').filter({ hasText: 'shop' }).first().waitFor()
      await tab.screenshot('operator-view')
      await page.goto(`${api}/account`)
      const name = page.getByRole('form', { name: 'Name of the account' })
      await name.getByLabel('Name').fill('Taken over')
      await name.getByRole('button', { name: 'Rename' }).click()
      await page.getByRole('alert').getByText('PT-1140').first().waitFor()
      await page.goto(`${api}/keys`)
      await page.getByRole('alert').getByText('PT-1140').waitFor()
      await banner.getByRole('button', { name: 'End the view' }).click()
      await banner.waitFor({ state: 'detached' })
      await page.getByRole('button', { name: 'View as an owner' }).waitFor()
      const entries = z.object({ items: z.array(z.looseObject({ action: z.string() })) })
      const { items } = entries.parse(await callApi(service(), 'GET', '/v1/audit?limit=20'))
      expect(items.map(({ action }) => action)).toEqual(expect.arrayContaining(['view.began', 'view.ended']))
      expect(items.map(({ action }) => action)).not.toContain('account.renamed')
    }))
}
