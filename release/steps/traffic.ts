/** A small part of everything tries the new version; then, when nothing is wrong, the rest follows. */
import { canaries, others, replaceVms } from '../relays.ts'
import type { Release, Step } from '../release.ts'
import { moveTraffic } from '../traffic.ts'
import { tryTunnels, watch } from '../watch.ts'

const canaryPercent = 5
/** After the last VM: what only shows with all calls, or in a while. */
const settleMinutes = 3

export const canary: Step = {
  name: 'canary',
  title: `One relay VM of each cell and ${canaryPercent} % of the calls have the new version`,
  async run(release) {
    const { before, revisions } = release.state
    for (const [service, fresh] of Object.entries(revisions)) {
      const old = before?.revisions[service]
      // Without an old one there is nothing to compare with, and nobody who calls.
      if (old === undefined) await moveTraffic(release, service, { [fresh]: 100 })
      else if (old !== fresh)
        await moveTraffic(release, service, { [fresh]: canaryPercent, [old]: 100 - canaryPercent })
    }
    await replaceVms(release, canaries(release))
    await tryTunnels(release)
  },
}

export const watchCanary: Step = {
  name: 'watch',
  title: 'The new version does no worse than the old one',
  run: (release) => watch(release, release.wishes.watchMinutes),
}

export const rest: Step = {
  name: 'rest',
  title: 'All calls and all relays have the new version',
  async run(release) {
    await allCalls(release)
    await replaceVms(release, others(release))
  },
}

async function allCalls(release: Release): Promise<void> {
  for (const [service, fresh] of Object.entries(release.state.revisions))
    await moveTraffic(release, service, { [fresh]: 100 })
}

export const settle: Step = {
  name: 'settle',
  title: 'It still does no worse with all of them',
  run: (release) => watch(release, settleMinutes),
}
