/** What a relay says of trouble with the subscription that its commands come by: each trouble once, and its end. */
import { codes } from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'
import type { PullOptions } from '@porttunneler/shared/base/pull'

/** Streams end now and then by themselves; more than this in a row is trouble. */
const quietFailures = 2

export function pullReports(log: Log): Pick<PullOptions, 'onLost' | 'onFound' | 'onTrouble'> {
  let said: string | undefined
  return {
    onLost({ isGone, error, failures }) {
      const { code, cure } = codes[isGone ? 'bus.subscription' : 'relay.control']
      // A subscription that is gone is another trouble than the network of a moment before, with another cure.
      if (code === said || (!isGone && (said !== undefined || failures <= quietFailures))) return
      said = code
      log.error({ code, cure, error }, 'Commands cannot be heard at once; sync goes on bringing them')
    },
    onFound() {
      if (said !== undefined) log.info({}, 'Commands are heard at once again')
      said = undefined
    },
    onTrouble: (error) => log.warn({ error }, 'A command may come again'),
  }
}
