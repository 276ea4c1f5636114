/**
 * What a relay knows of a tunnel: its kind, its endpoint's id and its policy. Only zod, so that schemas for browsers
 * may import it.
 */
import { z } from 'zod'

/** An address or a CIDR network. */
export const networkSchema = z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()])

/** How files and environment variables write several: as a list, or as text with commas or blanks between them. */
const listOf = <T extends z.ZodType>(entry: T) =>
  z.preprocess(
    (value) => (typeof value === 'string' ? value.split(/[\s,]+/).filter((part) => part !== '') : value),
    z.array(entry).max(100),
  )
export const networkListSchema = listOf(networkSchema)

/** A proxy in front: an address, a network, or a service whose networks are kept up to date. */
export const trustedProxySchema = z.union([z.literal('cloudflare'), networkSchema])
export const trustedProxyListSchema = listOf(trustedProxySchema)

export const tunnelKinds = ['tcp', 'http', 'tls'] as const
export type TunnelKind = (typeof tunnelKinds)[number]

/** How many agents may serve a tunnel at a time. `many` is a pool: its agents share the lease and the visitors. */
export const agentModes = ['one', 'many'] as const
export type AgentMode = (typeof agentModes)[number]

/** What a visitor may do at a tunnel, as far as the relay enforces it. Missing limits mean the plan's. */
export const policySchema = z.strictObject({
  /** CIDRs or addresses. An empty allow list lets everybody in; deny wins over allow. */
  allow: z.array(networkSchema).max(100),
  deny: z.array(networkSchema).max(100),
  connectionsMax: z.int().min(1).max(100_000),
  connectionsPerMinute: z.int().min(1).max(1_000_000),
  requestsPerMinute: z
    .int()
    .min(1)
    .max(1_000_000)
    .exactOptional()
    .describe('http tunnels: requests a minute of one visitor (an IPv4 address or an IPv6 /64)'),
  bodyBytesMax: z
    .int()
    .min(0)
    .max(1_000_000_000_000)
    .exactOptional()
    .describe('http tunnels: bytes in the body of one request, with its chunk sizes'),
  httpsOnly: z.boolean().exactOptional().describe('http tunnels: requests by plain HTTP are sent to HTTPS'),
  acme: z
    .enum(['relay', 'upstream'])
    .exactOptional()
    .describe(
      'http tunnels: who answers the HTTP-01 challenges of certificate authorities at own domains; missing: the relay',
    ),
  keepConnections: z
    .enum(['whole', 'shortened'])
    .exactOptional()
    .describe(
      'Whether to keep a list of the connections of visitors, with their addresses whole, or shortened to /24 and /48; missing: nothing is kept. Relays up to 0.1 refuse it',
    ),
})
/** Rules that only a relay that reads requests can enforce; relays up to 0.1 refuse tickets with any of them. */
export const requestRules = [
  'requestsPerMinute',
  'bodyBytesMax',
  'httpsOnly',
  'acme',
] as const satisfies readonly (keyof Policy)[]
export type Policy = z.infer<typeof policySchema>

/** `tcp:<cell>:<port>` or `host:<name>`: the id of the endpoint's document, and its name everywhere. */
export const endpointIdSchema = z
  .string()
  .regex(/^(tcp:[a-z0-9-]{1,32}:[1-9][0-9]{0,4}|host:[a-z0-9.-]{1,253})$/)

/** Names that a tunnel may have besides its endpoint; each of its tickets lists them all. */
export const namesMax = 32

/** In small letters, with at least two labels, not an address; document ids have at most 128 characters. */
export const hostSchema = z
  .string()
  .max(128)
  .regex(/^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/)

/** An own domain: a host, or `*.` for all names one level below it (base/wildcards.ts). */
export const ownDomainSchema = z
  .string()
  .max(128)
  .regex(/^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/)

/**
 * A host that leads to the tunnel; of two versions for one host the higher counts. Relays up to 0.1 refuse tickets with
 * a wildcard.
 */
export const aliasSchema = z.object({ host: ownDomainSchema, version: z.int().min(1) })
export type Alias = z.infer<typeof aliasSchema>
