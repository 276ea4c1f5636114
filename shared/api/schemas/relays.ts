/**
 * What relays and control plane say to each other: enrolment, boot, `sync`, commands. Releases of both meet in every
 * combination, so new fields are optional, unknown fields are ignored, and entries of a list are judged one by one.
 * docs/decisions/0029
 */
import { z } from 'zod'
import { unpackCounts } from '../../base/packed-counts.ts'
import { endpointIdSchema, networkSchema, ownDomainSchema, policySchema } from '../../protocol/endpoint.ts'
import { idSchema, timeSchema } from './common.ts'
import { connectionBatchSchema } from './connections.ts'
import { relayLoadSchema } from './relay-load.ts'
import { packedCodes, packedSingle, packedTimes } from './results.ts'

/** A name that a certificate is ordered for; that of a local authority may be `localhost`. */
const certifiedSchema = z
  .string()
  .max(128)
  .regex(/^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/)

export const enrolSchema = z.strictObject({ key: z.string().max(200), name: z.string().max(64) })
export const enrolledSchema = z.object({
  relay: idSchema('rel'),
  cell: z.string(),
  credential: z.string().describe('Bearer of this relay from now on; shown only this once'),
})

/** An invalid entry becomes null; it must not fail the others of its list. */
const oneByOne = <T extends z.ZodType>(entry: T) => entry.or(z.unknown().transform(() => null))

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

/** An hour of minutes: bytes from visitors, bytes to them, streams opened. */
export const minuteShape = { width: 3, rows: 60 } as const
/** 60 rows of three numbers of at most 8 bytes are 1,920 characters. */
const packedMinutes = z
  .string()
  .max(2_000)
  .refine((text) => unpackCounts(text, minuteShape) !== undefined)

/** What is counted about answers, by its place in a row of `answerShape`; the histogram begins at `latency`. */
export const answerPlaces = {
  /** 101 */
  upgraded: 0,
  successful: 1,
  redirected: 2,
  clientError: 3,
  serverError: 4,
  unanswered: 5,
  latency: 6,
} as const
export type AnswerPlace = keyof typeof answerPlaces
/** Upper bounds of the histogram's buckets, inclusive; the last bucket has everything slower. */
export const latencyBoundsMs = [10, 30, 100, 300, 1_000, 3_000, 10_000] as const
/** An hour of minutes: how requests were answered. */
export const answerShape = {
  width: answerPlaces.latency + latencyBoundsMs.length + 1,
  rows: 60,
} as const
/** 60 rows of 14 numbers of at most 5 bytes are 5,600 characters; some hundred in a quiet hour. */
const packedAnswers = z
  .string()
  .max(6_000)
  .refine((text) => unpackCounts(text, answerShape) !== undefined)

export const usageSchema = z.object({
  tunnel: idSchema('tun'),
  account: idSchema('acc'),
  /** The boot that counted it: after a crash a relay also reports what its last boot had not delivered. */
  boot: z.string().regex(/^[a-z0-9]{26}$/),
  /** Start of the UTC hour, ms. */
  hour: timeSchema,
  /** Cumulative since boot within the hour, so repeats and reordering cannot overbill. */
  in: z.int().min(0),
  out: z.int().min(0),
  opened: z.int().min(0),
  refused: z.int().min(0),
  /**
   * The same by minute: (in, out, opened), packed as `minuteShape` says. It is shown, never billed, so an unreadable
   * value is left out and does not fail the row. Older relays omit it.
   */
  minutes: packedMinutes.or(z.unknown().transform(() => undefined)).optional(),
  /**
   * How requests were answered, by minute, packed as `answerShape` says; by the same rules, and only if there were any.
   */
  answers: packedAnswers.or(z.unknown().transform(() => undefined)).optional(),
  /** How soon answers began, by minute, packed as `timesShape` says; by the same rules. */
  times: packedTimes.or(z.unknown().transform(() => undefined)).optional(),
  /** The most visitors that were open at a time, by minute, packed as `singleShape` says; by the same rules. */
  open: packedSingle.or(z.unknown().transform(() => undefined)).optional(),
  /** How many visitors met a status from 400 on, or a code of ours, by minute, packed alike; by the same rules. */
  codes: packedCodes.or(z.unknown().transform(() => undefined)).optional(),
})
export type Usage = z.infer<typeof usageSchema>

/** Commands are versioned by subject: a receiver keeps the highest and ignores the rest, so order never matters. */
const everyCommand = {
  id: z.string(),
  at: timeSchema,
  /** The request of the API that it comes from; only for the log. Older releases omit it. */
  request: z.string().max(64).exactOptional(),
}

export const commandSchema = z.discriminatedUnion('kind', [
  /** The endpoint's lease ended or moved: unbind every binding with a lower epoch. */
  z.object({
    ...everyCommand,
    kind: z.literal('revoke'),
    endpoint: endpointIdSchema,
    epoch: z.int(),
    reason: z.string(),
    /** Its tunnel has another address now, so visitors hear that no tunnel is here. Older releases omit it. */
    vacant: z.boolean().exactOptional(),
    /** Among its agents, those that somebody stopped: they hear that, and not the reason. Older releases omit it. */
    agents: z.array(z.string().max(64)).max(16).exactOptional(),
  }),
  z.object({
    ...everyCommand,
    kind: z.literal('policy'),
    tunnel: idSchema('tun'),
    policy: policySchema,
    policyVersion: z.int(),
  }),
  /** Stop serving an account at once (abuse, closing), or serve it again. */
  z.object({
    ...everyCommand,
    kind: z.literal('suspend'),
    account: idSchema('acc'),
    suspended: z.boolean(),
    version: z.int(),
  }),
  /**
   * The account has used this much of the month's transfer, which its agents are told. `version` rises with every
   * warning.
   */
  z.object({
    ...everyCommand,
    kind: z.literal('transfer'),
    account: idSchema('acc'),
    percent: z.int().min(0),
    version: z.int(),
  }),
  /** From now on a host leads to the tunnel; if `tunnel` is '', to none. */
  z.object({
    ...everyCommand,
    kind: z.literal('name'),
    host: ownDomainSchema,
    version: z.int().min(1),
    account: z.string().max(64),
    tunnel: z.string().max(64),
  }),
  /**
   * An operator took a tunnel down: until that time its visitors are told so; 0 = it is back. Its lease ends by a
   * `revoke`, which older relays know too.
   */
  z.object({
    ...everyCommand,
    kind: z.literal('takedown'),
    tunnel: idSchema('tun'),
    endpoint: endpointIdSchema,
    until: timeSchema,
    version: z.int().min(1),
  }),
  /** There is a newer certificate of this name: a relay that serves it fetches it. */
  z.object({
    ...everyCommand,
    kind: z.literal('certificate'),
    host: certifiedSchema,
    version: z.int(),
  }),
  /** Fetch the ticket keys again. */
  z.object({ ...everyCommand, kind: z.literal('keys'), version: z.int() }),
  /** Somebody else may have this ticket key: refuse it from now on, even where it is still listed. */
  z.object({ ...everyCommand, kind: z.literal('leaked'), kid: z.string().max(64) }),
  /** Drain this relay. */
  z.object({ ...everyCommand, kind: z.literal('drain'), relay: z.string(), version: z.int() }),
])
export type Command = z.infer<typeof commandSchema>

export const securityEventSchema = z.object({
  /** Stays the same when it is sent again; older relays omit it. */
  id: z.string().max(64).optional(),
  at: timeSchema,
  kind: z.string().max(64),
  fields: z.record(z.string(), z.union([z.string(), z.number()])),
})
export type SecurityEvent = z.infer<typeof securityEventSchema>

/** The maximum of a report; the rest comes with the next one. */
export const syncMax = {
  bound: 20_000,
  away: 5_000,
  usage: 5_000,
  events: 1_000,
  connections: 400,
  /** In all of them together; some 70 bytes each. */
  connectionRows: 10_000,
} as const

export const syncSchema = z.object({
  boot: bootSchema,
  state: z.enum(['starting', 'ready', 'draining']),
  load: relayLoadSchema,
  /** Last command id read; missing after a boot: then the answer goes back one ticket lifetime. */
  cursor: z.string().max(64).optional(),
  /** Rises with every request of a boot, so a late one is recognised. Older relays omit it. */
  sequence: z.int().min(0).optional(),
  /** The process ends after this report and no longer serves, so nothing has to wait for it. */
  last: z.boolean().optional(),
  /** Proxy services that it trusts, whose networks it wants to know. */
  proxies: z.array(z.string().max(32)).max(8).optional(),
  /** Endpoints bound here now: neither sweeper nor claims may take them. */
  bound: z
    .array(
      oneByOne(
        z.object({
          endpoint: endpointIdSchema,
          tunnel: idSchema('tun'),
          epoch: z.int(),
          /** None of its agents has a connection now; each may come back. */
          detached: z.boolean().optional(),
        }),
      ),
    )
    .max(syncMax.bound),
  /** Agents of tunnels that have been away for more than a minute, or are back, since the last sync. */
  away: z
    .array(
      oneByOne(
        z.object({
          tunnel: idSchema('tun'),
          endpoint: endpointIdSchema,
          epoch: z.int(),
          /** A relay that cannot tell agents apart omits it: then all of the tunnel's are meant. */
          agent: z.string().max(64).optional(),
          away: z.boolean(),
        }),
      ),
    )
    .max(syncMax.away),
  usage: z.array(oneByOne(usageSchema)).max(syncMax.usage),
  /** Echoed as `acknowledged` once `usage` is stored. */
  report: z.string().max(64).optional(),
  events: z.array(oneByOne(securityEventSchema)).max(syncMax.events),
  /** Connections that have ended, of tunnels that keep them. Older relays omit it, as do those that have none. */
  connections: z.array(oneByOne(connectionBatchSchema)).max(syncMax.connections).optional(),
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
  keys: z.object({
    version: z.int(),
    jwks: z.object({ keys: z.array(z.record(z.string(), z.unknown())) }),
    /** The `iss` of what they sign; control planes up to 0.1 do not send it. */
    issuer: z.string().max(256).optional(),
  }),
  commands: z.array(oneByOne(commandSchema)),
  cursor: z.string(),
  acknowledged: z.string().optional(),
  /** Entries of the acknowledged `usage`, by index, that can never be accepted: do not send them again. */
  refused: z.array(z.object({ index: z.int().min(0), code: z.string().max(16) })).optional(),
  syncMs: z.int(),
  /** Changes when agents should dial other relays than before. */
  directory: z.string().max(64).optional(),
  /** Present networks of the proxy services that it trusts; omitted while the release knows the newest. */
  proxyNetworks: z
    .object({ cloudflare: z.array(networkSchema).min(1).max(500) })
    .or(z.unknown().transform(() => undefined))
    .optional(),
  /** What operators want of feature flags; older control planes omit it, and then what was said last applies. */
  flags: z
    .record(
      z.string().max(64),
      z.object({
        percent: z.number(),
        in: z.array(z.string().max(64)).max(1_000).readonly(),
        out: z.array(z.string().max(64)).max(1_000).readonly(),
        killed: z.boolean(),
      }),
    )
    .or(z.unknown().transform(() => undefined))
    .optional(),
  /** Omitted where no certificates are ordered. */
  tls: z
    .object({
      /** Thumbprint of the account's key at the issuers: `<token>.<thumbprint>` answers their HTTP-01 challenges. */
      thumbprint: z.string().max(64),
      /** The cell's relays make their session ticket keys from it, so that one resumes what another began. */
      ticketSecret: z.string().max(64),
    })
    .optional(),
})
export type SyncAnswer = z.infer<typeof syncAnswerSchema>

export const certificatesSchema = z.object({ hosts: z.array(certifiedSchema).max(100) })

const relayCertificateSchema = z.object({
  host: certifiedSchema,
  /** The names in it. */
  hosts: z.array(z.string().max(255)).max(100),
  version: z.int(),
  /** PEM, leaf first. */
  chain: z.string().max(65_536),
  /** PEM. */
  key: z.string().max(8_192),
})
export type RelayCertificate = z.infer<typeof relayCertificateSchema>

/** The certificates of those requested names that this relay's cell serves and that have one. */
export const relayCertificatesSchema = z.object({ certificates: z.array(relayCertificateSchema) })
