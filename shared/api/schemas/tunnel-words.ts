/**
 * The states of a tunnel and the words for them: the same in the console, in `ptun` and in the documentation. Without
 * the schema library, so that they weigh nothing there.
 */

/**
 * What people are told about a tunnel, judged by the server (control/tunnel-state.ts), so that the console, `ptun` and
 * scripts all say the same. The worst come first.
 */
export const tunnelStates = [
  'upstream_failing',
  'refused',
  'degraded',
  'connecting',
  'healthy',
  'offline',
  'never_used',
] as const
export type TunnelState = (typeof tunnelStates)[number]

const words: Record<TunnelState, string> = {
  upstream_failing: 'Upstream failing',
  refused: 'Refused',
  degraded: 'Degraded',
  connecting: 'Connecting',
  healthy: 'Healthy',
  offline: 'Offline',
  never_used: 'Never used',
}

export function stateWord(state: TunnelState): string {
  return words[state]
}

/** Whether some agent holds it now, well or not. */
export function isServed(state: TunnelState): boolean {
  return state === 'healthy' || state === 'degraded' || state === 'connecting' || state === 'upstream_failing'
}

/** Whether somebody should look at it: it should work now, and does not, or only partly. */
export function isTrouble(state: TunnelState): boolean {
  return state === 'upstream_failing' || state === 'refused' || state === 'degraded'
}
