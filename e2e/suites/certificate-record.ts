/** The console shows the record by which a domain gets its certificate without port 80, and copies it. */
import type { Locator } from 'playwright-core'
import { expect } from 'vitest'
import type { Tab } from '../harness/browser.ts'

/** A server that writes its own zone offers one more record; this one writes none, so its answer is completed. */
export async function copyCertificateRecord({ page }: Tab, card: Locator) {
  const domains = /\/v1\/domains(\?|$)/
  const value = 'token.acme.tunnels.example.net'
  const shortName = '_acme-challenge.app'
  const record = { type: 'CNAME', name: `${shortName}.example.com`, shortName, value }
  await page.route(domains, async (route) => {
    const answer = await route.fetch()
    const { items, ...rest } = (await answer.json()) as { readonly items: readonly object[] }
    const more = items.map((domain) => ({ ...domain, certificateRecord: record }))
    await route.fulfill({ response: answer, json: { ...rest, items: more } })
  })
  await page.reload()
  await card.getByText('Certificate without port 80?').click()
  const own = card.getByRole('group').filter({ hasText: 'Certificate without port 80?' })
  await own.getByRole('button', { name: 'Copy value' }).click()
  await own.getByText('Copied').waitFor()
  expect(await page.evaluate<string>('navigator.clipboard.readText()')).toBe(value)
  await own.getByText(shortName, { exact: true }).waitFor()
  await page.unroute(domains)
}
