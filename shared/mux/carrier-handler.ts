/** Who is responsible for a carrier: the handshake first, then the session, at last nobody. */
import type { PortTunnelerError } from '../base/errors.ts'
import type { FrameType, Payload } from '../protocol/frames.ts'
import type { Carrier } from './carrier.ts'

export type CarrierHandler = {
  /** `bytes` are the carrier's again when this returns. */
  onData(stream: number, offset: number, bytes: Buffer): void
  onFrame(carrier: Carrier, type: FrameType, stream: number, payload: Payload): void
  /** May send again: after a turn's write, or when a full socket drained. */
  onWritable(carrier: Carrier): void
  /** The other side broke the protocol: the session ends with this code (rule 9). */
  onViolation(carrier: Carrier, reason: PortTunnelerError): void
  /** Once; no other call follows. */
  onLost(carrier: Carrier, reason: PortTunnelerError): void
}

/** Hears what comes on a carrier that nobody listens to any more. */
export const deafHandler: CarrierHandler = {
  onData() {},
  onFrame() {},
  onWritable() {},
  onViolation() {},
  onLost() {},
}
