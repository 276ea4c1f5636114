/** Bodies of the session frames (JSON), each checked by its schema at the receiver. docs/protocol.md */
import { z } from 'zod'

/** Versions this build speaks, newest first. */
export const protocolVersions = [1] as const

const carrierNumber = z.int().min(1).max(0xffffffff)
const bindId = z.int().min(1).max(0xffffffff)
const code = z.string().regex(/^PT-[0-9]{4}$/)
const message = z.string().max(500)
const lostList = z.array(carrierNumber).max(1_000)

/** Agent to relay, first on every carrier. `resume` adds the carrier to a living session. */
export const helloSchema = z.object({
  versions: z.array(z.int().min(1).max(1_000)).min(1).max(16),
  agent: z.string().max(64),
  build: z.string().max(64),
  /** Proves the right to a new session; a resumed one has its own proof. */
  ticket: z.string().max(8_192).optional(),
  carrier: carrierNumber,
  /** dedicated: for one elephant in each direction. */
  kind: z.enum(['shared', 'dedicated']).default('shared'),
  /** How many bytes the agent grants each stream at once. */
  window: z.int().min(4_096).max(1_048_576),
  lost: lostList,
  resume: z
    .object({
      session: z.string().max(64),
      /** HMAC-SHA256(secret, TLS exporter and carrier number), base64url: worthless on any other connection. */
      proof: z.string().max(64),
    })
    .optional(),
})
export type Hello = z.infer<typeof helloSchema>

export const welcomeSchema = z.object({
  version: z.int(),
  session: z.string().max(64),
  secret: z.string().max(128),
  lost: lostList,
  relay: z.string().max(64),
})
export type Welcome = z.infer<typeof welcomeSchema>

export const refuseSchema = z.object({ code, message, retryAfterMs: z.int().min(0).optional() })

export const bindSchema = z.object({ bind: bindId, ticket: z.string().max(8_192) })
export const unbindSchema = z.object({ bind: bindId })
export const boundSchema = z.object({ bind: bindId, endpoint: z.string().max(300) })
/** Says that a BIND is refused, or that a binding has ended. */
export const unboundSchema = z.object({ bind: bindId, code, message })

export const goAwaySchema = z.object({
  code,
  message,
  /** How long running streams may take to finish. */
  graceMs: z.int().min(0),
  /** When to dial again. */
  redialMs: z.int().min(0),
})

export type GoAway = z.infer<typeof goAwaySchema>

export const noticeSchema = z.object({ code, text: message })
