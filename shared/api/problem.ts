/** Errors as problem documents (RFC 9457), the only form of the API's refusals. */
import type { PortTunnelerError } from '../base/errors.ts'
import type { Problem } from './schemas/common.ts'

/** @param instance the request id, when there is one */
export function toProblem(
  error: PortTunnelerError,
  { docsUrl, instance }: { docsUrl: string; instance?: string },
): Problem {
  const { code, http, title, cure } = error.entry
  const { retryAfterMs, issues, suggestions } = error.fields
  return {
    type: `${docsUrl}/errors/${code}`,
    title,
    status: http,
    code,
    detail: error.detail,
    cure,
    ...(instance === undefined ? {} : { instance }),
    ...(typeof retryAfterMs === 'number' ? { retryAfter: Math.max(1, Math.ceil(retryAfterMs / 1000)) } : {}),
    ...(Array.isArray(issues) ? { issues } : {}),
    ...(Array.isArray(suggestions) && suggestions.length > 0 ? { suggestions } : {}),
  }
}
