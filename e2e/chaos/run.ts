/** Inside the visitors' namespace: runs scenarios one after another and prints a row for each. Started by main.ts. */
import { parseArgs } from 'node:util'
import { systemClock } from '@porttunneler/shared/base/clock'
import { z } from 'zod'
import { Faults, nameNetwork } from './network.ts'
import type { Lab, Scenario } from './scenario.ts'
import { scenarios } from './scenarios.ts'

const { values } = parseArgs({
  options: {
    network: { type: 'string' },
    seed: { type: 'string' },
    only: { type: 'string', multiple: true, default: [] },
    short: { type: 'boolean', default: false },
  },
})
const options = z
  .object({ network: z.string(), seed: z.coerce.number().int().min(0), short: z.boolean() })
  .parse(values)

// The programs of a scenario end with this process, however it ends.
process.on('disconnect', () => process.exit(1))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))

const network = nameNetwork(options.network)
const lab: Lab = {
  network,
  faults: new Faults(network),
  seed: options.seed,
  isShort: options.short,
  patience: options.short ? 4 : 1,
}
const wanted = scenarios.filter(({ name }) => values.only.length === 0 || values.only.includes(name))

/** All of them together take 25 minutes on a quiet machine, 8 in their short form. */
const scenarioMsMax = (options.short ? 10 : 30) * 60_000

let failed = 0
for (const scenario of wanted) if (!(await runOne(scenario))) failed += 1
process.exit(failed === 0 ? 0 : 1)

async function runOne(scenario: Scenario): Promise<boolean> {
  const startMs = systemClock.monotonic()
  const row = (verdict: string, says: string) => {
    const seconds = ((systemClock.monotonic() - startMs) / 1_000).toFixed(0)
    process.stdout.write(`| ${scenario.name} | ${verdict} | ${says} | ${seconds} s |\n`)
  }
  // The programs of a scenario that hangs end with this process, and so does the run.
  const timer = systemClock.after(scenarioMsMax, () => {
    row('FAILED', `it hangs: not over within ${scenarioMsMax / 60_000} minutes`)
    process.exit(1)
  })
  try {
    row('ok', (await scenario.run(lab)).join('; '))
    return true
  } catch (error) {
    row('FAILED', String(error))
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
    return false
  } finally {
    timer.clear()
  }
}
