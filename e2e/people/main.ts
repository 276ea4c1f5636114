/**
 * `npm run walk:people`: people on both platforms in a real browser. First what they do in the console (console.ts),
 * then from the first sign-in to the deletion (walk.ts), with clocks that are set ahead by days.
 *
 *   npm run walk:people -- --platform standalone --pictures data/walk
 *   npm run walk:console -- --platform cloud
 */
import { join, resolve } from 'node:path'
import { startBrowser } from '../harness/browser.ts'
import { missingOf, sayMissing } from '../harness/installed.ts'
import { readOptions } from '../harness/options.ts'
import { openCloudStage } from './cloud.ts'
import { walkConsole } from './console.ts'
import { openStandaloneStage } from './standalone.ts'
import { walk } from './walk.ts'

const stages = { standalone: openStandaloneStage, cloud: openCloudStage } as const
type Platform = keyof typeof stages
const isPlatform = (name: string): name is Platform => name in stages

/** In this order, on one stage: the second sets clocks ahead. */
const walks = { console: walkConsole, people: walk } as const
type WalkName = keyof typeof walks
const isWalk = (name: string): name is WalkName => name in walks

const {
  platform,
  pictures,
  walk: wanted,
} = readOptions({
  name: 'walk:people',
  what: 'People in Chromium: from sign-up to visitors, 502, webhooks, paying; passkey, team, invitation, deletion.',
  takes:
    'Takes about four minutes for each platform; needs Chromium, and for the cloud its emulators (docs/cloud.md).',
  options: {
    platform: {
      type: 'string',
      multiple: true,
      default: Object.keys(stages),
      value: 'name',
      says: 'may be repeated',
    },
    walk: {
      type: 'string',
      multiple: true,
      default: Object.keys(walks),
      value: 'name',
      says: `${Object.keys(walks).join(' or ')}; may be repeated`,
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
    const options = {
      stage,
      browser,
      pictures: folder,
      say: (step: string) => say(`${platform.padEnd(11)} ${step}`),
    }
    for (const name of Object.keys(walks).filter(isWalk))
      if (wanted.includes(name)) await walks[name](options)
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
  const unknown = [
    ...platform.filter((name) => !isPlatform(name)).map((name) => `platform ${name}`),
    ...wanted.filter((name) => !isWalk(name)).map((name) => `walk ${name}`),
  ]
  if (unknown.length > 0) {
    say(
      `there is no ${unknown.join(', ')}: ${Object.keys(stages).join(', ')}; ${Object.keys(walks).join(', ')}`,
    )
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
