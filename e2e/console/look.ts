/** Looking at one page of the console: sizes, themes, a picture of each, and what is wrong with it. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { addressOf, type Stop, type Who } from '../../web/testing/stops.ts'
import { barriersIn, openTab, pixelsTooWide, type Tab } from '../harness/browser.ts'
import { eventually } from '../harness/events.ts'
import type { ConsoleStage } from './stage.ts'

const themes = ['light', 'dark'] as const
/** A small phone, a laptop, a large screen. Beyond 1,280 px a page has no other elements, so axe looks at two. */
const widths = { 360: 740, 1280: 860, 2560: 1300 } as const
type Width = 360 | 1280 | 2560

export type Look = {
  readonly widths: readonly Width[]
  /** Where pictures go; undefined: none are made. */
  readonly folder?: string | undefined
  /** It stands before the page: what is below the window does not matter. */
  readonly isModal?: boolean
  /** Gets whatever is wrong, with the name of the picture that shows it. */
  readonly onFault: (picture: string, fault: string) => void
}

/** A tab of somebody who is signed in, at the page that comes first for them. */
export async function openTabOf(browser: Browser, { service, people }: ConsoleStage, who: Who): Promise<Tab> {
  const tab = await openTab(browser)
  if (who === 'nobody') return tab
  const { page } = tab
  await page.goto(`${service.api}/sign-in`)
  await page.getByLabel('Email').fill(people[who].email)
  await page.getByLabel('Password').fill(people[who].password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByLabel('Password').waitFor({ state: 'detached' })
  await settled(page)
  return tab
}

export async function goTo(page: Page, { service, ids }: ConsoleStage, stop: Stop): Promise<void> {
  await page.goto(`${service.api}${addressOf(stop, ids)}`)
  await settled(page)
}

/** Nothing loads any more, and what has come is drawn. */
export async function settled(page: Page): Promise<void> {
  // The console's content policy forbids what Playwright's own waiting for a function does inside the page.
  await eventually('nothing loads any more', async () => (await page.evaluate<boolean>(isStill)) || undefined)
  await drawn(page)
}

const isStill = `document.querySelector('h1') !== null &&
  document.querySelector('.animate-pulse, [aria-busy="true"]') === null`

/** Waits for two frames: the first may still show what was there. */
export async function drawn(page: Page): Promise<void> {
  await page.evaluate(
    'document.fonts.ready.then(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))',
  )
}

/** Looks at what a page shows now, in every size and theme. */
export async function lookAt(
  page: Page,
  name: string,
  { widths: sizes, folder, isModal = false, onFault }: Look,
): Promise<void> {
  for (const width of sizes) {
    await page.setViewportSize({ width, height: widths[width] })
    for (const theme of themes) {
      const picture = `${name}-${width}-${theme}`
      await page.emulateMedia({ colorScheme: theme })
      await drawn(page)
      if (folder !== undefined) {
        mkdirSync(folder, { recursive: true })
        await page.screenshot({ path: join(folder, `${picture}.png`), fullPage: !isModal })
      }
      if (width !== 2560) for (const barrier of await barriersIn(page)) onFault(picture, barrier)
    }
    for (const fault of await misfitsIn(page)) onFault(`${name}-${width}`, fault)
  }
}

/** What a window this wide cuts off. */
async function misfitsIn(page: Page): Promise<readonly string[]> {
  const tooWide = await pixelsTooWide(page)
  const cut = await page.evaluate<string[]>(cutOff)
  return [...(tooWide > 0 ? [`${tooWide} px wider than the window`] : []), ...cut]
}

/** Text that its own box hides, without dots that say so and without a way to scroll. */
const cutOff = `[...document.querySelectorAll('body *')].filter((element) => {
  const { overflowX, textOverflow, position, clipPath } = getComputedStyle(element)
  if (clipPath !== 'none' || position === 'absolute' && element.clientWidth <= 1) return false
  if (!/hidden|clip/.test(overflowX) || textOverflow === 'ellipsis' ||
    element.closest('svg, .u-wrap, input')) return false
  return element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0
}).map((element) => 'cuts off: ' + element.outerHTML.slice(0, 160))`
