/** The relay's log lines about trouble with the subscription for its commands: each trouble once, and its end. */
import { codes } from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'
import type { PullOptions } from '@porttunneler/shared/base/pull'

/** Streams end now and then by themselves; more failures in a row than this are trouble. */
const quietFailures = 2

export function pullReports(log: Log): Pick<PullOptions, 'onLost' | 'onFound' | 'onTrouble'> {
  let said: string | undefined
  return {
    onLost({ isGone, error, failures }) {
      const { code, cure } = codes[isGone ? 'bus.subscription' : 'relay.control']
      // A missing subscription is other trouble than the network a moment before, and has another cure.
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
