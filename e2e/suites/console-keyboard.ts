/** The keyboard alone in the console: what it reaches, and where the focus is after each change. */
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { signIn, type Tab } from '../harness/browser.ts'
import type { Service } from '../harness/service.ts'

/** More than any page has places for the focus before what a test looks for. */
const pressesMax = 120

/** What a screen reader would call the focused element; '' where nothing has the focus. */
function focused(page: Page): Promise<string> {
  return page.evaluate<string>(`(() => {
    const at = document.activeElement
    if (!at || at === document.body) return ''
    const label = at.labels?.[0]?.textContent
    return (at.getAttribute('aria-label') ?? label ?? at.textContent ?? '').trim()
  })()`)
}

/** Goes on by Tab until the focus is at something of that name. */
async function tabTo(page: Page, name: RegExp): Promise<void> {
  for (let presses = 0; presses < pressesMax; presses++) {
    if (name.test(await focused(page))) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`no Tab leads to ${name}; the focus is at "${await focused(page)}"`)
}

/** After a change, once the page has drawn it. */
async function focusIsAt(page: Page, name: RegExp): Promise<void> {
  await expect.poll(() => focused(page), { timeout: 30_000 }).toMatch(name)
}

export function describeKeyboard(
  service: () => Service,
  inTab: (work: (tab: Tab) => Promise<void>) => Promise<void>,
): void {
  test('a keyboard alone makes a tunnel, renames and deletes it, and makes a key; the focus is never lost', () =>
    inTab(async (tab) => {
      const { page } = tab
      const press = async (name: RegExp) => {
        await tabTo(page, name)
        await page.keyboard.press('Enter')
      }
      await signIn(tab, service().api, service().account)
      await press(/^New tunnel$/)
      await focusIsAt(page, /^New tunnel$/)
      await tabTo(page, /^Name$/)
      await page.keyboard.type('by-keyboard')
      await press(/^Create tunnel$/)
      await focusIsAt(page, /^by-keyboard$/)
      await press(/^(?:See|Open|Go to) the tunnel$/)
      await focusIsAt(page, /^by-keyboard$/)
      await press(/^What to do with by-keyboard$/)
      await press(/^Rename$/)
      await focusIsAt(page, /^Name/)
      await page.keyboard.press('Control+a')
      await page.keyboard.type('by-hand')
      await page.keyboard.press('Enter')
      await focusIsAt(page, /^What to do with by-hand$/)
      await page.keyboard.press('Enter')
      await press(/^Delete tunnel$/)
      await focusIsAt(page, /^Cancel$/)
      await page.keyboard.press('Tab')
      await page.keyboard.press('Enter')
      await page.waitForURL(({ pathname }) => pathname === '/')
      await focusIsAt(page, /^Tunnels$/)
      await page.goto(`${service().api}/keys`)
      await press(/^Create key$/)
      await focusIsAt(page, /^Name/)
      await page.keyboard.type('by keyboard')
      await page.keyboard.press('Enter')
      const secret = page.getByText(/^pts_[\w-]{43}$/)
      await secret.waitFor()
      await page.keyboard.press('Escape')
      await page.keyboard.press('Escape')
      expect(await secret.isVisible()).toBe(true)
      await press(/^I have stored it$/)
      await focusIsAt(page, /^Create key$/)
      await press(/^Revoke by keyboard$/)
      await focusIsAt(page, /^Cancel$/)
      await page.keyboard.press('Escape')
      await focusIsAt(page, /^Revoke by keyboard$/)
      await page.keyboard.press('Enter')
      await tabTo(page, /^Revoke key$/)
      await page.keyboard.press('Enter')
      await focusIsAt(page, /^API keys$/)
    }))
}
