/** What a PROXY header tells an upstream of a visitor. */
import { isIPv6 } from 'node:net'
import type { OpenInfo } from '@porttunneler/shared/mux/open-info'
import type { ProxyEnds } from '@porttunneler/shared/protocol/proxy-header'

/** Which of its addresses the relay was reached at it does not tell, only the port. */
export function endsOf({ visitorAddress, visitorPort, localPort }: OpenInfo): ProxyEnds {
  return {
    sourceAddress: visitorAddress,
    sourcePort: visitorPort,
    destinationAddress: isIPv6(visitorAddress) ? '::' : '0.0.0.0',
    destinationPort: localPort,
  }
}
