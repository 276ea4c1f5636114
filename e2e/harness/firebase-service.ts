/** Console and API on SQLite with people from the Auth emulator, in this process; what it remembers can be aged. */

import { join } from 'node:path'
import { makeApi } from '@porttunneler/shared/api/app'
import { type Clock, systemClock } from '@porttunneler/shared/base/clock'
import { silentLog } from '@porttunneler/shared/base/log'
import { Secret } from '@porttunneler/shared/base/secret'
import { noCertificates } from '@porttunneler/shared/control/certificates/role'
import { makeControl } from '@porttunneler/shared/control/control'
import { noPayments } from '@porttunneler/shared/control/money/payments-none'
import { noDns } from '@porttunneler/shared/control/own-records'
import { Principals } from '@porttunneler/shared/control/principals'
import { queryTable } from '@porttunneler/shared/control/query-table'
import { enrolledRelayIdentity } from '@porttunneler/shared/control/relay-enrolment'
import { freshMs } from '@porttunneler/shared/control/sign-ins/fresh'
import { signIns } from '@porttunneler/shared/control/sign-ins/sign-in-documents'
import { freePorts } from '@porttunneler/shared/testing/ports'
import { noInquiries } from '@porttunneler/shared/testing/zones'
import { readEnvironment } from '../../functions/platform/environment.ts'
import { openFirebaseAccounts } from '../../functions/platform/firebase-accounts.ts'
import { firebaseRoutes } from '../../functions/platform/identity.firebase.routes.ts'
import { firebaseIdentity } from '../../functions/platform/identity.firebase.ts'
import { openLocalBus } from '../../standalone/platform/bus.local.ts'
import { openSqliteStore } from '../../standalone/platform/store.sqlite.ts'
import { readWebFiles } from '../../standalone/web-files.ts'
import { type Fetch, listen, makeWeb } from '../../standalone/web-server.ts'
import { root } from './programs.ts'

export type FirebaseService = Awaited<ReturnType<typeof startFirebaseService>>

/** FIREBASE_AUTH_EMULATOR_HOST names the emulator, as in a function. */
export async function startFirebaseService() {
  const { projectId, emulators } = readEnvironment(process.env)
  const emulatorUrl = `http://${emulators.auth}`
  let aheadMs = 0
  // The time of day stays the emulator's; caches age by this clock.
  const clock: Clock = { ...systemClock, monotonic: () => systemClock.monotonic() + aheadMs }
  const [port = 0] = await freePorts(1)
  const url = `http://localhost:${port}`
  const store = openSqliteStore(':memory:', { queries: queryTable })
  const bus = openLocalBus({ clock, random: Math.random, onBackgroundError: () => {} })
  const accounts = openFirebaseAccounts({ projectId, clock })
  const identity = firebaseIdentity({
    projectId,
    accounts,
    store,
    clock,
    isEmulated: emulators.auth !== undefined,
  })
  const addresses = { issuer: url, consoleUrl: url, docsUrl: url }
  const providers = ['google.com', 'github.com'] as const
  const firebase = { apiKey: 'public', authDomain: `localhost:${port}`, projectId, providers, emulatorUrl }
  const settings = {
    ...addresses,
    version: '0.0.0',
    registration: 'open' as const,
    defaultPlan: 'free' as const,
    firebase,
  }
  const mail = { send: async () => {} }
  const vault = { wrap: async (key: Secret) => key.reveal(), unwrap: async (key: string) => new Secret(key) }
  const platform = {
    store,
    bus,
    identity,
    relayIdentity: enrolledRelayIdentity({ store, clock }),
    mail,
    vault,
    certificates: noCertificates,
    inquiries: noInquiries,
    askNetworks: async () => [],
    payments: noPayments,
    dns: noDns,
  }
  const control = makeControl(platform, { clock, random: Math.random, log: silentLog, settings })
  const addressOf = () => '192.0.2.1'
  const mounts = [
    firebaseRoutes({
      control,
      identity,
      accounts,
      store,
      clock,
      addressOf,
      confirm: (id) => control.signIns.confirm(id, 'token'),
      kick: async () => {},
    }),
  ]
  const api = makeApi({ control, principals: new Principals(control), addressOf, mounts })
  const files = readWebFiles(join(root, 'web/dist'))
  const web = makeWeb({
    api: (request) => api.fetch(request),
    files,
    liveOrigins: () => [],
    isHttps: false,
    names: [],
  })
  const server = await listen(withPolicy(web, emulatorUrl), { host: '127.0.0.1', port, clock: systemClock })
  return {
    url,
    identity,
    /** Makes caches of some minutes expire. */
    advance: (ms: number) => {
      aheadMs += ms
    },
    /** As if the person of this sign-in had last shown half an hour ago who they are. */
    makeStale: async (token: string) => {
      const { signIn = '' } = await identity.verify(token)
      await store.update(signIns.ref(signIn), { freshAt: clock.now() - 2 * freshMs })
      aheadMs += 31_000
    },
    stop: async () => {
      await server.close(0)
      await bus.close()
      await store.close()
    },
  }
}

/** The policy of firebase.json, with the emulator in Google's place: signing in may need nothing more. */
function withPolicy(web: Fetch, emulatorUrl: string): Fetch {
  const policy = [
    "default-src 'self'",
    "script-src 'self' https://apis.google.com",
    `connect-src 'self' ${emulatorUrl}`,
    `frame-src 'self' ${emulatorUrl}`,
    "img-src 'self' data:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ')
  return async (request, env) => {
    const answer = await web(request, env)
    if (!request.url.includes('/v1/')) answer.headers.set('content-security-policy', policy)
    answer.headers.set('cross-origin-opener-policy', 'same-origin-allow-popups')
    return answer
  }
}
