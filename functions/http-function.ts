/** A Fetch handler as Google's framework calls one, within the log context of its request. */
import type { HttpFunction } from '@google-cloud/functions-framework'
import { getRequestListener } from '@hono/node-server'
import type { Fetch } from './answers.ts'
import { withRequest } from './log.ts'

export function httpFunction(handle: Fetch): HttpFunction {
  // Other code of the process keeps the classes of Node.
  const options = { overrideGlobalObjects: false }
  const listen = getRequestListener((request) => withRequest(request, () => handle(request)), options)
  return (request, answer) => listen(request, answer)
}
