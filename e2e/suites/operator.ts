/** An operator in the console: the search, an account seen as a member sees it, the banner, and what a view refuses. */
import { tokensSchema } from '@porttunneler/shared/api/schemas/accounts'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { addressOf, stops } from '../../web/testing/stops.ts'
import { lookAt, settled } from '../console/look.ts'
import type { Tab } from '../harness/browser.ts'
import { callApi, type Service } from '../harness/service.ts'
import { password } from '../harness/standalone.ts'

const meSchema = z.looseObject({ account: z.string(), user: z.string() })

const operator = 'operator@example.com'

/** Somebody with an account of their own, whom the machine's owner makes an operator. */
async function makeOperator({ api, people }: Service): Promise<void> {
  if (!people) throw new Error('the operator is needed')
  const { code } = z.object({ code: z.string() }).parse(await people.operator('invites', 'create'))
  const key = await people.signUp(operator, code)
  await callApi({ api, key }, 'POST', '/v1/accounts', { code })
  await people.operator('operators', 'add', operator)
}

export function describeOperator(
  service: () => Service,
  inTab: (work: (tab: Tab) => Promise<void>) => Promise<void>,
): void {
  test('an operator finds a person, sees their account under a banner, changes nothing, and ends the view', () =>
    inTab(async (tab) => {
      const { page } = tab
      const { api, account } = service()
      await makeOperator(service())
      await page.goto(`${api}/sign-in`)
      await page.getByLabel('Email').fill(operator)
      await page.getByLabel('Password').fill(password)
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Accounts' }).click()
      await page.getByLabel('Search').fill(account.email.slice(0, -3).toUpperCase())
      await page.getByRole('button', { name: 'Search' }).click()
      await tab.screenshot('operator-search')
      await page.getByRole('list', { name: 'Found people' }).getByText(account.email).click()
      await page.getByRole('button', { name: /^View as this person: admin/ }).click()
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

  test('no page of an operator bars anybody or is wider than a phone, light or dark', () =>
    inTab(async ({ page }) => {
      const { api } = service()
      await page.goto(`${api}/sign-in`)
      await page.getByLabel('Email').fill(operator)
      await page.getByLabel('Password').fill(password)
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByRole('heading', { name: 'Tunnels', level: 1 }).waitFor()
      const { accessToken: key } = tokensSchema.parse(
        await callApi({ api, key: '' }, 'POST', '/v1/auth/login', { email: operator, password }),
      )
      const me = meSchema.parse(await callApi({ api, key }, 'GET', '/v1/me'))
      const none = { tunnel: '', failing: '', agent: '', invitation: '', device: '' }
      const faults: string[] = []
      const onFault = (picture: string, fault: string) => void faults.push(`${picture}: ${fault}`)
      const own = stops.filter(({ route }) => route.startsWith('/operator'))
      expect(own.length).toBeGreaterThan(6)
      for (const stop of own) {
        await page.goto(`${api}${addressOf(stop, { ...none, account: me.account, person: me.user })}`)
        await settled(page)
        await lookAt(page, stop.name, { widths: [360], onFault })
      }
      expect(faults).toEqual([])
    }))
}
