/** What relays and control plane say to each other: enrolment, boot, `sync`, commands. */
import { z } from 'zod'
import { endpointIdSchema, policySchema } from '../../protocol/endpoint.ts'
import { idSchema, timeSchema } from './common.ts'

export const enrolSchema = z.strictObject({ key: z.string().max(200), name: z.string().max(64) })
export const enrolledSchema = z.object({
  relay: idSchema('rel'),
  cell: z.string(),
  credential: z.string().describe('Bearer of this relay from now on; shown this once'),
})

/** One process's life. A new boot id resets its cumulative counters. */
const bootSchema = z.object({
  instance: z.string().regex(/^[a-z0-9-]{1,32}$/),
  boot: z.string().regex(/^[a-z0-9]{26}$/),
  version: z.string().max(64),
  /** Where agents dial this process. */
  agentAddress: z.object({
    host: z.string().max(253),
    port: z.int(),
    sni: z.string().max(253),
    certificate: z.string().max(20_000).optional(),
  }),
  /** Where browsers reach this process's live figures (scheme://host:port). */
  watchUrl: z.string().max(300),
})

export const usageSchema = z.object({
  tunnel: idSchema('tun'),
  account: idSchema('acc'),
  /** The boot that counted it: after a crash a relay also reports what its last boot had not yet delivered. */
  boot: z.string().regex(/^[a-z0-9]{26}$/),
  /** Start of the UTC hour, ms. */
  hour: timeSchema,
  /** Cumulative since boot within the hour: repeats and reordering cannot overbill. */
  in: z.int(),
  out: z.int(),
  opened: z.int(),
  refused: z.int(),
})
export type Usage = z.infer<typeof usageSchema>

/** Commands are versioned by subject: a receiver keeps the highest and ignores the rest, so order never matters. */
export const commandSchema = z.discriminatedUnion('kind', [
  /** The endpoint's lease ended or moved: unbind every binding with a lower epoch. */
  z.object({
    id: z.string(),
    kind: z.literal('revoke'),
    at: timeSchema,
    endpoint: endpointIdSchema,
    epoch: z.int(),
    reason: z.string(),
  }),
  z.object({
    id: z.string(),
    kind: z.literal('policy'),
    at: timeSchema,
    tunnel: idSchema('tun'),
    policy: policySchema,
    policyVersion: z.int(),
  }),
  /** Stop serving an account at once (abuse, closing); `until` lifts it when past. */
  z.object({
    id: z.string(),
    kind: z.literal('suspend'),
    at: timeSchema,
    account: idSchema('acc'),
    suspended: z.boolean(),
    version: z.int(),
  }),
  /** Fetch the ticket keys again. */
  z.object({ id: z.string(), kind: z.literal('keys'), at: timeSchema, version: z.int() }),
  /** Drain this relay. */
  z.object({ id: z.string(), kind: z.literal('drain'), at: timeSchema, relay: z.string(), version: z.int() }),
])
export type Command = z.infer<typeof commandSchema>

export const syncSchema = z.strictObject({
  boot: bootSchema,
  state: z.enum(['starting', 'ready', 'draining']),
  load: z.object({ sessions: z.int(), streams: z.int(), cpu: z.number(), rssBytes: z.int() }),
  /** Last command id read; absent at boot: the answer then goes back one ticket lifetime. */
  cursor: z.string().max(64).optional(),
  /** Endpoints bound here now: neither sweeper nor claims take them. */
  bound: z
    .array(z.object({ endpoint: endpointIdSchema, tunnel: idSchema('tun'), epoch: z.int() }))
    .max(20_000),
  /** Tunnels whose agent is away for more than a minute, or back, since the last sync. */
  away: z
    .array(
      z.object({ tunnel: idSchema('tun'), endpoint: endpointIdSchema, epoch: z.int(), away: z.boolean() }),
    )
    .max(5_000),
  usage: z.array(usageSchema).max(5_000),
  /** Echoed as `acknowledged` once `usage` is stored. */
  report: z.string().max(64).optional(),
  events: z
    .array(
      z.object({
        at: timeSchema,
        kind: z.string().max(64),
        fields: z.record(z.string(), z.union([z.string(), z.number()])),
      }),
    )
    .max(1_000),
})
export type SyncRequest = z.infer<typeof syncSchema>

export const syncAnswerSchema = z.object({
  relay: idSchema('rel'),
  now: timeSchema,
  cell: z.object({
    id: z.string(),
    /** Host name of tcp endpoints and parent of relay names. */
    host: z.string(),
    /** Parent of http endpoints: name.domain. */
    domain: z.string(),
    portFrom: z.int(),
    portTo: z.int(),
  }),
  keys: z.object({ version: z.int(), jwks: z.object({ keys: z.array(z.record(z.string(), z.unknown())) }) }),
  commands: z.array(commandSchema),
  cursor: z.string(),
  acknowledged: z.string().optional(),
  syncMs: z.int(),
})
export type SyncAnswer = z.infer<typeof syncAnswerSchema>
