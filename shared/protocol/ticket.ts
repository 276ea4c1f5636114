/**
 * Tickets: EdDSA JWTs by which the control plane tells relays, offline, that a tunnel holds a lease. Made by
 * control/tickets.ts, sent by the agent in HELLO and BIND, checked here. RFC 7519, RFC 8037.
 */
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { z } from 'zod'
import { fail } from '../base/errors.ts'
import { agentModes, aliasSchema, endpointIdSchema, namesMax, policySchema, tunnelKinds } from './endpoint.ts'
import { type TokenCheck, verifyToken } from './signed-token.ts'

export { endpointIdSchema, type Policy, policySchema } from './endpoint.ts'

/** The `typ` header of a lease ticket, which distinguishes it from everything else that the same keys sign. */
export const ticketType = 'lease+jwt'

export const ticketClaimsSchema = z.object({
  iss: z.string().max(256),
  /** Tunnel. */
  sub: z.string().max(64),
  /** Cell. */
  aud: z.string().max(64),
  iat: z.int(),
  exp: z.int(),
  account: z.string().max(64),
  agent: z.string().max(64),
  /** Default: one. With `many`, others hold the same epoch, and relays spread the visitors. */
  agents: z.enum(agentModes).optional(),
  kind: z.enum(tunnelKinds),
  name: z.string().max(64),
  endpoint: endpointIdSchema,
  epoch: z.int().min(1),
  plan: z.string().max(32),
  policy: policySchema,
  policyVersion: z.int().min(0),
  /** What all tunnels of the account may have together at one relay; undefined = not said. */
  accountLimits: z
    .object({ connectionsMax: z.int().min(1), connectionsPerMinute: z.int().min(1) })
    .optional(),
  /** Bytes that this relay may carry for the account until a newer ticket says otherwise; undefined = unlimited. */
  shareBytes: z.int().min(0).optional(),
  /** Undefined = none. Relays up to 0.1 ignore it: there the names lead nowhere. */
  names: z.array(aliasSchema).max(namesMax).optional(),
  /** The full hour from which `shareBytes` counts; undefined: from the BIND, as in releases up to 0.1. */
  shareFrom: z.int().min(0).optional(),
  /** Names the period and limit of the share; a share with another name is unrelated. */
  shareOf: z.string().max(64).optional(),
  /** The request of the API that this ticket is the answer to; only for the log. Undefined: an older release. */
  request: z.string().max(64).optional(),
})
export type TicketClaims = z.infer<typeof ticketClaimsSchema>

/**
 * Checks signature, kind, issuer, times, cell and shape.
 * @throws ticket.invalid for every reason alike (strangers learn nothing); the reason is in `cause`
 */
export async function checkTicket(
  token: string,
  { cell, ...check }: TokenCheck & { readonly cell: string },
): Promise<TicketClaims> {
  try {
    return ticketClaimsSchema.parse(await verifyToken(token, check, { audience: cell, typ: ticketType }))
  } catch (cause) {
    throw fail('ticket.invalid', undefined, { cause })
  }
}

/** The key and issuer that a ticket names, unchecked; undefined if it is not a JWT. */
export function ticketOrigin(token: string): { readonly kid?: string; readonly iss?: string } | undefined {
  try {
    return { ...decodeProtectedHeader(token), ...decodeJwt(token) }
  } catch {
    return undefined
  }
}
