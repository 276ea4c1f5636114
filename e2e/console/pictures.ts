/**
 * `npm run console:pictures`: a picture of every page and dialog of the console on a real server with data, on a phone,
 * a laptop and a large screen, light and dark, for people to look at. Each is also looked at by axe and for what does
 * not fit; the command fails when something is wrong, or when a dialog was not seen.
 *
 *   npm run console:pictures -- --only tunnels --pictures data/pictures
 */
import { globSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Page } from 'playwright-core'
import { dialogs, type Stop, stops, type Who } from '../../web/testing/stops.ts'
import { startBrowser } from '../harness/browser.ts'
import { missingOf, sayMissing } from '../harness/installed.ts'
import { readOptions } from '../harness/options.ts'
import { lookAtDialogs } from './dialogs.ts'
import { goTo, type Look, lookAt, openTabOf } from './look.ts'
import { openConsoleStage } from './stage.ts'

const { only, pictures } = readOptions({
  name: 'console:pictures',
  what: 'A picture of every page and dialog of the console, in three sizes and both themes; what is wrong is listed.',
  takes: 'Takes about fifteen minutes, with --only less; needs Chromium.',
  options: {
    only: { type: 'string', multiple: true, value: 'text', says: 'pages whose name has it; may be repeated' },
    pictures: { type: 'string', default: 'e2e/screenshots/console', value: 'folder', says: 'where they go' },
  },
})

const say = (line: string) => process.stdout.write(`${line}\n`)

async function main(): Promise<number> {
  const missing = missingOf(['chromium'])
  if (missing.length > 0) {
    say(`left out: ${sayMissing(missing)}`)
    return process.env.CI === 'true' ? 1 : 0
  }
  const folder = resolve(pictures)
  rmSync(folder, { recursive: true, force: true })
  const faults = new Set<string>()
  const onFault: Look['onFault'] = (picture, fault) => {
    const line = `${picture}: ${fault}`
    if (!faults.has(line)) say(line)
    faults.add(line)
  }
  const chosen = stops.filter(({ name }) => !only || only.some((text) => name.includes(text)))
  const titles = await walk(chosen, { widths: [360, 1280, 2560], folder, onFault })
  if (only === undefined)
    for (const { file, title } of unseen(titles)) onFault(file, `${title} was not opened`)
  writeFileSync(join(folder, 'index.html'), indexOf(folder))
  say(
    `${chosen.length} pages, ${titles.length} dialogs, ${faults.size} faults; open ${join(folder, 'index.html')}`,
  )
  return faults.size === 0 ? 0 : 1
}

/** @returns the titles of all dialogs */
async function walk(chosen: readonly Stop[], look: Look): Promise<readonly string[]> {
  const stage = await openConsoleStage()
  const browser = await startBrowser()
  const titles: string[] = []
  try {
    for (const who of new Set<Who>(chosen.map((stop) => stop.who))) {
      const tab = await openTabOf(browser, stage, who)
      const { page } = tab
      for (const stop of chosen.filter((one) => one.who === who)) {
        const load = () => goTo(page, stage, stop)
        await load()
        await lookAt(page, stop.name, look)
        if (stop.name === 'tunnels') await lookAtMenus(page, look)
        if (who === 'owner') titles.push(...(await lookAtDialogs(page, { name: stop.name, load, look })))
        for (const error of tab.takeErrors().filter((text) => !isOfMail(text))) look.onFault(stop.name, error)
      }
      await tab.close()
    }
  } finally {
    await browser.close()
    await stage.close()
  }
  return titles
}

/** A mail is shown as it is, and the console's content policy lets none of its styles act. */
const isOfMail = (text: string) => text.startsWith('Applying inline style violates')

/** What opens from everywhere. */
async function lookAtMenus(page: Page, look: Look): Promise<void> {
  const small = { ...look, widths: look.widths.filter((width) => width !== 2560), isModal: true }
  await page.keyboard.press('Control+k')
  await page.getByRole('option').first().waitFor()
  await lookAt(page, 'palette', small)
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Account menu' }).click()
  await lookAt(page, 'account-menu', small)
  await page.keyboard.press('Escape')
}

/** The dialogs of the list that nobody has seen. */
function unseen(titles: readonly string[]): readonly { readonly file: string; readonly title: string }[] {
  return Object.entries(dialogs).flatMap(([file, wanted]) =>
    typeof wanted === 'string'
      ? []
      : wanted
          .filter((title) => !titles.some((seen) => seen.includes(title)))
          .map((title) => ({ file, title })),
  )
}

/** All pictures on one page, those of a page beside each other. */
function indexOf(folder: string): string {
  const figures = globSync('*.png', { cwd: folder })
    .toSorted()
    .map(
      (file) => `<figure><img loading="lazy" src="${file}" alt=""><figcaption>${file}</figcaption></figure>`,
    )
  return `<!doctype html><meta charset="utf-8"><title>Console</title>
<style>body{display:flex;flex-wrap:wrap;gap:1rem;font:14px sans-serif}figure{margin:0}img{max-width:400px}</style>
${figures.join('\n')}\n`
}

process.exitCode = await main()
