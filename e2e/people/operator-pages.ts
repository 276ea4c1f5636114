/** Every page of operators, opened one after the other on the platform's own data. */
import assert from 'node:assert/strict'
import { addressOf, type Known, stops } from '../../web/testing/stops.ts'
import { eventually } from '../harness/events.ts'
import type { Person } from './person.ts'

/** Who operates the service is known in every process within half a minute (0045). */
const knownMs = 120_000
/** The cloud on one machine has no service that keeps logs, and the page of logs says so. */
const noLogs = 'PT-2831'

/** @throws what a page lacks: its heading, words instead of a failure, ease of use, scripts without errors */
export async function operatorPages(
  person: Person,
  { user, account }: { readonly user: string; readonly account: string },
): Promise<void> {
  const { page } = person
  const ids = { person: user, account } as Readonly<Record<Known, string>>
  const isKnown = (at: string) => [...at.matchAll(/\{(\w+)\}/g)].every(([, name = '']) => name in ids)
  // A report that is not there is a refusal, as it should be.
  const isThere = (at: string) => isKnown(at) && !at.endsWith('/none')
  const pages = stops.filter(({ route, at }) => route.startsWith('/operator') && isThere(at))
  assert.ok(pages.length > 10, 'the pages of operators are in the list')
  await eventually(
    'the operator is known',
    async () => {
      await person.go('/operator/relays')
      const found = page.getByRole('heading', { name: 'Relays', level: 1 })
      await found.waitFor({ timeout: 5_000 }).catch(() => undefined)
      return (await found.isVisible()) || undefined
    },
    knownMs,
  )
  for (const stop of pages) {
    const { name } = stop
    await person.go(addressOf(stop, ids))
    await page.getByRole('main').getByRole('heading', { level: 1 }).waitFor()
    // The pages' content policy lets nobody evaluate a text again and again, as `waitForFunction` does.
    const loading = page.getByText(/^Loading /)
    await eventually(`${name} is loaded`, async () => (await loading.count()) === 0 || undefined)
    assert.equal(await page.getByRole('heading', { name: 'No such page' }).count(), 0, `${name} is there`)
    const told = (await page.getByRole('alert').allInnerTexts()).filter((text) => !text.includes(noLogs))
    assert.deepEqual(told, [], `${name} says that something failed`)
    await person.noBarriers(name)
    person.noErrors(name)
    await person.see(`51-${name}`)
  }
}
