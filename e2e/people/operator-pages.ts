/** Every page of operators, opened one after the other on the platform's own data. */
import assert from 'node:assert/strict'
import { eventually } from '../harness/events.ts'
import type { Person } from './person.ts'

/** Who operates the service is known in every process within half a minute (0045). */
const knownMs = 120_000

/** @throws what a page lacks: its heading, words instead of a failure, ease of use, scripts without errors */
export async function operatorPages(
  person: Person,
  { user, account }: { readonly user: string; readonly account: string },
): Promise<void> {
  const { page } = person
  const pages = [
    ['relays', '/operator/relays', 'Relays', 'Relays'],
    ['accounts', '/operator?who=cyd', 'Operator', 'cyd@example.com'],
    ['account', `/operator/accounts/${account}`, /./, 'Feature flags'],
    ['person', `/operator/people/${user}`, /./, 'cyd@example.com'],
    ['revenue', '/operator/revenue', /./, 'Revenue'],
    ['security', '/operator/security', /./, 'Security'],
    ['system', '/operator/system', 'System', 'Database'],
    ['mails', '/mails', /./, 'Mails'],
  ] as const
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
  for (const [name, path, heading, says] of pages) {
    await person.go(path)
    await person.heading(heading)
    await page.getByRole('main').getByText(says).first().waitFor()
    await page.waitForFunction('!/Loading the /.test(document.body.innerText)')
    assert.deepEqual(await page.getByRole('alert').allInnerTexts(), [], `${name} says that something failed`)
    await person.noBarriers(name)
    person.noErrors(name)
    await person.see(`51-operator-${name}`)
  }
}
