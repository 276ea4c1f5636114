/**
 * Opens the dialogs of a page one after the other, as a person does by their buttons, and looks at each. Changes do not
 * reach the server meanwhile, so that buttons which act at once harm nothing and each page stays as it was.
 */
import type { Page, Route } from 'playwright-core'
import { eventually } from '../harness/events.ts'
import { drawn, type Look, lookAt, settled } from './look.ts'

/** They end the walk, or only ask for the same again. */
const passed = /^(?:Sign out|End the view|Load it again|Try again|Look again|Show more|Search|Copy)/
/** Reads that are no GET. */
const reads = /\/v1\/(?:watch|invitations\/read)$/

type Opener = {
  /** Its mark in the page. */
  readonly at: string
  readonly name: string
  /** The button of the menu that holds it. */
  readonly menu?: string
}

/**
 * @param name of the pictures
 * @param load shows the page anew
 * @returns the titles that it has seen
 */
export async function lookAtDialogs(
  page: Page,
  { name, load, look }: { readonly name: string; readonly load: () => Promise<void>; readonly look: Look },
): Promise<readonly string[]> {
  const titles: string[] = []
  // A phone alone: a dialog is as wide as one anyway, and another size would take its button away.
  await page.setViewportSize({ width: 360, height: 740 })
  await page.route('**/v1/**', refuseChanges)
  const openers = await openersOf(page, load)
  let isFresh = true
  for (const opener of openers) {
    if (!isFresh) await load()
    await open(page, opener)
    const title = await titleOf(page)
    // What opens no dialog may have changed the page.
    isFresh = title !== undefined
    if (title === undefined) continue
    titles.push(title)
    await settled(page)
    const picture = `${name}-dialog-${slugOf(title)}`
    const say = (fault: string) => look.onFault(picture, fault)
    if (!(await hasFocusInside(page))) say('the focus is outside of the dialog')
    await lookAt(page, picture, { ...look, widths: [360], isModal: true })
    await page.keyboard.press('Escape')
    await drawn(page)
    isFresh = (await titleOf(page)) === undefined
    if (!isFresh) say('Escape does not close it')
    else if (!(await focusIsBack(page, opener))) say(`the focus is not back at ${opener.name}`)
  }
  await page.unroute('**/v1/**', refuseChanges)
  return titles
}

function refuseChanges(route: Route): Promise<void> {
  const request = route.request()
  const isRead = request.method() === 'GET' || reads.test(new URL(request.url()).pathname)
  return isRead || /\/v1\/auth\/refresh$/.test(request.url()) ? route.continue() : route.abort()
}

/** Some parts of a page come after the rest. */
async function open(page: Page, { at, menu }: Opener): Promise<void> {
  for (const button of menu === undefined ? [at] : [menu, at]) {
    await eventually(`the button ${button}`, async () =>
      (await mark(page)).some((one) => one.at === button) ? true : undefined,
    )
    await page.locator(`[data-opener="${button}"]`).click()
  }
  await drawn(page)
}

/** The buttons of the page, one of each text, and those of the menus that they open. */
async function openersOf(page: Page, load: () => Promise<void>): Promise<readonly Opener[]> {
  await load()
  const openers: Opener[] = []
  for (const { at, name, isMenu } of await mark(page)) {
    if (!isMenu) openers.push({ at, name })
    else {
      await page.locator(`[data-opener="${at}"]`).click()
      const inside = (await mark(page)).filter(({ isInMenu }) => isInMenu)
      openers.push(...inside.map((item) => ({ at: item.at, name, menu: at })))
      await page.keyboard.press('Escape')
    }
  }
  return openers.filter(({ name }) => !passed.test(name))
}

type Marked = {
  readonly at: string
  readonly name: string
  readonly isMenu: boolean
  readonly isInMenu: boolean
}

/** Marks each button that is seen by its place among those of its text, which is the same after each loading. */
function mark(page: Page): Promise<readonly Marked[]> {
  return page.evaluate<Marked[]>(`(() => {
    const seen = new Set()
    return [...document.querySelectorAll('main button')].flatMap((button) => {
      const name = (button.textContent || button.getAttribute('aria-label') || '').trim()
      const isInMenu = button.closest('[popover]:popover-open') !== null
      const key = (isInMenu ? 'menu ' : '') + name + (button.textContent ? '' : button.getAttribute('aria-label'))
      if (!button.checkVisibility() || button.disabled || seen.has(key) || button.closest('dialog')) return []
      seen.add(key)
      button.dataset.opener = key
      const isMenu = button.hasAttribute('popovertarget')
      return [{ at: key, name: name || button.getAttribute('aria-label') || '', isMenu, isInMenu }]
    })
  })()`)
}

function titleOf(page: Page): Promise<string | undefined> {
  return page.evaluate<string | undefined>(
    `document.querySelector('dialog[open] h2')?.textContent ?? undefined`,
  )
}

function hasFocusInside(page: Page): Promise<boolean> {
  return page.evaluate<boolean>(`document.activeElement?.closest('dialog[open]') !== null`)
}

/** At the button, or at the one of the menu. */
function focusIsBack(page: Page, { at, menu }: Opener): Promise<boolean> {
  return page.evaluate<boolean>(`document.activeElement?.dataset.opener === ${JSON.stringify(menu ?? at)}`)
}

function slugOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^a-z]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 40)
}
