import { describeRelayIdentity } from '@porttunneler/shared/testing/relay-identity.contract'
import { decodeJwt } from 'jose'
import { z } from 'zod'
import { makeGoogleRelays } from '../testing/google-relays.ts'
import { listMs } from './relay-groups.compute.ts'

const instanceSchema = z.object({
  google: z.object({ compute_engine: z.object({ instance_id: z.string() }) }),
})

describeRelayIdentity('google', async () => {
  const t = await makeGoogleRelays()
  return {
    identity: t.identity,
    admit: (cell) => t.issuer.sign(t.claimsOf(cell, t.newInstance(cell))),
    // A VM is withdrawn by deleting it; lists of VMs are at most five minutes old.
    withdraw: async (token) => {
      const { instance_id } = instanceSchema.parse(decodeJwt(token)).google.compute_engine
      for (const members of t.cloud.groups.values())
        if (members.includes(instance_id)) members.splice(members.indexOf(instance_id), 1)
      t.clock.advance(listMs)
    },
    close: () => t.close(),
  }
})
