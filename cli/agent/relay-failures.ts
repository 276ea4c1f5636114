/** Why a relay is lost, as its code or the way to it says. */
import { fail, keyOfCode, type PortTunnelerError } from '@porttunneler/shared/base/errors'

/** It says more than that the connection is lost. */
export function isOfProxy(failure: PortTunnelerError | undefined): failure is PortTunnelerError {
  return failure?.key.startsWith('proxy.') === true
}

/** A code from a newer relay has no row here: it is told as it came and treated as passing. */
export function failureOf(code: string, message: string | undefined): PortTunnelerError {
  const key = keyOfCode(code)
  return key ? fail(key, message) : fail('carrier.lost', `${code} ${message ?? ''}`.trim())
}
