/** What a PROXY header tells an upstream about a visitor. */
import { isIPv6 } from 'node:net'
import type { OpenInfo } from '@porttunneler/shared/mux/open-info'
import type { ProxyEnds } from '@porttunneler/shared/protocol/proxy-header'

/** The relay does not say at which of its addresses it was reached, only at which port. */
export function endsOf({ visitorAddress, visitorPort, localPort }: OpenInfo): ProxyEnds {
  return {
    sourceAddress: visitorAddress,
    sourcePort: visitorPort,
    destinationAddress: isIPv6(visitorAddress) ? '::' : '0.0.0.0',
    destinationPort: localPort,
  }
}
