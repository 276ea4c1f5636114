/**
 * `npm run game-day`: what can go wrong on a day, goes wrong, on a clock that is moved by hand. Each fault is seen, its
 * people are told once, it is found by its id, and it is closed; a table says how. A fault that is not ends with 1.
 *
 *   npm run game-day -- --platform standalone --fault webhook
 */
import { EmulatorsMissing } from '@porttunneler/functions/testing/emulators'
import { readOptions } from '../harness/options.ts'
import { openFirestore } from './firestore.ts'
import { type Outcome, scenarios } from './scenarios.ts'
import { type Database, openStage } from './stage.ts'

type Place = { open(): Promise<Database | undefined>; close(): Promise<void> }
const places: Readonly<Record<string, () => Promise<Place>>> = {
  standalone: async () => ({ open: async () => undefined, close: async () => {} }),
  cloud: openFirestore,
}

const { platform, fault } = readOptions({
  name: 'game-day',
  what: 'Lets a relay, a certificate, a quota, a webhook and an erasure go through a bad day, on a clock that is moved by hand.',
  takes:
    'Takes half a minute for the standalone server, eleven minutes for the cloud; that needs Java and Google’s emulators.',
  options: {
    platform: {
      type: 'string',
      multiple: true,
      default: Object.keys(places),
      value: Object.keys(places).join('|'),
      says: 'may be repeated',
    },
    fault: {
      type: 'string',
      multiple: true,
      default: Object.keys(scenarios),
      value: 'name',
      says: `one of ${Object.keys(scenarios).join(', ')}; may be repeated`,
    },
  },
})

const say = (line: string) => process.stdout.write(`${line}\n`)
const columns = ['fault', 'seen', 'told', 'found', 'closed'] as const

async function run(name: string): Promise<boolean> {
  const place = await placeOf(name)
  if (!place) return process.env.CI !== 'true'
  let isWell = true
  say(`\n${name}\n\n| ${columns.join(' | ')} | took |\n|${'---|'.repeat(columns.length + 1)}`)
  try {
    for (const each of fault) {
      const startedAt = performance.now()
      const outcome = await runOne(place, each)
      if (!outcome) isWell = false
      else {
        const took = `${((performance.now() - startedAt) / 1_000).toFixed(1)} s`
        say(`| ${columns.map((column) => outcome[column]).join(' | ')} | ${took} |`)
      }
    }
  } finally {
    await place.close()
  }
  return isWell
}

/** @returns undefined where its emulators are not installed, which is said */
async function placeOf(name: string): Promise<Place | undefined> {
  try {
    return await places[name]?.()
  } catch (error) {
    if (!(error instanceof EmulatorsMissing)) throw error
    say(`${name} is left out: ${error.message}`)
    return undefined
  }
}

/** @returns undefined when something was not as promised, which is said */
async function runOne(place: Place, name: string): Promise<Outcome | undefined> {
  const stage = await openStage(await place.open())
  try {
    return await scenarios[name]?.(stage)
  } catch (error) {
    say(`| ${name} | **failed**: ${error instanceof Error ? error.message : error} | | | | |`)
    return undefined
  } finally {
    await stage.close()
  }
}

async function main(): Promise<number> {
  const unknown = [...platform.filter((name) => !places[name]), ...fault.filter((name) => !scenarios[name])]
  if (unknown.length > 0) {
    say(`there is no ${unknown.join(', ')}`)
    return 2
  }
  let isWell = true
  for (const name of platform) if (!(await run(name))) isWell = false
  return isWell ? 0 : 1
}

process.exitCode = await main()
