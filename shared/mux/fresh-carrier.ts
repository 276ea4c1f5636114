/**
 * A carrier without a session: both sides wait for its first frame. The dialling side sends HELLO (dial.ts), the other
 * side WELCOME or REFUSE (accept.ts).
 */
import { createHmac } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Clock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import type { FrameType, Payload } from '../protocol/frames.ts'
import { limits } from '../protocol/limits.ts'
import type { Budget } from './budget.ts'
import { Carrier, type CarrierHandler } from './carrier.ts'
import type { Liveness } from './liveness.ts'
import type { Turn } from './turn.ts'

/** What the carriers of one process share. */
export type MuxShared = {
  readonly clock: Clock
  readonly turn: Turn
  readonly liveness: Liveness
  readonly budget: Budget
}

/** A TLS connection, or one from another process of this machine, where the TLS ends. */
export type CarrierSource = Socket & {
  exportKeyingMaterial(length: number, label: string, context: Buffer): Buffer
}

export type FreshCarrier = { readonly carrier: Carrier; readonly socket: CarrierSource }

/** What only the two ends of this TLS connection know (RFC 8446 section 7.5). */
export function exportedOf(socket: CarrierSource): Buffer {
  return socket.exportKeyingMaterial(32, 'EXPORTER-porttunneler-carrier', Buffer.alloc(0))
}

/** It is bound to this TLS connection, and to the carrier's number. */
export function proofOf(socket: CarrierSource, secret: string, carrier: number): string {
  const exported = exportedOf(socket)
  const number = Buffer.alloc(4)
  number.writeUInt32BE(carrier)
  return createHmac('sha256', secret).update(exported).update(number).digest('base64url')
}

export function freshCarrier(socket: CarrierSource, { turn, clock }: MuxShared): FreshCarrier {
  return { carrier: new Carrier({ socket, number: 0, turn, clock, handler: unexpectingHandler }), socket }
}

const unexpected = () => {
  throw fail('frame.unexpected')
}
/** Handles frames of a carrier while nobody expects any. */
const unexpectingHandler: CarrierHandler = {
  isAwaited: () => false,
  onData: unexpected,
  onFrame: unexpected,
  onWritable() {},
  onViolation: (carrier, reason) => carrier.lose(reason),
  onLost() {},
}

/** Waits for the first frame of a fresh carrier, which must be one of `types`; `read` may hand the carrier on. */
export function firstFrame<T>(
  carrier: Carrier,
  {
    clock,
    types,
    read,
  }: { clock: Clock; types: readonly FrameType[]; read: (type: FrameType, payload: Payload) => T },
): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (reason: unknown) => {
      timer.clear()
      carrier.handTo(unexpectingHandler)
      reject(reason)
    }
    const timer = clock.after(limits.helloDeadlineMs, () => stop(fail('hello.deadline')))
    carrier.handTo({
      ...unexpectingHandler,
      onFrame(_carrier, type, _stream, payload) {
        if (!types.includes(type)) throw fail('frame.unexpected')
        timer.clear()
        carrier.handTo(unexpectingHandler)
        try {
          resolve(read(type, payload))
        } catch (error) {
          reject(error)
        }
      },
      onViolation: (_carrier, reason) => stop(reason),
      onLost: (_carrier, reason) => stop(reason),
    })
  })
}
