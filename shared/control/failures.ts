/** Turns an error that is not our own failure into one, with the original as its cause; none of its text is shown. */
import { fail, isFailure, type PortTunnelerError } from '../base/errors.ts'

export function asFailure(error: unknown): PortTunnelerError {
  return isFailure(error) ? error : fail('api.internal', undefined, { cause: error })
}
