/**
 * The walk to a name worth showing (suites/walk.ts): on one machine, and with `npm run walk` also on the cloud
 * platform, with visitors for a minute during the renewal. The contract suites on Firestore hold what differs there.
 */
import { withEmulators } from '../functions/testing/with-emulators.ts'
import { isWhole } from './breadth.ts'
import { startCloudService } from './harness/cloud.ts'
import { startStandaloneService } from './harness/standalone.ts'
import { describeWith } from './requirements.ts'
import { describeWalk } from './suites/walk.ts'

const rate = isWhole ? { visitors: 12_000, perSecond: 200 } : { visitors: 100, perSecond: 50 }

describeWith(['pebble', 'pebbleNames', 'curl'], 'the walk', () => {
  describeWalk('standalone', { start: startStandaloneService, ...rate })
  if (!isWhole) return
  withEmulators((hosts) => {
    describeWalk('the cloud', { start: (settings) => startCloudService(hosts, settings), ...rate })
  })
})
