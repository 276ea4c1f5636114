/**
 * RelayIdentity by instance identity tokens: Google signs which VM asks, as which service account, and for whom. The
 * cell is that of the managed instance group that lists the VM, as Compute Engine says; nothing that the VM says about
 * itself counts. All relay processes of a VM are one relay here; `sync` tells them apart by their instance.
 */
import { createHash } from 'node:crypto'
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import type { RelayClaims, RelayIdentity } from '@porttunneler/shared/control/platform'
import { z } from 'zod'
import { signedTokenReader } from './google-tokens.ts'
import type { RelayGroups } from './relay-groups.compute.ts'

const googleJwksUrl = 'https://www.googleapis.com/oauth2/v3/certs'
const issuer = 'https://accounts.google.com'

/** `format=full` of the metadata server's identity address. */
const claimsSchema = z.object({
  email: z.string(),
  email_verified: z.literal(true),
  google: z.object({
    compute_engine: z.object({
      project_id: z.string(),
      zone: z.string(),
      instance_id: z.string().regex(/^\d{1,20}$/),
    }),
  }),
})

export type GoogleRelayIdentityOptions = {
  readonly projectId: string
  /** The audience for which relays request a token from their metadata server: the API's public address. */
  readonly audience: string
  readonly groups: RelayGroups
  readonly clock: Clock
  /** Only different in tests. */
  readonly jwksUrl?: string
}

export interface GoogleRelayIdentity extends RelayIdentity {
  readonly kind: 'google'
  /** @throws relay.unknown, cloud.unavailable, cloud.refused */
  verify(token: string): Promise<RelayClaims>
}

export function googleRelayIdentity({
  projectId,
  audience,
  groups,
  clock,
  jwksUrl = googleJwksUrl,
}: GoogleRelayIdentityOptions): GoogleRelayIdentity {
  const read = signedTokenReader({ jwksUrl, issuer, audience, clock })
  const readClaims = async (token: string) => {
    try {
      return claimsSchema.parse(await read(token))
    } catch (cause) {
      if (isFailure(cause, 'cloud.unavailable')) throw cause
      throw fail('relay.unknown', undefined, { cause })
    }
  }
  return {
    kind: 'google',
    async verify(token) {
      const { email, google } = await readClaims(token)
      const { project_id, zone, instance_id } = google.compute_engine
      if (project_id !== projectId) throw fail('relay.unknown')
      const group = await groups.groupOf({ id: instance_id, zone })
      if (!group || email !== group.serviceAccount) throw fail('relay.unknown')
      return { relay: relayOf(instance_id), cell: group.cell }
    },
  }
}

const crockford = '0123456789abcdefghjkmnpqrstvwxyz'

/** An id in our own form that the same VM always has; Google never reuses an instance id. */
function relayOf(instance: string): string {
  const digest = createHash('sha256').update(`gce:${instance}`).digest()
  return `rel_0${[...digest.subarray(0, 25)].map((byte) => crockford[byte % 32]).join('')}`
}
