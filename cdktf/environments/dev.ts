import type { EnvironmentInput } from '../environment.ts'
import { prod } from './prod.ts'

/** One small VM, no balancer: the cheapest that has every part. */
export const dev: EnvironmentInput = {
  ...prod,
  name: 'dev',
  project: 'porttunneler-dev',
  projectNumber: '100000000001',
  budgetDollars: 50,
  consoleHost: 'tunnels-dev.oguzhanb.com',
  relayDomain: 'ptun-dev-oguzhanb.com',
  relayZoneId: '3'.repeat(32),
  cells: [
    {
      id: 'eu',
      region: 'europe-west1',
      zones: ['europe-west1-b'],
      machineType: 'e2-small',
      relays: 1,
      tcpPorts: { first: 20_000, last: 20_099 },
      host: 'eu.ptun-dev-oguzhanb.com',
    },
  ],
  registration: false,
}
