/** Tells a service outside that the look at this one still happens: when the calls stop, that one raises the alarm. */
import { isFailure } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import type { Platform, PostPublic } from '../platform.ts'
import type { Heartbeat } from './sense.ts'

/**
 * Posts each look to `url`, as services for cron jobs and dead man's switches take it. Where that fails it is logged
 * and nothing else: the silence is what that service tells.
 */
export function postHeartbeat(
  url: string,
  { post, log }: { readonly post: PostPublic; readonly log: Log },
): NonNullable<Platform['heartbeat']> {
  return async ({ at, open }: Heartbeat, signal) => {
    const body = JSON.stringify({ at: new Date(at).toISOString(), open })
    try {
      const { status } = await post({ url, headers: { 'content-type': 'application/json' }, body }, signal)
      if (status >= 400) log.warn({ status }, 'the sign of life of the alerts was refused')
    } catch (error) {
      signal.throwIfAborted()
      if (!isFailure(error)) throw error
      log.warn({ code: error.code, error }, 'the sign of life of the alerts did not arrive')
    }
  }
}
