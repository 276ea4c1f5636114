/** Relays on VMs of managed instance groups, with a clock that the test moves: each cell has its own group. */
import { systemClock } from '@porttunneler/shared/base/clock'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import type { JWTPayload } from 'jose'
import { openGoogleRest } from '../platform/google-rest.ts'
import { openComputeGroups } from '../platform/relay-groups.compute.ts'
import { googleRelayIdentity } from '../platform/relay-identity.google.ts'
import { startGoogleCloud } from './google-cloud.ts'
import { startGoogleIssuer } from './google-issuer.ts'

const audience = 'https://tunnel.example.com'
const projectId = 'tunnels-prod'
const accountOf = (cell: string) => `relay-${cell}@${projectId}.iam.gserviceaccount.com`
const groups = [
  {
    cell: 'main',
    path: 'zones/europe-west1-b/instanceGroupManagers/relays',
    serviceAccount: accountOf('main'),
  },
  {
    cell: 'other',
    path: 'regions/us-east1/instanceGroupManagers/relays',
    serviceAccount: accountOf('other'),
  },
]
const zones: Readonly<Record<string, string>> = { main: 'europe-west1-b', other: 'us-east1-c' }

export async function makeGoogleRelays() {
  const clock = new FakeClock()
  const [issuer, cloud] = await Promise.all([startGoogleIssuer(), startGoogleCloud()])
  for (const { path } of groups) cloud.groups.set(path, [])
  const rest = openGoogleRest({ clock: systemClock, metadataUrl: cloud.url })
  const lookup = openComputeGroups({ projectId, groups, rest, clock, computeUrl: cloud.url })
  const identity = googleRelayIdentity({
    projectId,
    audience,
    groups: lookup,
    clock,
    jwksUrl: issuer.jwksUrl,
  })
  const membersOf = (cell: string) => {
    const members = cloud.groups.get(groups.find((group) => group.cell === cell)?.path ?? '')
    if (!members) throw new Error(`there is no cell ${cell}`)
    return members
  }
  let next = 8_000_000_000_000_000_001n
  /** What the metadata server gives a VM of that cell that asks for us with `format=full`. */
  const claimsOf = (cell: string, instance: string, changes: JWTPayload = {}): JWTPayload => {
    const now = Math.floor(clock.now() / 1_000)
    return {
      aud: audience,
      azp: '100000000000000000001',
      email: accountOf(cell),
      email_verified: true,
      exp: now + 3_600,
      google: { compute_engine: engineOf(zones[cell] ?? '', instance, now) },
      iat: now,
      iss: 'https://accounts.google.com',
      sub: '100000000000000000001',
      ...changes,
    }
  }
  return {
    identity,
    clock,
    issuer,
    cloud,
    membersOf,
    claimsOf,
    /** A VM that the cell's group has made. */
    newInstance: (cell: string) => {
      const id = `${next++}`
      membersOf(cell).push(id)
      return id
    },
    close: async () => {
      await issuer.close()
      await cloud.close()
    },
  }
}

function engineOf(zone: string, instance_id: string, now: number) {
  return {
    instance_creation_timestamp: now - 60,
    instance_id,
    instance_name: `relay-${instance_id.slice(-4)}`,
    project_id: projectId,
    project_number: 123_456_789_012,
    zone,
  }
}
