/** What a collector gets, by a server that takes OTLP/HTTP as JSON and refuses what is not of that form. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { makeTestApi } from '../../standalone/testing/api.ts'
import { systemClock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import { openTelemetry, readOtlpSettings } from './open.ts'

const attribute = z.object({
  key: z.string(),
  value: z
    .object({ stringValue: z.string().optional(), intValue: z.union([z.number(), z.string()]).optional() })
    .loose(),
})
const resource = z.object({ attributes: z.array(attribute) }).loose()
const spanSchema = z
  .object({
    traceId: z.string().regex(/^[0-9a-f]{32}$/),
    spanId: z.string().regex(/^[0-9a-f]{16}$/),
    parentSpanId: z.string().optional(),
    name: z.string(),
    startTimeUnixNano: z.string().regex(/^\d{19}$/),
    endTimeUnixNano: z.string().regex(/^\d{19}$/),
    attributes: z.array(attribute),
    status: z.object({ code: z.number(), message: z.string().optional() }).loose(),
  })
  .loose()
const tracesSchema = z.strictObject({
  resourceSpans: z.array(
    z.object({ resource, scopeSpans: z.array(z.object({ spans: z.array(spanSchema) }).loose()) }).loose(),
  ),
})
const metricsSchema = z.strictObject({
  resourceMetrics: z.array(
    z
      .object({
        resource,
        scopeMetrics: z.array(
          z
            .object({
              metrics: z.array(
                z
                  .object({
                    name: z.string(),
                    unit: z.string(),
                    histogram: z
                      .object({
                        dataPoints: z.array(
                          z
                            .object({
                              attributes: z.array(attribute),
                              count: z.coerce.number(),
                              sum: z.number(),
                            })
                            .loose(),
                        ),
                      })
                      .loose(),
                  })
                  .loose(),
              ),
            })
            .loose(),
        ),
      })
      .loose(),
  ),
})
type SpanSent = z.infer<typeof spanSchema>

let server: Server
let url: string
let spans: SpanSent[]
let metrics: z.infer<typeof metricsSchema>['resourceMetrics']
let answer: number
beforeEach(async () => {
  spans = []
  metrics = []
  answer = 200
  server = createServer(async (request, response) => {
    const body = await json(request)
    const isJson = request.headers['content-type'] === 'application/json'
    if (answer !== 200 || !isJson) return void response.writeHead(isJson ? answer : 415).end('{}')
    if (request.url === '/v1/traces')
      spans.push(
        ...tracesSchema
          .parse(body)
          .resourceSpans.flatMap((one) => one.scopeSpans.flatMap((each) => each.spans)),
      )
    else if (request.url === '/v1/metrics') metrics = metricsSchema.parse(body).resourceMetrics
    response.end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(() => new Promise((resolve) => server.close(resolve)))

const open = async (onTrouble: (error: unknown) => void = () => {}) => {
  const opened = await openTelemetry(
    { OTEL_EXPORTER_OTLP_ENDPOINT: url },
    { service: 'test', version: '1', clock: systemClock, onTrouble },
  )
  if (!opened) throw new Error('It is off')
  return opened
}
const attributesOf = ({ attributes }: { attributes: z.infer<typeof attribute>[] }) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)]))

test('off without the variables, and each of them has its meaning', () => {
  expect(readOtlpSettings({})).toBeUndefined()
  expect(readOtlpSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: '' })).toBeUndefined()
  const common = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318/' }
  const both = { tracesUrl: 'http://c:4318/v1/traces', metricsUrl: 'http://c:4318/v1/metrics' }
  expect(readOtlpSettings(common)).toEqual(both)
  expect(readOtlpSettings({ ...common, OTEL_SDK_DISABLED: 'true' })).toBeUndefined()
  expect(readOtlpSettings({ ...common, OTEL_METRICS_EXPORTER: 'none' })).toEqual({
    ...both,
    metricsUrl: undefined,
  })
  expect(readOtlpSettings({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c/own' })).toEqual({
    tracesUrl: 'http://c/own',
    metricsUrl: undefined,
  })
  for (const wrong of [
    { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4317' },
  ])
    expect(() => readOtlpSettings({ ...common, ...wrong })).toThrow(
      expect.objectContaining({ key: 'telemetry.settings' }),
    )
})

test('a request is a span by its route, with the id of its answer, and what it does is below it', async () => {
  const telemetry = await open()
  const t = await makeTestApi({}, { watching: { telemetry } })
  const answered = await t.call('POST', '/v1/leases', {
    token: t.tunnelsKey,
    json: { agent: 'agt_01k00000000000000000000000', tunnels: [{ name: 'web', kind: 'http' }] },
  })
  const missing = await t.call('GET', '/v1/tunnels/tun_01k00000000000000000000000', { token: t.ada })
  await t.call('GET', '/secret-path-of-a-stranger')
  await t.runJobs()
  await t.close()
  await telemetry.close()
  const byName = (name: string) => spans.find((span) => span.name === name)
  const [request, claim] = [byName('POST /v1/leases'), byName('claim leases')]
  expect(answered.status).toBe(200)
  expect(request && attributesOf(request)).toMatchObject({
    'http.request.method': 'POST',
    'http.route': '/v1/leases',
    'http.response.status_code': 200,
    'porttunneler.request_id': answered.headers.get('x-request-id'),
  })
  expect([claim?.traceId, claim?.parentSpanId]).toEqual([request?.traceId, request?.spanId])
  const other = byName('GET /v1/tunnels/:tunnel')
  expect(other && attributesOf(other)).toMatchObject({
    'http.response.status_code': 404,
    'porttunneler.request_id': missing.headers.get('x-request-id'),
  })
  expect(spans.some(({ name }) => name.startsWith('job '))).toBe(true)
  expect(JSON.stringify(spans)).not.toContain('stranger')
  const sent = metrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics))
  expect(sent.map(({ name, unit }) => [name, unit]).toSorted()).toEqual([
    ['http.server.request.duration', 's'],
    ['porttunneler.claim.duration', 's'],
    ['porttunneler.job.duration', 's'],
  ])
  const points = sent.find(({ name }) => name.startsWith('http'))?.histogram.dataPoints ?? []
  expect(points.map(attributesOf)).toContainEqual({
    'http.request.method': 'POST',
    'http.route': '/v1/leases',
    'http.response.status_code': 200,
  })
})

test('a failure ends its span with its code, and goes on', async () => {
  const telemetry = await open()
  await expect(
    telemetry.span('job', 'job x', async () => {
      throw fail('job.lost')
    }),
  ).rejects.toMatchObject({ key: 'job.lost' })
  await telemetry.close()
  expect(spans).toMatchObject([{ name: 'job x', status: { code: 2, message: fail('job.lost').code } }])
})

test('a collector that refuses is told of once, and stops nothing', async () => {
  answer = 400
  const onTrouble = vi.fn()
  const telemetry = await open(onTrouble)
  expect(await telemetry.span('job', 'job x', async () => 'done')).toBe('done')
  await telemetry.close()
  expect(onTrouble).toHaveBeenCalledTimes(1)
})
