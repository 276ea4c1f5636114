import { describeIdentity } from '@porttunneler/shared/testing/identity.contract'
import { makeFirebaseIdentity } from '../testing/firebase-identity.ts'

describeIdentity('firebase', async () => {
  const t = await makeFirebaseIdentity()
  return {
    identity: t.identity,
    signUp: (email) => t.tokenOf(email),
    // The same keys sign for every project of Firebase.
    foreign: (email) => t.tokenOf(email, { iss: 'https://securetoken.google.com/others', aud: 'others' }),
    expire: async () => t.clock.advance(3_600_000),
    now: () => t.clock.now(),
    close: () => t.close(),
  }
})
