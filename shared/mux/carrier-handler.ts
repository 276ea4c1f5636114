/** The handler of a carrier that nobody listens to, before its session and after it. */
import type { CarrierHandler } from './carrier.ts'

export const deafHandler: CarrierHandler = {
  isAwaited: () => false,
  onData() {},
  onFrame() {},
  onWritable() {},
  onViolation() {},
  onLost() {},
}
