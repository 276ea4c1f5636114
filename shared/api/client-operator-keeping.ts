/** The client's calls for operators about terms, legal holds and the report for auditors; used by client.ts. */
import type { z } from 'zod'
import { type CallOptions, type ClientOptions, call, nothing } from './client-call.ts'
import * as keeping from './schemas/operator-keeping.ts'

type Asked = CallOptions & { readonly from?: number | undefined; readonly to?: number | undefined }

export function operatorKeepingCalls(options: ClientOptions) {
  const at = (path: string) => `/v1/operator/${path}`
  return {
    retention: (o?: CallOptions) =>
      call(options, { method: 'GET', path: at('retention'), answer: keeping.retentionSchema }, o),
    holds: (o?: CallOptions) =>
      call(options, { method: 'GET', path: at('holds'), answer: keeping.holdsSchema }, o),
    placeHold: (json: z.input<typeof keeping.holdPlaceSchema>, o?: CallOptions) =>
      call(options, { method: 'POST', path: at('holds'), answer: nothing, json }, o),
    releaseHold: (held: string, json: z.input<typeof keeping.holdReleaseSchema>, o?: CallOptions) =>
      call(
        options,
        { method: 'POST', path: at(`holds/${encodeURIComponent(held)}/release`), answer: nothing, json },
        o,
      ),
    /** It is recorded in the audit log. */
    complianceReport: ({ from, to, ...o }: Asked = {}) =>
      call(
        options,
        {
          method: 'GET',
          path: at('compliance'),
          query: { from, to },
          answer: keeping.complianceReportSchema,
        },
        o,
      ),
  }
}
