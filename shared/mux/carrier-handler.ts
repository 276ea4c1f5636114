/** The handler of a carrier without an owner, before its session and after it. */
import type { CarrierHandler } from './carrier.ts'

export const deafHandler: CarrierHandler = {
  isAwaited: () => false,
  onData() {},
  onFrame() {},
  onWritable() {},
  onViolation() {},
  onLost() {},
}
