/** A Fetch handler as Google's framework calls one: within its request's log context, and made when it is needed. */
import type { HttpFunction } from '@google-cloud/functions-framework'
import { getRequestListener } from '@hono/node-server'
import type { Fetch } from './answers.ts'
import { withRequest } from './log.ts'

/** @param open gives the handler, at once when it was made already */
export function httpFunction(open: () => Promise<Fetch> | Fetch): HttpFunction {
  const listen = getRequestListener(
    async (request) => {
      const handle = await open()
      return withRequest(request, () => handle(request))
    },
    // Other code of the process keeps the classes of Node.
    { overrideGlobalObjects: false },
  )
  return (request, answer) => listen(request, answer)
}
