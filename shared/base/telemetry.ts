/**
 * Spans and their durations, where an operator has OpenTelemetry set up (shared/telemetry); elsewhere there is nothing,
 * and `traced` only calls.
 */

export type Attributes = Readonly<Record<string, string | number | boolean>>

/** What is traced, and which attributes its histogram of durations has: few values each, none chosen by strangers. */
export const spanKinds = {
  request: {
    metric: 'http.server.request.duration',
    by: ['http.request.method', 'http.route', 'http.response.status_code', 'error.type'],
  },
  job: { metric: 'porttunneler.job.duration', by: ['porttunneler.job.kind', 'error.type'] },
  claim: { metric: 'porttunneler.claim.duration', by: ['error.type'] },
} as const satisfies Record<string, { readonly metric: string; readonly by: readonly string[] }>
export type SpanKind = keyof typeof spanKinds

export interface Span {
  /** Names what is known only by the end, such as the route of a request. */
  rename(name: string): void
  set(attributes: Attributes): void
}

export interface Telemetry {
  /** Runs `work` as a span below the one that runs now. A failure ends it with its code, and is thrown on. */
  span<T>(kind: SpanKind, name: string, work: (span: Span) => Promise<T>): Promise<T>
  /** Sends what is there, within seconds. */
  close(): Promise<void>
}

/** Runs `work`, as a span if anybody wants to know. */
export function traced<T>(
  telemetry: Telemetry | undefined,
  kind: SpanKind,
  name: string,
  work: (span?: Span) => Promise<T>,
): Promise<T> {
  return telemetry ? telemetry.span(kind, name, work) : work()
}
