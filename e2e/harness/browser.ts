/** A real Chromium that opens the console. Errors inside a page are collected and fail the test. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import axe from 'axe-core'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { isWhole } from '../breadth.ts'
import { programPath } from '../requirements.ts'
import { patienceMs } from './events.ts'
import { root } from './programs.ts'

export type Looks = 'light' | 'dark' | 'phone'

/** Git-ignored, for people to look at. */
const screenshots = join(root, 'e2e/screenshots')

const looks: Readonly<Record<Looks, BrowserContextOptions>> = {
  light: { viewport: { width: 1280, height: 860 }, colorScheme: 'light' },
  dark: { viewport: { width: 1280, height: 860 }, colorScheme: 'dark' },
  phone: { viewport: { width: 375, height: 760 }, colorScheme: 'light', isMobile: true, hasTouch: true },
}

export type Tab = {
  readonly page: Page
  /** Errors of scripts and of the content policy since the last call. */
  takeErrors(): readonly string[]
  /** With `npm run test:long`: drawing a page takes as long as a test of it. */
  screenshot(name: string): Promise<void>
  close(): Promise<void>
}

export function startBrowser(): Promise<Browser> {
  // Chromium's own sandbox cannot run as root; the only pages it sees here are ours.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  return chromium.launch({ executablePath: programPath('chromium'), args })
}

export async function openTab(browser: Browser, look: Looks = 'light'): Promise<Tab> {
  const context = await browser.newContext({ ...looks[look], reducedMotion: 'reduce' })
  const page = await context.newPage()
  page.setDefaultTimeout(patienceMs)
  const errors: string[] = []
  page.on('pageerror', (error) => errors.push(error.message))
  page.on('console', (message) => {
    // The browser itself logs an answer other than 2xx, and some tests expect one.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      errors.push(message.text())
  })
  return {
    page,
    takeErrors: () => errors.splice(0),
    screenshot: async (name) => {
      if (!isWhole) return
      mkdirSync(screenshots, { recursive: true })
      await page.screenshot({ path: join(screenshots, `${name}-${look}.png`), fullPage: true })
    },
    close: () => context.close(),
  }
}

/** What axe-core finds wrong for people with other senses or hands, each with the first element that has it. */
export async function barriersIn(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source)
  return page.evaluate<string[]>(
    `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
      violations.map(({ id, nodes }) => id + ': ' + nodes[0].html.slice(0, 200)))`,
  )
}

/** CSS pixels by which a page is wider than its window; above 0 it scrolls sideways. */
export function pixelsTooWide(page: Page): Promise<number> {
  return page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')
}

export async function signIn(
  { page }: Tab,
  origin: string,
  { email, password }: { readonly email: string; readonly password: string },
): Promise<void> {
  await page.goto(`${origin}/sign-in`)
  await page.getByLabel('Email').fill(email)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'Tunnels', level: 1 }).waitFor()
}
