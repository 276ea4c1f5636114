/**
 * `npm run walk:people`: people on both platforms in a real browser, from the first sign-in to the deletion (walk.ts),
 * with clocks that are set ahead by days.
 *
 *   npm run walk:people -- --platform standalone --pictures data/walk
 */
import { join, resolve } from 'node:path'
import { startBrowser } from '../harness/browser.ts'
import { missingOf, sayMissing } from '../harness/installed.ts'
import { readOptions } from '../harness/options.ts'
import { openCloudStage } from './cloud.ts'
import { openStandaloneStage } from './standalone.ts'
import { walk } from './walk.ts'

const stages = { standalone: openStandaloneStage, cloud: openCloudStage } as const
type Platform = keyof typeof stages
const isPlatform = (name: string): name is Platform => name in stages

const { platform, pictures } = readOptions({
  name: 'walk:people',
  what: 'People in Chromium: sign up by OIDC, passkey, team, invitation, a lost device, leaving, deletion.',
  takes:
    'Takes about two minutes for each platform; needs Chromium, and for the cloud its emulators (docs/cloud.md).',
  options: {
    platform: {
      type: 'string',
      multiple: true,
      default: Object.keys(stages),
      value: 'name',
      says: 'may be repeated',
    },
    pictures: {
      type: 'string',
      value: 'folder',
      says: 'keeps each page, on desktop and phone, light and dark',
    },
  },
})

const say = (line: string) => process.stdout.write(`${line}\n`)

async function walkOn(platform: Platform): Promise<void> {
  const stage = await stages[platform]()
  const browser = await startBrowser()
  try {
    const folder = pictures === undefined ? undefined : join(resolve(pictures), platform)
    await walk({ stage, browser, pictures: folder, say: (step) => say(`${platform.padEnd(11)} ${step}`) })
  } catch (error) {
    for (const page of browser.contexts().flatMap((context) => context.pages())) {
      say(`\n${page.url()} showed:\n${await page.innerText('body').catch(() => 'nothing')}\n`)
    }
    throw error
  } finally {
    await browser.close()
    await stage.stop()
  }
}

async function main(): Promise<number> {
  const unknown = platform.filter((name) => !isPlatform(name))
  if (unknown.length > 0) {
    say(`no platform ${unknown.join(', ')}; there are ${Object.keys(stages).join(', ')}`)
    return 2
  }
  const missing = missingOf(platform.includes('cloud') ? ['chromium', 'authEmulator'] : ['chromium'])
  if (missing.length > 0) {
    say(`left out: ${sayMissing(missing)}`)
    return process.env.CI === 'true' ? 1 : 0
  }
  for (const name of platform.filter(isPlatform)) await walkOn(name)
  return 0
}

process.exitCode = await main()
