/**
 * Turns gRPC's statuses into the store's codes, so that no raw error leaves the store, and says what each means for a
 * retry.
 */
import { fail, isFailure, type PortTunnelerError } from '@porttunneler/shared/base/errors'

/** google.rpc.Code, as far as it matters here. */
const status = {
  invalidArgument: 3,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unauthenticated: 16,
} as const

/** What a failed commit says about whether it took effect. */
type Verdict = 'refused' | 'raced' | 'final' | 'unknown'

/**
 * refused: a precondition did not hold; raced: another one undid it, send it again; final: sending it again is useless;
 * `unknown`, for every other status: the commit may have been applied and its answer lost.
 */
export function verdictOf(error: unknown): Verdict {
  if (isFailure(error)) return error.key === 'store.unavailable' ? 'unknown' : 'final'
  switch (statusOf(error)) {
    case status.notFound:
    case status.alreadyExists:
    case status.failedPrecondition:
      return 'refused'
    case status.aborted:
      return 'raced'
    case status.invalidArgument:
    case status.outOfRange:
    case status.permissionDenied:
    case status.unauthenticated:
      return 'final'
    default:
      return 'unknown'
  }
}

/** The failure to show for an error of a read, or of a commit that no precondition refused. */
export function storeFailure(error: unknown): PortTunnelerError {
  if (isFailure(error)) return error
  const cause = { cause: error }
  switch (statusOf(error)) {
    case status.invalidArgument:
    case status.outOfRange:
      return fail('store.invalid', undefined, cause)
    case status.aborted:
      return fail('store.contention', undefined, cause)
    case status.failedPrecondition:
      return fail('cloud.index', undefined, cause)
    case status.permissionDenied:
    case status.unauthenticated:
    case status.notFound:
      return fail('cloud.refused', undefined, cause)
    default:
      return fail('store.unavailable', undefined, cause)
  }
}

function statusOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}
