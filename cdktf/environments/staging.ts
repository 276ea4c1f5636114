import type { EnvironmentInput } from '../environment.ts'
import { prod } from './prod.ts'

/** As prod, smaller, in a project and below domains of its own. */
export const staging: EnvironmentInput = {
  ...prod,
  name: 'staging',
  project: 'porttunneler-staging',
  projectNumber: '100000000002',
  budgetDollars: 100,
  consoleHost: 'tunnels-staging.oguzhanb.com',
  relayDomain: 'ptun-staging-oguzhanb.com',
  relayZoneId: '2'.repeat(32),
  cells: [
    {
      id: 'eu',
      region: 'europe-west1',
      zones: ['europe-west1-b', 'europe-west1-c'],
      machineType: 'e2-standard-2',
      relays: 1,
      tcpPorts: { first: 20_000, last: 20_099 },
      host: 'eu.ptun-staging-oguzhanb.com',
    },
  ],
  registration: false,
}
