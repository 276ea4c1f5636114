/** One network: a subnet for the relays of each region, and what may reach them. There is no NAT: relays are public. */
import { ComputeFirewall } from '@cdktf/provider-google/lib/compute-firewall/index.js'
import { ComputeNetwork } from '@cdktf/provider-google/lib/compute-network/index.js'
import { ComputeSubnetwork } from '@cdktf/provider-google/lib/compute-subnetwork/index.js'
import type { Construct } from 'constructs'
import type { Cell } from '../environment.ts'
import { emailOf, httpPort, network, ownPorts, relayAccount, subnetOf, tlsPort } from '../names.ts'
import { PorttunnelerStack, type StackOptions } from './porttunneler-stack.ts'

/** Google's health checkers, for groups and for passthrough balancers. A rule holds one family of addresses. */
const checkers4 = ['35.191.0.0/16', '130.211.0.0/22', '209.85.152.0/22', '209.85.204.0/22']
const checkers6 = ['2600:1901:8001::/48', '2600:2d00:1:b029::/64']
/** Identity-Aware Proxy: SSH for operators without an open port. */
const iap = ['35.235.240.0/20']

export class NetworkStack extends PorttunnelerStack {
  constructor(scope: Construct, options: StackOptions) {
    super(scope, 'network', options)
    const { cells } = this.environment
    const net = new ComputeNetwork(this, 'network', {
      name: network,
      autoCreateSubnetworks: false,
      routingMode: 'REGIONAL',
    })
    const regions = [...new Set(cells.map(({ region }) => region))].sort()
    regions.forEach((region, index) => {
      new ComputeSubnetwork(this, `subnet-${region}`, {
        name: subnetOf(region),
        region,
        network: net.id,
        ipCidrRange: `10.${index}.0.0/20`,
        stackType: 'IPV4_IPV6',
        ipv6AccessType: 'EXTERNAL',
        privateIpGoogleAccess: true,
      })
    })
    for (const cell of cells) this.#rules(net.id, cell)
  }

  #rules(net: string, cell: Cell): void {
    const { id, tcpPorts } = cell
    const own = ownPorts(cell)
    const visitors = [`${httpPort}`, `${tlsPort}`, `${tcpPorts.first}-${tcpPorts.last}`, own]
    const allow = (name: string, sourceRanges: string[], ports: string[]) =>
      new ComputeFirewall(this, `${name}-${id}`, {
        name: `relay-${id}-${name}`,
        network: net,
        direction: 'INGRESS',
        priority: 1000,
        sourceRanges,
        targetServiceAccounts: [emailOf(this.environment, relayAccount(cell))],
        allow: [{ protocol: 'tcp', ports }],
      })
    allow('visitors-v4', ['0.0.0.0/0'], visitors)
    allow('visitors-v6', ['::/0'], visitors)
    allow('checks-v4', checkers4, [`${httpPort}`, own])
    allow('checks-v6', checkers6, [`${httpPort}`, own])
    allow('ssh', iap, ['22'])
  }
}
