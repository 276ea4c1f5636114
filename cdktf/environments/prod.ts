import type { EnvironmentInput } from '../environment.ts'

/** The first operator’s installation. All of it is public: ids, hosts, sizes, the key that releases are checked by. */
export const prod: EnvironmentInput = {
  name: 'prod',
  project: 'porttunneler-prod',
  projectNumber: '100000000003',
  billingAccount: '000000-000000-000000',
  budgetDollars: 400,
  region: 'europe-west1',
  consoleHost: 'tunnels.oguzhanb.com',
  consoleZoneId: '0'.repeat(32),
  relayDomain: 'ptun-oguzhanb.com',
  relayZoneId: '1'.repeat(32),
  cells: [
    {
      id: 'eu',
      region: 'europe-west1',
      zones: ['europe-west1-b', 'europe-west1-c'],
      machineType: 'e2-standard-2',
      relays: 2,
      tcpPorts: { first: 20_000, last: 20_999 },
      host: 'eu.ptun-oguzhanb.com',
    },
  ],
  release: {
    // Nobody has the other half of this one.
    keys: ['MCowBQYDK2VwAyEAfprroZPagWCYhoO78IPTji3JoHYJX0bY27QrRG3M/HE='],
    oldest: '0.1.0',
  },
  image: 'projects/debian-cloud/global/images/debian-12-bookworm-v20261112',
  firebaseApiKey: `AIza${'0'.repeat(35)}`,
  acmeEmail: 'hostmaster@oguzhanb.com',
  mailFrom: 'PortTunneler <no-reply@oguzhanb.com>',
  alertEmail: 'oncall@oguzhanb.com',
  repository: 'oguzhanb/porttunneler',
}
