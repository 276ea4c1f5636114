/**
 * The state of a tunnel of this agent in the words of the server, the API and the console (docs/decisions/0094), from
 * what the agent knows: it does not know other agents of a pool.
 */
import type { TunnelState } from '@porttunneler/shared/api/schemas/tunnel-words'
import { upstreamCodes } from '@porttunneler/shared/base/codes/upstream'
import type { TunnelStatus } from '../agent/events.ts'
import type { Style } from './format.ts'

export const stateColours: Readonly<Record<TunnelState, Style>> = {
  upstream_failing: 'red',
  refused: 'red',
  degraded: 'yellow',
  connecting: 'yellow',
  healthy: 'green',
  offline: 'dim',
  never_used: 'dim',
}

const upstreamNumbers: ReadonlySet<string> = new Set(Object.values(upstreamCodes).map(({ code }) => code))

/** @param isOver the agent has ended, and nobody holds its tunnels */
export function stateOf(
  { state, health, problem }: Pick<TunnelStatus, 'state' | 'health' | 'problem'>,
  isOver = false,
): TunnelState {
  const isUpstream = problem !== undefined && upstreamNumbers.has(problem.code)
  const isRefused = problem !== undefined && !isUpstream
  switch (state) {
    case 'stopped':
      return isRefused ? 'refused' : 'offline'
    case 'waiting':
      if (isRefused) return 'refused'
      return isOver ? 'offline' : 'connecting'
    case 'connecting':
      return isOver ? 'offline' : 'connecting'
    case 'online':
      if (isOver) return 'offline'
      if (health === 'unhealthy' || isUpstream) return 'upstream_failing'
      return isRefused ? 'degraded' : 'healthy'
  }
}
