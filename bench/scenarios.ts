/** What is measured, and the words that bench/main.ts and bench/load.ts use between them. */
import { z } from 'zod'

const MiB = 1024 * 1024

export const jobSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('bulk'),
    direction: z.enum(['down', 'up']),
    visitors: z.int(),
    /** Of all visitors together. */
    bytes: z.int(),
  }),
  z.object({ kind: z.literal('requests'), connections: z.int(), path: z.enum(['/1', '/2']), ms: z.int() }),
  z.object({ kind: z.literal('connections'), parallel: z.int(), count: z.int() }),
  z.object({ kind: z.literal('pings'), bytes: z.int(), ms: z.int() }),
])
export type Job = z.infer<typeof jobSchema>

/** Where a visitor dials; `hostHeader` names the tunnel on the shared HTTP port. */
export const targetSchema = z.object({
  tcp: z.object({ host: z.string(), port: z.int() }),
  http: z.object({ host: z.string(), port: z.int() }),
  hostHeader: z.string(),
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
  readonly unit: 'MiB/s' | 'req/s' | 'conn/s' | 'us'
  readonly job: Job
}

/** `scale` stretches sizes and times: 1 is the quick run. */
export function makeScenarios(scale: number): readonly Scenario[] {
  const bytes = Math.round(192 * scale) * MiB
  const ms = Math.round(1_200 * scale)
  const bulk = (direction: 'down' | 'up', visitors: number): Scenario => ({
    name: `bulk ${direction}, ${visitors} visitor${visitors === 1 ? '' : 's'}`,
    unit: 'MiB/s',
    job: { kind: 'bulk', direction, visitors, bytes },
  })
  const requests = (path: '/1' | '/2', words: string): Scenario => ({
    name: `keep-alive requests, 32 connections, ${words}`,
    unit: 'req/s',
    job: { kind: 'requests', connections: 32, path, ms },
  })
  return [
    bulk('down', 1),
    bulk('down', 8),
    bulk('up', 1),
    bulk('up', 8),
    requests('/1', 'one write'),
    requests('/2', 'two writes'),
    {
      name: 'new connections, 16 at a time',
      unit: 'conn/s',
      job: { kind: 'connections', parallel: 16, count: Math.round(1_500 * scale) },
    },
    { name: 'ping-pong of 64 bytes', unit: 'us', job: { kind: 'pings', bytes: 64, ms } },
  ]
}
