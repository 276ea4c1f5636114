/**
 * `npm run year`: a year of paying with clocks that are moved, on two instances of the control plane and Stripe's test
 * server. Prints its ledger, and fails unless invoices equal `bill()` and nobody has more or less than is paid for.
 *
 *   npm run year -- --accounts 200 --seed 7
 */
import { systemClock } from '@porttunneler/shared/base/clock'
import { z } from 'zod'
import { readOptions } from '../harness/options.ts'
import { runJourney } from './journey.ts'
import { sayLedger } from './ledger.ts'

const values = readOptions({
  name: 'year',
  what: 'A year of many accounts that pay, fail to pay, dispute, change and leave, with moved clocks.',
  takes: 'Takes some minutes; needs nothing from outside.',
  options: {
    accounts: { type: 'string', default: '200', value: 'number', says: 'how many sign up' },
    days: { type: 'string', default: '365', value: 'number', says: 'how long' },
    hours: {
      type: 'string',
      default: '6',
      value: 'number',
      says: 'between two looks at everything: a divisor of 24',
    },
    seed: {
      type: 'string',
      default: '1',
      value: 'number',
      says: 'draws transfer, the order of webhooks, and outages',
    },
    instances: {
      type: 'string',
      default: '2',
      value: 'number',
      says: 'of the control plane; with 1 a seed repeats the order of jobs too',
    },
  },
})
const count = z.coerce.number().int().min(1).max(10_000)
const options = {
  accounts: count.parse(values.accounts),
  days: count.parse(values.days),
  stepHours: z.coerce
    .number()
    .int()
    .refine((hours) => 24 % hours === 0)
    .parse(values.hours),
  instances: z.coerce
    .number()
    .pipe(z.literal([1, 2]))
    .parse(values.instances),
  seed: z.coerce.number().int().min(0).parse(values.seed),
}
const say = (line: string) => process.stdout.write(`${line}\n`)
const startMs = systemClock.monotonic()
say(`${options.accounts} accounts, ${options.days} days, seed ${options.seed}`)
const { faults, periods, acts, ledger } = await runJourney({ ...options, say })
say(`\n${sayLedger(ledger)}\n`)
for (const [name, times] of Object.entries(acts).sort()) say(`${times} x ${name}`)
say(`${periods} periods were compared in ${((systemClock.monotonic() - startMs) / 1_000).toFixed(0)} s`)
for (const fault of faults.slice(0, 50)) say(`FAULT ${fault}`)
if (faults.length > 0) say(`${faults.length} faults`)
process.exitCode = faults.length > 0 || periods === 0 ? 1 : 0
