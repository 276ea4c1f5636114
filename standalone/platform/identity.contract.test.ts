import { describeIdentity } from '@porttunneler/shared/testing/identity.contract'
import { makeLocalIdentity } from '../testing/local-identity.ts'
import { accessTokenMs, localIdentity } from './identity.local.ts'

const password = 'a long enough password'
const caller = { from: '192.0.2.1' }

describeIdentity('local', async () => {
  const { identity, clock, store, options } = makeLocalIdentity()
  const stranger = makeLocalIdentity()
  const signUp = async (email: string, at = identity) =>
    (await at.register({ email, password }, caller)).tokens.accessToken
  return {
    identity,
    elsewhere: localIdentity(options),
    signUp,
    signIn: async (email) => (await identity.login({ email, password }, caller)).tokens.accessToken,
    endSignIn: (bearer) => identity.logout({ bearer, everywhere: false }),
    advance: (ms) => clock.advance(ms),
    foreign: (email) => signUp(email, stranger.identity),
    expire: async () => clock.advance(accessTokenMs),
    now: () => clock.now(),
    close: async () => {
      await store.close()
      await stranger.store.close()
    },
  }
})
