/** The measurements, and the messages between bench/main.ts and bench/load.ts. */
import { z } from 'zod'

const MB = 1e6

/** Which of a way's ports a job uses; see `targetSchema`. */
const doorSchema = z.enum(['tcp', 'web', 'vhost'])

export const jobSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('bulk'),
    /** Default: tcp. */
    door: z.enum(['tcp', 'vhost']).optional(),
    direction: z.enum(['down', 'up']),
    visitors: z.int(),
    /** The sum of all visitors. */
    bytes: z.int(),
  }),
  /** One download, as fast as it can, for this time. */
  z.object({ kind: z.literal('saturate'), ms: z.int() }),
  z.object({
    kind: z.literal('requests'),
    door: doorSchema,
    connections: z.int(),
    path: z.enum(['/1', '/2']),
    ms: z.int(),
  }),
  z.object({
    kind: z.literal('connections'),
    door: z.enum(['tcp', 'vhost']),
    parallel: z.int(),
    count: z.int(),
  }),
  z.object({ kind: z.literal('pings'), bytes: z.int(), ms: z.int() }),
  /** Opens this many connections that have each carried a byte, and holds them until `release`. */
  z.object({ kind: z.literal('hold'), count: z.int() }),
  z.object({ kind: z.literal('release') }),
])
export type Job = z.infer<typeof jobSchema>

const addressSchema = z.object({ host: z.string(), port: z.int() })
/**
 * Where a visitor dials. `tcp` and `web` carry bytes as they are, to the backend's two ports; `vhost` is a port of many
 * names, where `name` is the tunnel's: only some ways have one.
 */
export const targetSchema = z.object({
  tcp: addressSchema,
  web: addressSchema,
  vhost: addressSchema.extend({ name: z.string() }).optional(),
})
export type Target = z.infer<typeof targetSchema>

export const orderSchema = z.object({ job: jobSchema, target: targetSchema })

/** One measurement: `value` in the scenario's unit, latencies in microseconds where they were taken. */
export const outcomeSchema = z.object({
  value: z.number(),
  seconds: z.number(),
  p50Us: z.number().optional(),
  p99Us: z.number().optional(),
})
export type Outcome = z.infer<typeof outcomeSchema>
export const replySchema = z.union([z.object({ outcome: outcomeSchema }), z.object({ error: z.string() })])

export type Scenario = {
  readonly name: string
  readonly unit: 'MB/s' | 'req/s' | 'conn/s' | 'us'
  readonly job: Job
  /** Runs in a second load generator, from a little before to a little after the job. */
  readonly beside?: Job
}

/** `scale` stretches sizes and times: 1 is the quick run. */
export function makeScenarios(scale: number): readonly Scenario[] {
  const bytes = Math.round(256 * scale) * MB
  const ms = Math.round(1_200 * scale)
  const count = Math.round(2_000 * scale)
  const bulk = (direction: 'down' | 'up', visitors: number): Scenario => ({
    name: `bulk ${direction}, ${visitors} visitor${visitors === 1 ? '' : 's'}`,
    unit: 'MB/s',
    job: { kind: 'bulk', direction, visitors, bytes },
  })
  const httpBulk = (direction: 'down' | 'up'): Scenario => ({
    name: `http tunnel bulk ${direction}, 1 visitor`,
    unit: 'MB/s',
    job: { kind: 'bulk', door: 'vhost', direction, visitors: 1, bytes },
  })
  const requests = (name: string, door: 'web' | 'vhost', path: '/1' | '/2'): Scenario => ({
    name: `${name}, 32 visitors, ${path === '/1' ? 'one write' : 'two writes'}`,
    unit: 'req/s',
    job: { kind: 'requests', door, connections: 32, path, ms },
  })
  const connections = (name: string, door: 'tcp' | 'vhost'): Scenario => ({
    name: `${name}, 16 at a time`,
    unit: 'conn/s',
    job: { kind: 'connections', door, parallel: 16, count },
  })
  const pings: Job = { kind: 'pings', bytes: 64, ms }
  return [
    bulk('down', 1),
    bulk('down', 8),
    bulk('up', 1),
    bulk('up', 8),
    httpBulk('down'),
    httpBulk('up'),
    requests('keep-alive requests', 'web', '/1'),
    requests('keep-alive requests', 'web', '/2'),
    requests('http tunnel requests', 'vhost', '/1'),
    connections('new connections', 'tcp'),
    connections('http tunnel connections', 'vhost'),
    { name: 'ping-pong of 64 bytes', unit: 'us', job: pings },
    {
      name: 'ping-pong beside a download',
      unit: 'us',
      job: pings,
      beside: { kind: 'saturate', ms: ms + 600 },
    },
  ]
}
