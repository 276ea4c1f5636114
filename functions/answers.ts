/** The answers of functions other than the API: problem documents for failures, as in the API. */

import { toProblem } from '@porttunneler/shared/api/problem'
import { fail, isFailure, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'

/** A function that is called by HTTP. */
export type Fetch = (request: Request) => Response | Promise<Response>

/** Returns the result of `handle`; an error that it throws is logged and answered as a problem. */
export function answering(
  handle: Fetch,
  { log, docsUrl }: { readonly log: Log; readonly docsUrl: string },
): Fetch {
  return async (request) => {
    try {
      return await handle(request)
    } catch (thrown) {
      const error = isFailure(thrown) ? thrown : fail('api.internal', undefined, { cause: thrown })
      if (error.entry.http >= 500) log.error({ code: error.code, error: thrown }, 'a call failed')
      else log.warn({ code: error.code }, error.detail)
      return problemAnswer(error, docsUrl)
    }
  }
}

function problemAnswer(error: PortTunnelerError, docsUrl: string): Response {
  return new Response(JSON.stringify(toProblem(error, { docsUrl })), {
    status: error.entry.http,
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
  })
}
