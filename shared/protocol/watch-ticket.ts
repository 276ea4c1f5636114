/**
 * Watch tickets: short-lived read-only JWTs by which a browser sees one account's live figures at a relay. Made by
 * control/watch.ts with the keys of lease tickets, checked here by relays. Their own audience and `typ` keep the two
 * kinds apart: neither is ever accepted as the other.
 */
import { z } from 'zod'
import { fail } from '../base/errors.ts'
import { type TokenCheck, verifyToken } from './signed-token.ts'

/** The `typ` header of a watch ticket. */
export const watchTicketType = 'watch+jwt'

/** The `aud` of a watch ticket for one cell's relays. */
export const watchAudience = (cell: string): string => `watch:${cell}`

export const watchClaimsSchema = z.object({
  iss: z.string().max(256),
  /** Account: the relay shows only this one's tunnels. */
  sub: z.string().max(64),
  /** One for each cell in which the account has tunnels. */
  aud: z.union([z.string().max(80), z.array(z.string().max(80)).max(64)]),
  iat: z.int(),
  exp: z.int(),
  /** Only these tunnels of the account; undefined = all of them. */
  tunnels: z.array(z.string().max(64)).max(200).optional(),
})
export type WatchClaims = z.infer<typeof watchClaimsSchema>

/**
 * Checks signature, kind, issuer, times, cell and shape.
 * @throws watch.invalid for every reason alike; the reason is in `cause`
 */
export async function checkWatchTicket(
  token: string,
  { cell, ...check }: TokenCheck & { readonly cell: string },
): Promise<WatchClaims> {
  try {
    const expected = { audience: watchAudience(cell), typ: watchTicketType }
    return watchClaimsSchema.parse(await verifyToken(token, check, expected))
  } catch (cause) {
    throw fail('watch.invalid', undefined, { cause })
  }
}
