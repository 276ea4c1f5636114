/** Errors as problem documents (RFC 9457), the only form of the API's refusals. */
import type { PortTunnelerError } from '../base/errors.ts'
import type { Problem } from './schemas/common.ts'

/**
 * @param instance the request id, when there is one
 * @param lift for a refusal by a plan's number, where there is more (control/money/lifting.ts)
 */
export function toProblem(
  error: PortTunnelerError,
  { docsUrl, instance, lift = '' }: { docsUrl: string; instance?: string; lift?: string },
): Problem {
  const { code, http, title, cure } = error.entry
  const { retryAfterMs, issues, suggestions } = error.fields
  return {
    type: `${docsUrl}/errors/${code}`,
    title,
    status: http,
    code,
    detail: error.detail,
    cure: lift === '' ? cure : `${cure} ${lift}`,
    ...(instance === undefined ? {} : { instance }),
    ...(typeof retryAfterMs === 'number' ? { retryAfter: Math.max(1, Math.ceil(retryAfterMs / 1000)) } : {}),
    ...(Array.isArray(issues) ? { issues } : {}),
    ...(Array.isArray(suggestions) && suggestions.length > 0 ? { suggestions } : {}),
  }
}
