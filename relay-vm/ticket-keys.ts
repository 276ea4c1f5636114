/**
 * Keys of session tickets, the same at every relay of a cell: made from the cell's secret and the day (UTC), so that a
 * visitor can resume at one relay a session that another began. At midnight a visitor makes one full handshake.
 */
import { hkdfSync } from 'node:crypto'

const dayMs = 86_400_000
/** Name, HMAC and AES key of Node's `setTicketKeys`. */
const keyBytes = 48

export function ticketKeys(secret: string, nowMs: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, `${Math.floor(nowMs / dayMs)}`, 'tls tickets', keyBytes))
}
