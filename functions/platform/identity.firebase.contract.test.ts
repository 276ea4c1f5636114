import { describeIdentity } from '@porttunneler/shared/testing/identity.contract'
import { makeFirebaseIdentity } from '../testing/firebase-identity.ts'

describeIdentity('firebase', async () => {
  const t = await makeFirebaseIdentity()
  return {
    identity: t.identity,
    elsewhere: t.another(),
    signIn: async (email) => {
      // Firebase records sign-ins by the second.
      t.clock.advance(1_000)
      return t.tokenOf(email)
    },
    endSignIn: (token) => t.identity.endSignIn(token),
    advance: (ms) => t.clock.advance(ms),
    signUp: (email) => t.tokenOf(email),
    // The same keys sign for every Firebase project.
    foreign: (email) => t.tokenOf(email, { iss: 'https://securetoken.google.com/others', aud: 'others' }),
    expire: async () => t.clock.advance(3_600_000),
    now: () => t.clock.now(),
    close: () => t.close(),
  }
})
