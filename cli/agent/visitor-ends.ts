/** Names a visitor: for a PROXY header, for people, and for the limits that all visitors share. */
import { isIPv6 } from 'node:net'
import { sourcePath } from '@porttunneler/shared/base/addresses'
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

/** Its address and port, as people write them. */
export function visitorText({ visitorAddress: address, visitorPort: port }: OpenInfo): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`
}

/** Its place in what all visitors share, the larger holder first: tunnel, network, address. */
export function visitorPath({ bind, visitorAddress }: OpenInfo): readonly string[] {
  return [String(bind), ...sourcePath(visitorAddress)]
}
