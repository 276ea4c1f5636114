/**
 * An agent's connection that is to join a session of another process of this machine. While a relay is replaced, both
 * processes have the address that agents dial, and later only the successor has it, but the session stays where it is.
 * TLS ends in the process that was dialled, so it tells the other one what the proof in HELLO was made with. The folder
 * in which processes ask each other is open to their user alone.
 */
import { Buffer } from 'node:buffer'
import type { Socket } from 'node:net'
import type { AcceptedHello } from '@porttunneler/shared/mux/accept'
import type { CarrierSource, MuxShared } from '@porttunneler/shared/mux/fresh-carrier'
import type { Origins } from './listeners/origins.ts'
import { joinSibling, type Siblings } from './siblings.ts'

/** What a hop of kind `carrier` has as its endpoint: the id of the session, a space, 32 bytes in base64url. */
const endpointPattern = /^(ses_[0-9a-f]{30}) ([\w-]{43})$/

export type CarrierHop = { readonly session: string; readonly exported: Buffer }

export function readCarrierHop(endpoint: string): CarrierHop | undefined {
  const [, session, exported] = endpointPattern.exec(endpoint) ?? []
  if (session === undefined || exported === undefined) return undefined
  return { session, exported: Buffer.from(exported, 'base64url') }
}

/** The connection from the other process, as one on which the TLS had ended here. */
export function asSource(socket: Socket, { exported }: CarrierHop): CarrierSource {
  return Object.assign(socket, { exportKeyingMaterial: () => exported })
}

export type PassOptions = {
  /** undefined: this process shares the machine with none. */
  readonly siblings?: Siblings | undefined
  readonly origins: Origins
  readonly mux: Pick<MuxShared, 'clock'>
}

/**
 * Hands the connection to the process that has the session, if there is one.
 * @returns whether it did: then the connection is not ours any more
 */
export async function passCarrier(
  accepted: AcceptedHello,
  socket: CarrierSource,
  { siblings, origins, mux }: PassOptions,
): Promise<boolean> {
  const { resume } = accepted.hello
  if (!resume || !siblings) return false
  const endpoint = `${resume.session} ${accepted.exported.toString('base64url')}`
  if (!readCarrierHop(endpoint)) return false
  const sibling = await siblings.find({ kind: 'carrier', endpoint, origin: origins.of(socket) })
  const first = sibling && accepted.passOn()
  if (!sibling || !first) {
    sibling?.destroy()
    return false
  }
  // TLS knows no reset, and for a carrier each end is a loss.
  joinSibling(Object.assign(socket, { resetAndDestroy: () => socket.destroy() }), sibling, {
    clock: mux.clock,
    first,
  })
  return true
}
