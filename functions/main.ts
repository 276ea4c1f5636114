/**
 * The entry of the deployed bundle: `functions-framework --target=<function>`. One process serves one function and
 * loads only its code. With a wrong setting it does not start, and its last line says what is wrong and how to mend it.
 */
import process from 'node:process'
import { parseArgs } from 'node:util'
import { cloudEvent, http } from '@google-cloud/functions-framework'
import { systemClock } from '@porttunneler/shared/base/clock'
import { isFailure } from '@porttunneler/shared/base/errors'
import { openTelemetry } from '@porttunneler/shared/telemetry/open'
import type { Fetch } from './answers.ts'
import type { Cloud } from './cloud.ts'
import { deployments } from './deployment.ts'
import { httpFunction } from './http-function.ts'
import { makeLog } from './log.ts'
import { passRequestsThrough } from './raw-requests.ts'
import { readSettings } from './settings.ts'

type EventFunction = (event: { data?: unknown }) => Promise<void>

/** By name, with what loads each. */
const httpFunctions: ReadonlyMap<string, (cloud: Cloud) => Promise<Fetch>> = new Map([
  ['api', async (cloud) => (await import('./api.ts')).cloudApi(cloud)],
  ['onSchedule', async (cloud) => (await import('./on-schedule.ts')).scheduleFunction(cloud)],
  ['stripeWebhook', async (cloud) => (await import('./stripe-webhook.ts')).cloudStripeWebhook(cloud)],
])
/** Called by Pub/Sub with a CloudEvent, which the framework reads. */
const eventFunctions: ReadonlyMap<string, (cloud: Cloud) => Promise<EventFunction>> = new Map([
  ['onRelayEvent', async ({ control }) => (await import('./on-relay-event.ts')).relayEventFunction(control)],
  ['onJobs', async ({ control }) => (await import('./on-jobs.ts')).jobsFunction(control)],
])

const log = makeLog(process.env.GOOGLE_CLOUD_PROJECT ?? '')
try {
  await register(targetOf(process.argv.slice(2), process.env.FUNCTION_TARGET))
} catch (error) {
  if (isFailure(error)) log.error({ code: error.code, error, cure: error.entry.cure }, error.detail)
  throw error
}

/** Reads the target as the framework does: its option, else the variable. */
function targetOf(args: string[], variable: string | undefined): string | undefined {
  const { target } = parseArgs({ args, options: { target: { type: 'string' } }, strict: false }).values
  return typeof target === 'string' ? target : variable
}

/** The framework itself refuses an unknown name. */
async function register(target: string | undefined): Promise<void> {
  const load = httpFunctions.get(target ?? '')
  const loadEvent = eventFunctions.get(target ?? '')
  if (target === undefined || (!load && !loadEvent)) return
  const settings = readSettings(process.env)
  const { openCloud } = await import('./cloud.ts')
  const telemetry = await openTelemetry(process.env, {
    service: `porttunneler-${target}`,
    version: settings.control.version,
    clock: systemClock,
    onTrouble: (error) => log.warn({ error }, 'traces or metrics could not be sent'),
  })
  const cloud = openCloud(settings, log, { telemetry })
  if (loadEvent) cloudEvent(target, await loadEvent(cloud))
  if (!load) return
  const handle = await load(cloud)
  passRequestsThrough()
  http(target, httpFunction(handle))
  if (!deployments[target]?.signs) return
  // If this fails, the first request tries again and reports it.
  cloud.warm().catch((error: unknown) => log.warn({ error }, 'an instance starts without its keys'))
}
