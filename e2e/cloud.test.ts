/**
 * The main job on the cloud platform: Firestore, Pub/Sub and the deployed bundle of functions, with two relays in the
 * cell. Only the suites run that meet the control plane or a relay's death; `npm run e2e:cloud` runs all of them.
 */
import { withEmulators } from '../functions/testing/with-emulators.ts'
import { startCloudService } from './harness/cloud.ts'
import { allSuites, describeMainJob } from './main-job.ts'
import { describeTwoRelays } from './suites/two-relays.ts'

const chosen = ['http', 'names', 'hostileApi', 'survival'] as const

withEmulators((hosts) =>
  describeMainJob('the cloud', () => startCloudService(hosts), {
    suites: process.env.PT_E2E_SUITES === 'all' ? allSuites : chosen,
    further: describeTwoRelays,
  }),
)
