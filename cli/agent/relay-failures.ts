/** Why a relay is lost, from its code or from the proxy on the way. */
import { fail, keyOfCode, type PortTunnelerError } from '@porttunneler/shared/base/errors'

/** Says more than that the connection is lost. */
export function isOfProxy(failure: PortTunnelerError | undefined): failure is PortTunnelerError {
  return failure?.key.startsWith('proxy.') === true
}

/** A code of a newer relay has no row here: it is shown as it came and treated as temporary. */
export function failureOf(code: string, message: string | undefined): PortTunnelerError {
  const key = keyOfCode(code)
  return key ? fail(key, message) : fail('carrier.lost', `${code} ${message ?? ''}`.trim())
}
