/** Problems with meter events come later, as a thin event (docs.stripe.com/billing/subscriptions/usage-based). */
import { queueThin } from './deliveries.ts'
import type { MeterProblem } from './meter-usage.ts'
import type { Due } from './time.ts'
import type { World } from './world.ts'

/** Stripe gathers them for a while. */
const gatherFor = 300

export function reportDue(world: World): Due | undefined {
  const { problemsSince: since, problems } = world.usage
  if (problems.size === 0 || since === undefined) return undefined
  return { at: since + gatherFor, act: () => report(world, since) }
}

function report(world: World, since: number): void {
  const { problems } = world.usage
  for (const [meter, found] of problems) reportMeter(world, { meter, found, since })
  problems.clear()
  world.usage.problemsSince = undefined
}

type Found = { readonly meter: string; readonly found: readonly MeterProblem[]; readonly since: number }

function reportMeter(world: World, { meter, found, since }: Found): void {
  const codes = [...new Set(found.map(({ code }) => code))]
  const isKnown = meter !== ''
  const event = world.keep('thinEvents', {
    id: world.id('evt_test', 24),
    object: 'v2.core.event',
    created: iso(world.now()),
    livemode: false,
    type: isKnown ? 'v1.billing.meter.error_report_triggered' : 'v1.billing.meter.no_meter_found',
    related_object: isKnown ? { id: meter, type: 'billing.meter', url: `/v1/billing/meters/${meter}` } : null,
    data: {
      developer_message_summary: `There is ${found.length} invalid event`,
      reason: {
        error_count: found.length,
        error_types: codes.map((code) => {
          const these = found.filter((one) => one.code === code)
          return {
            code,
            error_count: these.length,
            sample_errors: these.slice(0, 10).map(({ message, identifier }) => ({
              error_message: message,
              request: { identifier },
            })),
          }
        }),
      },
      validation_start: iso(since),
      validation_end: iso(world.now()),
    },
  })
  queueThin(world, event)
}

function iso(seconds: number): string {
  return new Date(seconds * 1_000).toISOString()
}
