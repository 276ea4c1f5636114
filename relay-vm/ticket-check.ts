/** Checks tickets offline, by the keys that the control plane gave and by its time. */
import { fail } from '@porttunneler/shared/base/errors'
import { checkTicket, type TicketClaims, ticketOrigin } from '@porttunneler/shared/protocol/ticket'
import type { ServerTime } from './server-time.ts'
import type { RelayState } from './state.ts'

export type CheckOptions = {
  readonly state: RelayState
  readonly time: ServerTime
  /** A ticket names a key that the relay does not have. */
  onUnknownKey(): void
}

/** @throws relay.starting, ticket.invalid */
export async function checkHere(
  ticket: string,
  { state, time, onUnknownKey }: CheckOptions,
): Promise<TicketClaims> {
  const { cell, keys } = state
  const { jwks, issuer } = keys
  if (cell === undefined) throw fail('relay.starting')
  try {
    return await checkTicket(ticket, { keys: jwks, issuer, cell: cell.id, nowMs: time.now() })
  } catch (error) {
    const { kid, iss } = ticketOrigin(ticket) ?? {}
    const isUnknown = kid !== undefined && !jwks.keys.some((key) => key.kid === kid)
    // The control plane may have moved to another address since the last sync.
    if (isUnknown || (issuer !== undefined && iss !== undefined && iss !== issuer)) onUnknownKey()
    throw error
  }
}
