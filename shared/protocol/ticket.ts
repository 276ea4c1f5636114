/**
 * Tickets: EdDSA JWTs by which the control plane tells relays, offline, that a tunnel holds a lease.
 * Made by control/tickets.ts, carried by the agent in HELLO and BIND, checked here. RFC 7519, RFC 8037.
 */
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { z } from 'zod'
import { fail } from '../base/errors.ts'
import { agentModes, aliasSchema, endpointIdSchema, namesMax, policySchema, tunnelKinds } from './endpoint.ts'
import { type TokenCheck, verifyToken } from './signed-token.ts'

export { endpointIdSchema, type Policy, policySchema } from './endpoint.ts'

/** The `typ` header of a lease ticket: it tells them from everything else that the same keys sign. */
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
  /** Absent: one. With `many` others hold the same epoch, and relays spread the visitors. */
  agents: z.enum(agentModes).optional(),
  kind: z.enum(tunnelKinds),
  name: z.string().max(64),
  endpoint: endpointIdSchema,
  epoch: z.int().min(1),
  plan: z.string().max(32),
  policy: policySchema,
  policyVersion: z.int().min(0),
  /** What all tunnels of the account may have together at one relay; absent = not told. */
  accountLimits: z
    .object({ connectionsMax: z.int().min(1), connectionsPerMinute: z.int().min(1) })
    .optional(),
  /** Bytes this relay may carry for the account until a newer ticket says otherwise; absent = not limited. */
  shareBytes: z.int().min(0).optional(),
  /** Relays up to 0.1 pass it over: there the names lead nowhere. Absent = none. */
  names: z.array(aliasSchema).max(namesMax).optional(),
  /** The full hour from which `shareBytes` counts; absent: from the BIND, as releases up to 0.1 mean it. */
  shareFrom: z.int().min(0).optional(),
  /** Names period and limit of the share: one of another name has nothing to do with it. */
  shareOf: z.string().max(64).optional(),
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

/** What a ticket says of its key and its issuer, unchecked; undefined for whatever is no JWT. */
export function ticketOrigin(token: string): { readonly kid?: string; readonly iss?: string } | undefined {
  try {
    return { ...decodeProtectedHeader(token), ...decodeJwt(token) }
  } catch {
    return undefined
  }
}
