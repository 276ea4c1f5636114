/**
 * The entry of the deployed bundle: `functions-framework --target=<function>`. One process serves one function and
 * loads the code of that one alone. Told something wrong it does not start; its last line says what and how to mend it.
 */
import process from 'node:process'
import { parseArgs } from 'node:util'
import { cloudEvent, http } from '@google-cloud/functions-framework'
import { isFailure } from '@porttunneler/shared/base/errors'
import type { Fetch } from './answers.ts'
import type { Cloud } from './cloud.ts'
import { deployments } from './deployment.ts'
import { httpFunction } from './http-function.ts'
import { makeLog } from './log.ts'
import { passRequestsThrough } from './raw-requests.ts'
import { readSettings } from './settings.ts'

type EventFunction = (event: { data?: unknown }) => Promise<void>

/** By name, with what loads it. */
const httpFunctions: ReadonlyMap<string, (cloud: Cloud) => Promise<Fetch>> = new Map([
  ['api', async (cloud) => (await import('./api.ts')).cloudApi(cloud)],
  ['onSchedule', async ({ control }) => (await import('./on-schedule.ts')).scheduleFunction(control)],
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

/** As the framework reads it: its option, else the variable. */
function targetOf(args: string[], variable: string | undefined): string | undefined {
  const { target } = parseArgs({ args, options: { target: { type: 'string' } }, strict: false }).values
  return typeof target === 'string' ? target : variable
}

/** A name that is none of ours the framework refuses itself. */
async function register(target: string | undefined): Promise<void> {
  const load = httpFunctions.get(target ?? '')
  const loadEvent = eventFunctions.get(target ?? '')
  if (target === undefined || (!load && !loadEvent)) return
  const settings = readSettings(process.env)
  const { openCloud } = await import('./cloud.ts')
  const cloud = openCloud(settings, log)
  if (loadEvent) cloudEvent(target, await loadEvent(cloud))
  if (!load) return
  const handle = await load(cloud)
  passRequestsThrough()
  http(target, httpFunction(handle))
  if (!deployments[target]?.signs) return
  // What fails now is tried again by the first request, which then says so.
  cloud.warm().catch((error: unknown) => log.warn({ error }, 'an instance starts without its keys'))
}
