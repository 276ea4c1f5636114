/** The relay VMs of every cell: a group for each VM, so that each has subscriptions of its own. */
import { ComputeAddress } from '@cdktf/provider-google/lib/compute-address/index.js'
import { ComputeForwardingRule } from '@cdktf/provider-google/lib/compute-forwarding-rule/index.js'
import { ComputeHealthCheck } from '@cdktf/provider-google/lib/compute-health-check/index.js'
import { ComputeInstanceGroupManager } from '@cdktf/provider-google/lib/compute-instance-group-manager/index.js'
import { ComputeInstanceTemplate } from '@cdktf/provider-google/lib/compute-instance-template/index.js'
import { ComputeRegionBackendService } from '@cdktf/provider-google/lib/compute-region-backend-service/index.js'
import { ComputeRegionHealthCheck } from '@cdktf/provider-google/lib/compute-region-health-check/index.js'
import type { Construct } from 'constructs'
import type { Cell } from '../environment.ts'
import { emailOf, httpPort, network, ownPort, relayAccount, subnetOf, type Vm, vmsOf } from '../names.ts'
import { literal, relayMetadata } from '../relay-metadata.ts'
import { irreplaceable, PorttunnelerStack, type StackOptions } from './porttunneler-stack.ts'

/** A VM that boots fetches its programs first: start-up.sh allows itself 60 s after that, the archives five minutes. */
const initialDelaySeconds = 420
/** Longer than the 75 s that a relay takes to drain. */
const drainSeconds = 120

export class RelaysStack extends PorttunnelerStack {
  constructor(scope: Construct, options: StackOptions) {
    super(scope, 'relays', options)
    const alive = new ComputeHealthCheck(this, 'alive', {
      name: 'relay-alive',
      checkIntervalSec: 10,
      timeoutSec: 5,
      healthyThreshold: 1,
      unhealthyThreshold: 3,
      tcpHealthCheck: { port: ownPort },
    })
    for (const cell of this.environment.cells) this.#cell(cell, alive)
  }

  #cell(cell: Cell, alive: ComputeHealthCheck): void {
    const address = new ComputeAddress(this, `address-${cell.id}`, {
      name: `cell-${cell.id}`,
      region: cell.region,
      addressType: 'EXTERNAL',
      networkTier: 'PREMIUM',
      lifecycle: irreplaceable,
    })
    const vms = vmsOf(cell)
    // A VM that is alone has the cell's address; several stand behind it, and have others that may change.
    const groups = vms.map((vm) => this.#vm(vm, alive, vms.length === 1 ? address.address : undefined))
    if (groups.length > 1) this.#balancer(cell, groups, address)
  }

  #vm(vm: Vm, alive: ComputeHealthCheck, natIp: string | undefined): ComputeInstanceGroupManager {
    const { cell, zone, name } = vm
    const template = this.#template(vm, natIp)
    return new ComputeInstanceGroupManager(this, `group-${name}`, {
      name,
      zone,
      baseInstanceName: name,
      version: [{ instanceTemplate: template.selfLinkUnique }],
      targetSize: 1,
      autoHealingPolicies: { healthCheck: alive.id, initialDelaySec: initialDelaySeconds },
      // The release script rolls groups one after the other, with a look at each; Terraform would roll all at once.
      // A second VM beside the first would share its subscriptions, and each would get a part of the commands.
      updatePolicy: {
        type: 'OPPORTUNISTIC',
        minimalAction: 'REPLACE',
        replacementMethod: 'RECREATE',
        maxSurgeFixed: 0,
        maxUnavailableFixed: 1,
      },
      namedPort: [{ name: 'http', port: httpPort }],
      waitForInstances: false,
      description: `A relay VM of cell ${cell.id}`,
    })
  }

  #template({ cell, zone, name }: Vm, natIp: string | undefined): ComputeInstanceTemplate {
    const { image } = this.environment
    const metadata = relayMetadata(this.environment, { cell, zone, name })
    return new ComputeInstanceTemplate(this, `template-${name}`, {
      namePrefix: `${name}-`,
      machineType: cell.machineType,
      region: cell.region,
      canIpForward: false,
      disk: [{ sourceImage: image, boot: true, autoDelete: true, diskSizeGb: 20, diskType: 'pd-balanced' }],
      networkInterface: [
        {
          network,
          subnetwork: subnetOf(cell.region),
          stackType: 'IPV4_IPV6',
          accessConfig: [{ networkTier: 'PREMIUM', ...(natIp !== undefined && { natIp }) }],
          ipv6AccessConfig: [{ networkTier: 'PREMIUM' }],
        },
      ],
      serviceAccount: { email: emailOf(this.environment, relayAccount(cell)), scopes: ['cloud-platform'] },
      shieldedInstanceConfig: { enableSecureBoot: true, enableVtpm: true, enableIntegrityMonitoring: true },
      scheduling: { automaticRestart: true, onHostMaintenance: 'MIGRATE' },
      metadata: Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, literal(value)])),
      labels: { cell: cell.id },
      lifecycle: { createBeforeDestroy: true },
    })
  }

  /** Passes connections through as they are, so relays see visitors' addresses. */
  #balancer(cell: Cell, groups: readonly ComputeInstanceGroupManager[], address: ComputeAddress): void {
    const { id, region } = cell
    const ready = new ComputeRegionHealthCheck(this, `ready-${id}`, {
      name: `cell-${id}`,
      region,
      checkIntervalSec: 5,
      timeoutSec: 3,
      healthyThreshold: 1,
      unhealthyThreshold: 2,
      tcpHealthCheck: { port: httpPort },
    })
    const service = new ComputeRegionBackendService(this, `balancer-${id}`, {
      name: `cell-${id}`,
      region,
      protocol: 'UNSPECIFIED',
      loadBalancingScheme: 'EXTERNAL',
      healthChecks: [ready.id],
      connectionDrainingTimeoutSec: drainSeconds,
      backend: groups.map((group) => ({ group: group.instanceGroup, balancingMode: 'CONNECTION' })),
    })
    new ComputeForwardingRule(this, `visitors-${id}`, {
      name: `cell-${id}`,
      region,
      ipProtocol: 'L3_DEFAULT',
      allPorts: true,
      loadBalancingScheme: 'EXTERNAL',
      networkTier: 'PREMIUM',
      ipAddress: address.id,
      backendService: service.id,
    })
  }
}
