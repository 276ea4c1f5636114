/** A tunnel's connections as this relay knows them: those that are open, and those that ended and wait for a report. */
import type { LiveConnections } from '@porttunneler/shared/api/schemas/connections'
import { endingOf } from '@porttunneler/shared/base/ending-words'
import type { WaitingVisit } from './connection-log.ts'
import type { CountedStream } from './tunnel-meter.ts'

/** What a page shows at once. */
const shownMax = 200

/**
 * @param open oldest first
 * @param ended newest first
 * @param offsetMs of server time from this machine's, by which open connections are dated
 */
export function liveConnections(
  open: Iterable<CountedStream>,
  ended: readonly WaitingVisit[],
  { nowMs, offsetMs }: { readonly nowMs: number; readonly offsetMs: number },
): LiveConnections {
  const streams = [...open]
  return {
    at: Math.round(nowMs),
    total: streams.length,
    open: streams
      .slice(-shownMax)
      .reverse()
      .flatMap(({ info, bytesIn, bytesOut }) => {
        if (!info) return []
        const startedAt = Math.round(info.atMs + offsetMs)
        const ms = Math.max(0, Math.round(nowMs - startedAt))
        return [
          { from: info.visitorAddress, port: info.visitorPort, startedAt, ms, in: bytesOut, out: bytesIn },
        ]
      }),
    ended: ended.slice(0, shownMax).map(({ address, endedAt, ms, in: bytesIn, out, code }) => ({
      from: address,
      startedAt: endedAt - ms,
      endedAt,
      ms,
      in: bytesIn,
      out,
      ...endingOf(code),
    })),
  }
}
