/**
 * What an endpoint remembers of agents that somebody stopped while they held it: pure rules beside lease-rules.ts. An
 * agent says with each claim how long it has been running. One that was started before it was stopped is refused; one
 * that was started since is welcome, because somebody started it.
 */
import type { EndpointDoc } from './documents.ts'
import { holdersMax, keepMs } from './lease-rules.ts'

/**
 * Releases up to 0.1 do not say how long they have been running. They end when they are told that the tunnel was
 * withdrawn, so a claim after this time is one of a new start.
 */
export const silentStopMs = 60_000

type Asking = {
  readonly agent: string
  /** When its program was started, by our clock; undefined: it does not say. */
  readonly startedAt: number | undefined
  readonly nowMs: number
}

/** @returns what the agent is told; undefined: nobody stopped it since it was started */
export function stopOf(
  { stopped = {} }: Pick<EndpointDoc, 'stopped'>,
  { agent, startedAt, nowMs }: Asking,
): 'agent.stopped' | 'session.revoked' | undefined {
  const at = stopped[agent]
  if (at === undefined) return undefined
  if (startedAt !== undefined) return startedAt <= at ? 'agent.stopped' : undefined
  return nowMs - at < silentStopMs ? 'session.revoked' : undefined
}

/** Remembers the stop as long as the address is kept for its tunnel, the newest first. */
export function withStop(current: EndpointDoc, agent: string, nowMs: number): EndpointDoc {
  const { [agent]: _, ...others } = current.stopped ?? {}
  const kept = Object.entries(others)
    .filter(([, at]) => at > nowMs - keepMs)
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, holdersMax - 1)
  return { ...current, stopped: { [agent]: nowMs, ...Object.fromEntries(kept) } }
}
