/**
 * Keeps the native part of each HTTP/2 session until those of its streams are gone. Used at both places where HTTP/2
 * ends: the relay for visitors, the agent for upstreams.
 *
 * While a head is not complete, its fields lie in the native part of their stream, in memory that nghttp2 counts for
 * the session. When such a session fails, Node 24 drops both parts: the stream's in the next turn, or whenever the
 * collector comes if the socket still has bytes of it. A collector that takes the session's part first ends the process
 * (`~Http2Session: current_nghttp2_memory_ == 0`), so a peer could. docs/decisions/0064-http2-at-the-relay.md
 */
import type { Http2Session } from 'node:http2'

/** Parts of sessions that have not ended. */
const parts = new Set<object>()
const collected = new FinalizationRegistry<() => void>((next) => next())
/** What becomes garbage while the collector is already marking lives until its second time. */
const collectionsMin = 2

/** Call it once for each session, at once. */
export function keepBehindStreams(session: Http2Session): void {
  const part = nativePartOf(session)
  if (part === undefined) return
  parts.add(part)
  session.once('close', () => {
    // A stream that the collector need not wait for is gone in this turn.
    setImmediate(() => {
      parts.delete(part)
      keepForCollections(part, collectionsMin)
    })
  })
}

/** @returns undefined if this Node keeps it elsewhere */
export function nativePartOf(session: Http2Session): object | undefined {
  const key = Object.getOwnPropertySymbols(session).find(({ description }) => description === 'kHandle')
  const part = key && (session as unknown as Record<symbol, unknown>)[key]
  return typeof part === 'object' && part !== null ? part : undefined
}

function keepForCollections(part: object, left: number): void {
  // Nothing else knows the object, so the next whole collection takes it. The function keeps the part until then.
  if (left > 0) collected.register({}, () => keepForCollections(part, left - 1))
}
