/**
 * The main job on the cloud platform: Firestore, Pub/Sub and the deployed bundle of functions, with two relays in the
 * cell. Only the suites run that meet the control plane or a relay's death; `npm run e2e:cloud` runs all of them.
 */
import { withEmulators } from '../functions/testing/with-emulators.ts'
import { breadthOf } from './breadth.ts'
import { startCloudService } from './harness/cloud.ts'
import { allSuites, describeMainJob, type SuiteName } from './main-job.ts'
import { describeTwoRelays } from './suites/two-relays.ts'

const chosen: readonly SuiteName[] = ['names', 'hostileApi', 'survival']

withEmulators((hosts) =>
  describeMainJob('the cloud', () => startCloudService(hosts), {
    suites: breadthOf(allSuites, chosen),
    further: describeTwoRelays,
  }),
)
