/** The address at which Stripe reports payments, as in the cloud. */
import { toProblem } from '@porttunneler/shared/api/problem'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import type { Secret } from '@porttunneler/shared/base/secret'
import type { Control } from '@porttunneler/shared/control/control'

export const webhookPath = '/hooks/stripe'

/** @param secrets none: nothing is sold, or nothing is told */
export function webhookOf(
  control: Control,
  secrets: readonly Secret[],
): (request: Request) => Promise<Response> {
  const { log, settings } = control
  return async (request) => {
    try {
      if (secrets.length === 0) throw fail('api.not_found')
      if (request.method !== 'POST') throw fail('api.method')
      const { takeWebhook } = await import('@porttunneler/shared/payments/webhook')
      return await takeWebhook(control, request, secrets)
    } catch (thrown) {
      const error = isFailure(thrown) ? thrown : fail('api.internal', undefined, { cause: thrown })
      if (error.entry.http >= 500) log.error({ code: error.code, error: thrown }, 'a payment event failed')
      return new Response(JSON.stringify(toProblem(error, { docsUrl: settings.docsUrl })), {
        status: error.entry.http,
        headers: {
          'content-type': 'application/problem+json',
          'cache-control': 'no-store',
          ...(error.entry.http === 405 && { allow: 'POST' }),
        },
      })
    }
  }
}
