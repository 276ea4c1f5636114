/**
 * The API as a Cloud Function: the same Fetch handler as everywhere, behind Google's HTTP framework. The platform is
 * handed in, so that this file knows no SDK but the framework's.
 */
import { http } from '@google-cloud/functions-framework'
import { getRequestListener } from '@hono/node-server'
import { type ApiDeps, makeApi } from '@porttunneler/shared/api/app'
import type { Context } from 'hono'

/** Google's front end appends the address that it saw; whatever stands before it is the visitor's own claim. */
export function clientAddress(context: Context): string {
  const seen = context.req.header('x-forwarded-for')?.split(',').at(-1)?.trim()
  return seen || 'unknown'
}

/** Registers the HTTP function `api`. Call it once, at the start of the process. */
export function registerApi(deps: Omit<ApiDeps, 'addressOf'>): void {
  const app = makeApi({ ...deps, addressOf: clientAddress })
  // The framework has read the body by then; the listener takes it from `rawBody`.
  const listen = getRequestListener(app.fetch, { overrideGlobalObjects: false })
  http('api', (request, answer) => listen(request, answer))
}
