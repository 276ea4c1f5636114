/** The API as in its own tests, but with people from Firebase. */
import { makeApi } from '@porttunneler/shared/api/app'
import { makeControl } from '@porttunneler/shared/control/control'
import { kick } from '@porttunneler/shared/control/jobs/kick'
import { Principals } from '@porttunneler/shared/control/principals'
import { makeTestControl } from '../../standalone/testing/control.ts'
import { firebaseRoutes } from '../platform/identity.firebase.routes.ts'
import { makeFirebaseIdentity, testProject } from './firebase-identity.ts'

export async function makeFirebaseSignIn() {
  const local = makeTestControl()
  const firebase = await makeFirebaseIdentity(local.control.store)
  const { identity, accounts, clock } = firebase
  const facts = {
    apiKey: 'public',
    authDomain: 'tunnel.example.com',
    projectId: testProject,
    providers: ['google.com' as const],
  }
  const settings = { ...local.control.settings, firebase: facts }
  const { log, random } = local.control
  const control = makeControl({ ...local.control, identity }, { clock, random, log, settings })
  const principals = new Principals(control)
  const mounts = [
    firebaseRoutes({
      control,
      addressOf: () => '192.0.2.1',
      identity,
      accounts,
      store: control.store,
      clock,
      confirm: (signIn) => control.signIns.confirm(signIn, 'token'),
      kick: (ids) => kick(control, ids),
    }),
  ]
  const app = makeApi({ control, principals, addressOf: () => '192.0.2.1', mounts })
  const token = firebase.tokenOf
  return {
    local,
    firebase,
    control,
    principals,
    clock,
    app,
    token,
    signIn: async (...given: Parameters<typeof token>) =>
      principals.authenticate(await token(...given), '192.0.2.1'),
    logout: (bearer: string, body: object = { everywhere: true }) =>
      app.request('https://tunnel.example.com/v1/auth/logout', {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${bearer}` },
        body: JSON.stringify(body),
      }),
    close: async () => {
      await firebase.close()
      await local.close()
    },
  }
}
