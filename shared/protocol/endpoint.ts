/**
 * What a tunnel is to a relay: its kind, its endpoint's id and its policy. Zod alone, so that schemas which
 * browsers read may import it.
 */
import { z } from 'zod'

/** An address or a CIDR network. */
export const networkSchema = z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()])

/** As files and variables of the environment say several: a list, or text with commas or blanks between them. */
export const networkListSchema = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(/[\s,]+/).filter((part) => part !== '') : value),
  z.array(networkSchema).max(100),
)

export const tunnelKinds = ['tcp', 'http', 'tls'] as const
export type TunnelKind = (typeof tunnelKinds)[number]

/** How many agents may serve a tunnel at a time. `many` is a pool: its agents share the lease and the visitors. */
export const agentModes = ['one', 'many'] as const
export type AgentMode = (typeof agentModes)[number]

/** What a visitor may do at a tunnel, as far as the relay enforces it. Absent limits mean the plan's. */
export const policySchema = z.strictObject({
  /** CIDRs or addresses. An empty allow list lets everybody in; deny wins over allow. */
  allow: z.array(networkSchema).max(100),
  deny: z.array(networkSchema).max(100),
  connectionsMax: z.int().min(1).max(100_000),
  connectionsPerMinute: z.int().min(1).max(1_000_000),
})
export type Policy = z.infer<typeof policySchema>

/** `tcp:<cell>:<port>` or `host:<name>`: the id of the endpoint's document and the name it has everywhere. */
export const endpointIdSchema = z
  .string()
  .regex(/^(tcp:[a-z0-9-]{1,32}:[1-9][0-9]{0,4}|host:[a-z0-9.-]{1,253})$/)

/** Names that a tunnel may have beside its endpoint; each of its tickets lists them all. */
export const namesMax = 32

/** In small letters, with two labels or more, no address; ids of documents end at 128 characters. */
export const hostSchema = z
  .string()
  .max(128)
  .regex(/^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/)

/** A host that leads to the tunnel; of two versions of one host the higher counts. */
export const aliasSchema = z.object({ host: hostSchema, version: z.int().min(1) })
export type Alias = z.infer<typeof aliasSchema>
