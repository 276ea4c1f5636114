/**
 * Logs in Cloud Logging's form: one JSON object a line on stdout, with `severity`, `message`, and, within a request,
 * its trace and what was asked. So lines of one request are shown below the request log of Google's front end, and
 * failures with a stack appear in Error Reporting.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Log } from '@porttunneler/shared/base/log'
import { requestFields } from '@porttunneler/shared/base/request-scope'
import { type DestinationStream, type LoggerOptions, pino } from 'pino'

/** Gives each level of pino the name that Cloud Logging has for it. */
export const severities = {
  trace: 'DEBUG',
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARNING',
  error: 'ERROR',
  fatal: 'CRITICAL',
} as const

/** Fields of every line that is logged while a request is handled. */
type RequestFields = Readonly<Record<string, unknown>>
const current = new AsyncLocalStorage<RequestFields>()

/** @param project the project id, part of a trace's name */
export function makeLog(project: string, destination?: DestinationStream): Log {
  // Written before the call returns: an instance may be frozen right after it has answered.
  return pino(logOptions(project), destination ?? pino.destination({ dest: 1, sync: true }))
}

function logOptions(project: string): LoggerOptions {
  return {
    base: null,
    messageKey: 'message',
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { error: pino.stdSerializers.err },
    formatters: {
      level: (label) => ({
        severity: severities[label as keyof typeof severities] ?? 'DEFAULT',
      }),
      log: ({ traceId, ...fields }) => ({
        ...fields,
        ...(typeof traceId === 'string' && {
          'logging.googleapis.com/trace': `projects/${project}/traces/${traceId}`,
        }),
        ...(fields.error instanceof Error && { stack_trace: fields.error.stack }),
      }),
    },
    mixin: () => ({ ...current.getStore(), ...requestFields() }),
  }
}

/** Runs `handle` so that every line it logs names this request. */
export function withRequest<T>(request: Request, handle: () => T): T {
  return current.run({ ...traceOf(request.headers), httpRequest: describe(request) }, handle)
}

/** Without the query, which may hold secrets of its sender. */
function describe(request: Request): object {
  const userAgent = request.headers.get('user-agent')
  return {
    requestMethod: request.method,
    requestUrl: new URL(request.url).pathname,
    ...(userAgent !== null && { userAgent }),
  }
}

/** W3C's header, else Google's older one. */
function traceOf(headers: Headers): RequestFields {
  const standard = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/.exec(
    headers.get('traceparent') ?? '',
  )
  if (standard) {
    const [, traceId, spanId, flags = '0'] = standard
    return traceFields(traceId, spanId, (Number.parseInt(flags, 16) & 1) === 1)
  }
  const google = /^([0-9a-f]{32})\/(\d{1,20})(?:;o=(\d))?/.exec(headers.get('x-cloud-trace-context') ?? '')
  if (!google) return {}
  const [, traceId, span = '0', sampled] = google
  return traceFields(traceId, BigInt(span).toString(16).padStart(16, '0'), sampled === '1')
}

function traceFields(
  traceId: string | undefined,
  spanId: string | undefined,
  isSampled: boolean,
): RequestFields {
  return {
    traceId,
    'logging.googleapis.com/spanId': spanId,
    'logging.googleapis.com/trace_sampled': isSampled,
  }
}
