/** The calls of operators about what is kept: terms, legal holds, the report for auditors; used by calls.ts. */
import type { Client } from '@porttunneler/shared/api/client'
import type { Requests } from './requests.ts'

type AnswerOf<Name extends keyof Client> = Awaited<ReturnType<Client[Name]>>
type BodyOf<Name extends keyof Client, At extends number = 0> = Extract<Parameters<Client[Name]>[At], object>

export type Retention = AnswerOf<'retention'>
export type Hold = AnswerOf<'holds'>['items'][number]
export type ComplianceReport = AnswerOf<'complianceReport'>
export type ReportSpan = { readonly from: number; readonly to: number }

export function operatorKeepingCalls(request: Requests) {
  const holdsPath = '/v1/operator/holds'
  const reportPath = '/v1/operator/compliance'
  /** A report takes up to a minute in the cloud: longer than other calls may. */
  const file = (path: string, { from, to }: ReportSpan) =>
    request<Blob>('GET', `${path}?${new URLSearchParams({ from: `${from}`, to: `${to}` })}`, { isFile: true })
  return {
    retention: (signal?: AbortSignal) => request<Retention>('GET', '/v1/operator/retention', { signal }),
    holds: (signal?: AbortSignal) => request<AnswerOf<'holds'>>('GET', holdsPath, { signal }),
    placeHold: (body: BodyOf<'placeHold'>) => request<void>('POST', holdsPath, { body }),
    releaseHold: (held: string, body: BodyOf<'releaseHold', 1>) =>
      request<void>('POST', `${holdsPath}/${encodeURIComponent(held)}/release`, { body }),
    /** The text of a `ComplianceReport`. */
    complianceReport: (span: ReportSpan) => file(reportPath, span),
    /** The same as a page of HTML. */
    compliancePage: (span: ReportSpan) => file(`${reportPath}/page`, span),
  }
}
