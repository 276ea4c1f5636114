/**
 * Sends spans and their durations by OTLP over HTTP, with the SDK of OpenTelemetry: sampling, batches, intervals,
 * headers and resource attributes follow its standard variables. Nothing is registered globally, so two servers can
 * live in one process. A collector that is away costs what it would have got, and nothing else.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import {
  SpanKind as OtelKind,
  type Span as OtelSpan,
  ROOT_CONTEXT,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources'
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base'
import type { Clock } from '../base/clock.ts'
import { isFailure } from '../base/errors.ts'
import { requestFields } from '../base/request-scope.ts'
import { type Attributes, type SpanKind, spanKinds, type Telemetry } from '../base/telemetry.ts'
import type { OtlpSettings } from './open.ts'

/** Seconds, as the semantic conventions of HTTP advise. */
const bucketsSeconds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
const troubleMs = 600_000
/** The last batch may take so long when the process ends. */
const closeMs = 3_000

type Options = {
  readonly service: string
  readonly version: string
  readonly clock: Clock
  onTrouble(error: unknown): void
}
type Result = { readonly code: number; readonly error?: Error }
type Exporter<T> = { export(items: T, done: (result: Result) => void): void }

const otelKinds = { request: OtelKind.SERVER, job: OtelKind.CONSUMER, claim: OtelKind.INTERNAL } as const

export function otlpTelemetry({ tracesUrl, metricsUrl }: OtlpSettings, options: Options): Telemetry {
  const { service, version, clock } = options
  const trouble = quietly(options)
  const resource = defaultResource()
    .merge(resourceFromAttributes({ 'service.name': service, 'service.version': version }))
    // What the operator says of it wins.
    .merge(detectResources({ detectors: [envDetector] }))
  const processors =
    tracesUrl === undefined
      ? []
      : [new BatchSpanProcessor(watched(new OTLPTraceExporter({ url: tracesUrl }), trouble))]
  const readers =
    metricsUrl === undefined
      ? []
      : [
          new PeriodicExportingMetricReader({
            exporter: watched(new OTLPMetricExporter({ url: metricsUrl }), trouble),
          }),
        ]
  const tracers = new BasicTracerProvider({ resource, spanProcessors: processors })
  const meters = new MeterProvider({ resource, readers })
  const tracer = tracers.getTracer('porttunneler', version)
  const meter = meters.getMeter('porttunneler', version)
  const durations = new Map(
    Object.entries(spanKinds).map(([kind, { metric }]) => {
      const advice = { explicitBucketBoundaries: bucketsSeconds }
      return [kind, meter.createHistogram(metric, { unit: 's', advice })] as const
    }),
  )
  const current = new AsyncLocalStorage<OtelSpan>()
  return {
    async span(kind, name, work) {
      const parent = current.getStore()
      const context = parent ? trace.setSpan(ROOT_CONTEXT, parent) : ROOT_CONTEXT
      const span = tracer.startSpan(name, { kind: otelKinds[kind] }, context)
      const begun = clock.monotonic()
      const said: Record<string, string | number | boolean> = {}
      const set = (attributes: Attributes) => void Object.assign(said, attributes)
      try {
        return await current.run(span, () => work({ set, rename: (other) => span.updateName(other) }))
      } catch (error) {
        const code = isFailure(error) ? error.code : 'unexpected'
        set({ 'error.type': code })
        span.setStatus({ code: SpanStatusCode.ERROR, message: code })
        throw error
      } finally {
        const { requestId } = requestFields()
        span.setAttributes({
          ...said,
          ...(requestId !== undefined && { 'porttunneler.request_id': requestId }),
        })
        span.end()
        durations.get(kind)?.record((clock.monotonic() - begun) / 1_000, pick(said, kind))
      }
    },
    async close() {
      const closed = Promise.allSettled([tracers.shutdown(), meters.shutdown()])
      const late = Promise.withResolvers<void>()
      const timer = clock.after(closeMs, () => late.resolve(), { background: true })
      await Promise.race([closed, late.promise])
      timer.clear()
    },
  }
}

/** A histogram has a series for each combination, so only what has few values. */
function pick(said: Attributes, kind: SpanKind): Attributes {
  const { by } = spanKinds[kind]
  return Object.fromEntries(by.flatMap((name) => (said[name] === undefined ? [] : [[name, said[name]]])))
}

/** The same exporter, whose failures are heard. */
function watched<T, E extends Exporter<T>>(
  exporter: E & Exporter<T>,
  onFailure: (error: unknown) => void,
): E {
  const send = exporter.export.bind(exporter)
  exporter.export = (items, done) =>
    send(items, (result) => {
      if (result.code !== 0) onFailure(result.error)
      done(result)
    })
  return exporter
}

function quietly({ onTrouble, clock }: Options): (error: unknown) => void {
  let toldAt = Number.NEGATIVE_INFINITY
  return (error) => {
    const now = clock.monotonic()
    if (now - toldAt < troubleMs) return
    toldAt = now
    onTrouble(error)
  }
}
