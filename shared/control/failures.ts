/** What is thrown that is no failure of ours becomes one, with the original as its cause; nothing of it is shown. */
import { fail, isFailure, type PortTunnelerError } from '../base/errors.ts'

export function asFailure(error: unknown): PortTunnelerError {
  return isFailure(error) ? error : fail('api.internal', undefined, { cause: error })
}
