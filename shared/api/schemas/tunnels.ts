/** Tunnels, endpoints, leases and watch tickets. */
import { z } from 'zod'
import { agentModes, endpointIdSchema, policySchema, tunnelKinds } from '../../protocol/endpoint.ts'
import { httpEditsSchema, writtenEditsSchema } from '../../protocol/http-edits.ts'
import {
  idSchema,
  pageQuerySchema,
  pageSchema,
  problemSchema,
  tagsSchema,
  timeSchema,
  tunnelNameSchema,
  wantedNameSchema,
} from './common.ts'
import { type TunnelState, tunnelStates } from './tunnel-words.ts'

const kindSchema = z.enum(tunnelKinds)
const agentsSchema = z
  .enum(agentModes)
  .describe('How many agents may serve it at a time; `many`: they share its visitors')

/**
 * A tunnel's public address. `url` is what people copy: `tcp://host:port`, `http://name.domain:port`, `https://…`.
 */
export const endpointSchema = z.object({
  id: endpointIdSchema,
  url: z.string(),
  host: z.string(),
  port: z.int().min(1).max(65_535),
})
export type Endpoint = z.infer<typeof endpointSchema>

const failureCodeSchema = z
  .string()
  .regex(/^PT-\d{4}$/, 'a code like PT-6040')
  .describe('Its page says more')

/** An agent that holds the lease, alone or with others. */
export const holderSchema = z.object({
  agent: z.string(),
  since: timeSchema,
  state: z
    .enum(['online', 'failing', 'away'])
    .describe('failing: it is there, but its upstream is not; away: no relay has seen it for a minute'),
  code: failureCodeSchema.optional(),
})
export type Holder = z.infer<typeof holderSchema>

/** Why a tunnel is in its state, for people. */
export const tunnelWhySchema = z.object({
  cause: z.string(),
  cure: z.string().optional().describe('What to do; omitted when there is nothing to be done'),
  code: failureCodeSchema.optional(),
  since: timeSchema.optional().describe('Since when it is so; omitted when nobody knows'),
})
export type TunnelWhy = z.infer<typeof tunnelWhySchema>

export const tunnelSchema = z.object({
  id: idSchema('tun'),
  name: tunnelNameSchema,
  kind: kindSchema,
  policy: policySchema.partial(),
  edits: httpEditsSchema.optional(),
  tags: z
    .array(z.string())
    .optional()
    .describe('Words that sort it, as its owner likes; omitted when it has none'),
  state: z
    .enum(tunnelStates)
    .describe(
      'upstream_failing: no agent that serves it reaches its upstream; refused: an agent asks for it and gets no lease; degraded: some agents or relays have trouble; connecting: leased, and no relay has its agent yet; offline: nobody serves it',
    ),
  why: tunnelWhySchema,
  lastServedAt: timeSchema
    .optional()
    .describe('When it was last served; omitted while it is served, and when nobody knows'),
  endpoint: endpointSchema.optional(),
  agents: agentsSchema,
  holders: z.array(holderSchema).describe('Who holds the lease now, longest first'),
  revision: z.int().describe('Rises with every edit; `"<revision>"` is the ETag'),
  createdAt: timeSchema,
  updatedAt: timeSchema,
})
export type Tunnel = z.infer<typeof tunnelSchema>

/** Comma-separated, as in `state=refused,degraded`. */
const statesSchema = z
  .string()
  .regex(
    new RegExp(`^(?:${tunnelStates.join('|')})(?:,(?:${tunnelStates.join('|')}))*$`),
    `one or several of ${tunnelStates.join(', ')}, separated by commas`,
  )
  .transform((text) => text.split(',') as readonly TunnelState[])

export const tunnelQuerySchema = pageQuerySchema.extend({
  search: z.string().max(100).optional().describe('Part of a name, a tag, an id or an address, in any case'),
  state: statesSchema.optional().describe('Only tunnels in one of these states, separated by commas'),
  kind: kindSchema.optional(),
  tag: z.string().max(32).optional().describe('Only tunnels with this tag'),
  sort: z
    .enum(['newest', 'name', 'trouble'])
    .default('newest')
    .describe('trouble: first what somebody should look at, then what is served, then the others'),
})
export type TunnelQuery = z.infer<typeof tunnelQuerySchema>

/** How many tunnels are in the states that cost attention; the rest of `total` is offline or was never used. */
const tunnelCountsSchema = z.object({
  total: z.int(),
  upstream_failing: z.int(),
  refused: z.int(),
  degraded: z.int(),
  connecting: z.int(),
  healthy: z.int(),
})
export type TunnelCounts = z.infer<typeof tunnelCountsSchema>

export const tunnelPageSchema = pageSchema(tunnelSchema).extend({
  counts: tunnelCountsSchema
    .optional()
    .describe(
      'Of all tunnels, whatever is searched for; only with the first page, and not for a key that is bound to some tunnels',
    ),
})

const editsSchema = writtenEditsSchema
  .optional()
  .describe(
    'http tunnels: what its agents change in requests and answers; replaces what was set. Agents take it with their next lease or renewal, and what their own file sets wins, part by part',
  )

export const tunnelCreateSchema = z.strictObject({
  name: wantedNameSchema,
  kind: kindSchema,
  agents: agentsSchema.default('one'),
  policy: policySchema.partial().default({}),
  edits: editsSchema,
  tags: tagsSchema.optional(),
})
export const tunnelUpdateSchema = z.strictObject({
  name: wantedNameSchema.optional(),
  agents: agentsSchema.optional(),
  policy: policySchema.partial().optional(),
  edits: editsSchema,
  tags: tagsSchema.optional().describe('Replaces its tags'),
})

/** Ids that agents make once for themselves and keep: one for each machine and user. */
const agentIdSchema = idSchema('agt')

const cellIdSchema = z.string().regex(/^[a-z0-9-]{1,32}$/, 'lower-case letters, digits and hyphens, 1 to 32')

/** Cells that take new tunnels, with one relay each. */
export const openCellsSchema = z.object({
  cells: z.array(
    z.object({
      id: cellIdSchema,
      host: z.string().describe('Host of one of its relays, to measure the way to'),
      port: z.int().min(1).max(65_535),
      sni: z.string().optional().describe('The name to ask for in TLS; older servers omit it'),
    }),
  ),
})
export type OpenCells = z.infer<typeof openCellsSchema>

/**
 * Says with a claim for how many ms the agent's program has been running, so that a stop from afar lasts until somebody
 * starts it. A header, because servers up to 0.1 refuse fields that they do not know.
 */
export const runningHeader = 'porttunneler-running-ms'

export const claimSchema = z.strictObject({
  agent: agentIdSchema,
  /** Every wanted tunnel in one call: a list costs as much as one. A tunnel with an unknown name is created. */
  tunnels: z
    .array(
      z.strictObject({
        name: wantedNameSchema.optional().describe('Default: a tunnel with a generated name'),
        kind: kindSchema,
        /** tcp only: ask for this port instead of a random one. */
        port: z.int().min(1).max(65_535).optional(),
        /** Changes the tunnel; without it the tunnel stays as it is, and a new one is for one agent. */
        agents: agentsSchema.optional(),
        policy: policySchema
          .partial()
          .optional()
          .describe('Sets these parts of the policy before the lease is given; the others stay'),
        tags: tagsSchema.optional().describe('Replaces the tags of the tunnel'),
      }),
    )
    .min(1)
    .max(50),
  cell: cellIdSchema
    .optional()
    .describe('The cell for all of them; those that are elsewhere now move and get another address'),
  near: z
    .array(cellIdSchema)
    .max(32)
    .optional()
    .describe('Cells, nearest first, for tunnels that have not been in any yet'),
  /** Take tunnels over from another agent that holds them. */
  takeover: z.boolean().default(false),
  waitedMs: z
    .int()
    .min(0)
    .optional()
    .describe(
      'How long since this agent first asked: relays that have reported since decide whether another one serves',
    ),
})

export const leaseSchema = z.object({
  tunnel: idSchema('tun'),
  name: tunnelNameSchema,
  kind: kindSchema,
  endpoint: endpointSchema,
  cell: z.string().max(64).optional().describe('The cell whose relays serve it; older servers omit it'),
  agents: agentsSchema.default('one'),
  epoch: z.int(),
  expiresAt: timeSchema,
  ticket: z.string().describe('JWT for relays'),
  ticketExpiresAt: timeSchema,
  request: z
    .string()
    .max(64)
    .optional()
    .describe('The id of the request that got it, for the log; older servers omit it'),
  edits: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('`edits` of the tunnel; open, so that an agent can take the lease of a newer server'),
  policySet: z.array(z.string()).optional().describe('Parts of the policy that this claim has changed'),
})
export type Lease = z.infer<typeof leaseSchema>

/** Where the relays of the cell listen for agents. An agent holds a session to each. */
export const relayAddressSchema = z.object({
  instance: z.string().describe('Id of the relay process'),
  host: z.string(),
  port: z.int(),
  sni: z.string(),
  /** PEM; present when the certificate is self-signed: it is then the only root. */
  certificate: z.string().optional(),
})
export type RelayAddress = z.infer<typeof relayAddressSchema>

export const claimResultSchema = z.object({
  /**
   * Relays of one cell, which `cell` names; older servers omit the name. Bind a lease of another cell at `otherCells`.
   */
  relays: z.array(relayAddressSchema),
  cell: z.string().max(64).optional(),
  otherCells: z
    .array(z.object({ cell: z.string().max(64), relays: z.array(relayAddressSchema) }))
    .optional()
    .describe('Where the relays of further cells are, when the leases of the answer are in several'),
  /** In the order of the request: a lease, or why there is none. One refusal does not fail the others. */
  results: z.array(z.union([z.object({ lease: leaseSchema }), z.object({ problem: problemSchema })])),
  renewInMs: z.int(),
})
export type ClaimResult = z.infer<typeof claimResultSchema>

export const renewSchema = z.strictObject({
  agent: agentIdSchema,
  leases: z
    .array(z.strictObject({ tunnel: idSchema('tun'), epoch: z.int() }))
    .min(1)
    .max(50),
})
export const releaseSchema = z
  .strictObject({
    agent: agentIdSchema,
    tunnels: z.array(idSchema('tun')).max(50).default([]).describe('Those that the agent holds are released'),
    leases: z
      .array(z.strictObject({ tunnel: idSchema('tun'), epoch: z.int(), expiresAt: timeSchema }))
      .max(50)
      .default([])
      .describe('The same, except those granted or extended since'),
  })
  .refine(({ tunnels, leases }) => tunnels.length + leases.length > 0, 'Nothing is named.')

export const upstreamReportSchema = z.strictObject({
  agent: agentIdSchema,
  upstreams: z
    .array(
      z.strictObject({
        tunnel: idSchema('tun'),
        epoch: z.int(),
        code: failureCodeSchema.optional().describe('Why the upstream is out of reach; omitted: it works'),
      }),
    )
    .min(1)
    .max(50),
})

export const watchRequestSchema = z.strictObject({
  tunnels: z.array(idSchema('tun')).min(1).max(200).optional().describe('Default: all of the account'),
})
/** A read-only ticket for the live figures that relays send as server-sent events (docs/decisions). */
export const watchSchema = z.object({
  ticket: z.string(),
  expiresAt: timeSchema,
  /** One SSE address for each relay: GET with `Authorization: Bearer <ticket>`; the reader adds up the relays. */
  sources: z.array(z.string()),
})

/** One SSE `data:` line, once a second. Counters are cumulative since the relay's boot. */
export const liveSampleSchema = z.object({
  at: timeSchema,
  tunnels: z.record(
    z.string(),
    z.object({
      in: z.number().describe('Bytes from visitors'),
      out: z.number().describe('Bytes to visitors'),
      opened: z.number(),
      refused: z.number(),
      active: z.number(),
      attached: z.boolean(),
      rttMs: z.number().optional(),
    }),
  ),
})
export type LiveSample = z.infer<typeof liveSampleSchema>

const historyRowSchema = z
  .tuple([timeSchema, z.number(), z.number(), z.number(), z.number(), z.number()])
  .describe(
    'When it began, bytes from visitors, bytes to them, visitors opened, the most that were open, and those open at its end',
  )
const faredSchema = z.object({
  at: timeSchema,
  answers: z.array(z.int()).describe('By class: 101, 2xx, 3xx, 4xx, 5xx, and upstream failures'),
  times: z.array(z.int()).describe('By the buckets of latency.ts, without zeros at the end'),
  codes: z.record(z.string(), z.int()).optional().describe('Statuses from 400 on, and codes of ours'),
})
/** What a relay's `GET /v1/live/history?tunnel=` returns to a reader with a watch ticket. */
export const liveHistorySchema = z.object({
  at: timeSchema,
  since: timeSchema.describe('Before it, this relay knows nothing; after it, what is missing is zero'),
  seconds: z
    .array(historyRowSchema)
    .describe('The last ten minutes, without seconds in which nothing changed'),
  tens: z.array(historyRowSchema).describe('The last six hours, by ten seconds'),
  minutes: z.array(faredSchema).describe('How visitors of the last hour fared, by minute'),
  resultTens: z
    .array(faredSchema)
    .optional()
    .describe('The same of the last ten minutes, by ten seconds; older relays omit it'),
})
export type LiveHistory = z.infer<typeof liveHistorySchema>
