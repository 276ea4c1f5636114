/** A Fetch handler in the form that Google's framework calls, within the log context of its request. */
import type { HttpFunction } from '@google-cloud/functions-framework'
import { getRequestListener } from '@hono/node-server'
import type { Fetch } from './answers.ts'
import { withRequest } from './log.ts'

export function httpFunction(handle: Fetch): HttpFunction {
  // Uses the listener's own Request as the global one: a middleware makes a new one from it when a body has no length.
  const listen = getRequestListener((request) => withRequest(request, () => handle(request)))
  return (request, answer) => listen(request, answer)
}
