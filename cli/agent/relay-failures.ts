/** Why a relay is lost, from its code or from the proxy on the way. */
import { fail, keyOfCode, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import type { Tunnel } from './tunnels.ts'

/** Says more than that the connection is lost. */
export function isOfProxy(failure: PortTunnelerError | undefined): failure is PortTunnelerError {
  return failure?.key.startsWith('proxy.') === true
}

/** A code of a newer relay has no row here: it is shown as it came and treated as temporary. */
export function failureOf(code: string, message: string | undefined): PortTunnelerError {
  const key = keyOfCode(code)
  return key ? fail(key, message) : fail('carrier.lost', `${code} ${message ?? ''}`.trim())
}

/** Somebody stopped the whole agent, whichever of its tunnels was told. */
export function isOfAgent({ key }: PortTunnelerError): boolean {
  return key === 'agent.stopped'
}

/**
 * Whether a relay's answer ends the tunnel. A stop is about the program that has got the lease: one that was started
 * since shows the saved ticket of the stopped one, and asks the control plane.
 */
export function isFinal(failure: PortTunnelerError, { wasGranted }: Pick<Tunnel, 'wasGranted'>): boolean {
  return failure.entry.retry === 'never' && (wasGranted || !isOfAgent(failure))
}
