/**
 * OpenTelemetry, when the standard variables ask for it: OTEL_EXPORTER_OTLP_ENDPOINT, or one for traces or metrics
 * (https://opentelemetry.io/docs/specs/otel/protocol/exporter/). Without them nothing of the SDK is loaded.
 */
import type { Clock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import type { Telemetry } from '../base/telemetry.ts'

type Env = Readonly<Record<string, string | undefined>>
export type OtlpSettings = {
  /** Where traces go; undefined: nowhere. */
  readonly tracesUrl: string | undefined
  readonly metricsUrl: string | undefined
}

/** @returns undefined when nothing is to be sent. @throws telemetry.settings */
export function readOtlpSettings(env: Env): OtlpSettings | undefined {
  if (env.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return undefined
  const tracesUrl = urlOf(env, 'TRACES')
  const metricsUrl = urlOf(env, 'METRICS')
  return tracesUrl === undefined && metricsUrl === undefined ? undefined : { tracesUrl, metricsUrl }
}

/**
 * @param onTrouble hears at most once in ten minutes that something could not be sent
 * @throws telemetry.settings
 */
export async function openTelemetry(
  env: Env,
  options: {
    readonly service: string
    readonly version: string
    readonly clock: Clock
    onTrouble(error: unknown): void
  },
): Promise<Telemetry | undefined> {
  const settings = readOtlpSettings(env)
  if (!settings) return undefined
  const { otlpTelemetry } = await import('./otlp.ts')
  return otlpTelemetry(settings, options)
}

function urlOf(env: Env, signal: 'TRACES' | 'METRICS'): string | undefined {
  const name = (end: string) => `OTEL_EXPORTER_OTLP_${signal}_${end}`
  const own = env[name('ENDPOINT')] || undefined
  const shared = env.OTEL_EXPORTER_OTLP_ENDPOINT || undefined
  if (env[`OTEL_${signal}_EXPORTER`] === 'none' || (own ?? shared) === undefined) return undefined
  const protocol = env[name('PROTOCOL')] || env.OTEL_EXPORTER_OTLP_PROTOCOL || 'http/json'
  if (protocol === 'grpc')
    throw fail(
      'telemetry.settings',
      'OTLP goes out by HTTP here: set OTEL_EXPORTER_OTLP_PROTOCOL to http/json.',
    )
  // The specification appends the path to the common endpoint alone.
  const url = own ?? `${shared?.replace(/\/+$/, '')}/v1/${signal.toLowerCase()}`
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw fail(
      'telemetry.settings',
      `The endpoint for ${signal.toLowerCase()} is no address of http or https.`,
    )
  return url
}
