/**
 * The rows of the live view: a tunnel, or a range of ports that stands for many, with the words that the API and the
 * console use for its state (docs/decisions/0094). Pure.
 */
import { isTrouble, type TunnelState, tunnelStates } from '@porttunneler/shared/api/schemas/tunnel-words'
import type { AgentSnapshot, Problem, TunnelStatus } from '../../agent/events.ts'
import {
  groupRanges,
  isRange,
  type Range,
  statesOf,
  totalsOf,
  troublesOf,
  upstreamOf,
  urlOf,
} from '../ranges.ts'
import { stateOf } from '../states.ts'

export type Trouble = {
  /** The ports that have it; undefined for a single tunnel. */
  readonly ports?: string
  readonly problem: Problem
}

export type Row = Pick<TunnelStatus, 'name' | 'upstream' | 'active' | 'total' | 'bytesIn' | 'bytesOut'> & {
  readonly kind: string
  readonly url?: string
  readonly state: TunnelState
  /** For a range of ports: `11 ports: 10 Healthy, 1 Refused PT-2302`. */
  readonly summary?: string
  readonly settings?: readonly string[]
  readonly troubles: readonly Trouble[]
  /** Names of its tunnels, as events have them. */
  readonly members: readonly string[]
}

/** In the order of ptun.yaml. */
export function rowsOf({ tunnels, state }: AgentSnapshot): readonly Row[] {
  const isOver = state === 'stopped'
  return groupRanges(tunnels).map((row) => (isRange(row) ? rangeRow(row, isOver) : tunnelRow(row, isOver)))
}

function tunnelRow(tunnel: TunnelStatus, isOver: boolean): Row {
  const { name, kind, upstream, url, settings, problem, active, total, bytesIn, bytesOut } = tunnel
  return {
    name,
    kind,
    upstream,
    ...(url !== undefined && { url }),
    state: stateOf(tunnel, isOver),
    ...(settings && { settings }),
    troubles: problem ? [{ problem }] : [],
    members: [name],
    active,
    total,
    bytesIn,
    bytesOut,
  }
}

function rangeRow(range: Range, isOver: boolean): Row {
  const { name, tunnels } = range
  const url = urlOf(range)
  const states = tunnels.map((tunnel) => stateOf(tunnel, isOver))
  return {
    name,
    kind: tunnels[0]?.kind ?? 'tcp',
    upstream: upstreamOf(range),
    ...(url !== undefined && { url }),
    state: worstOf(states),
    summary: `${tunnels.length} ports: ${statesOf(range, isOver)}`,
    troubles: troublesOf(range),
    members: tunnels.map((tunnel) => tunnel.name),
    ...totalsOf(range),
  }
}

/** How bad a state is: 0 is the worst. Healthy is better than what is not there, which nobody misses here. */
const rank = new Map(tunnelStates.map((state, at) => [state, at]))

function worstOf(states: readonly TunnelState[]): TunnelState {
  return states.toSorted((a, b) => rankOf(a) - rankOf(b))[0] ?? 'connecting'
}

function rankOf(state: TunnelState): number {
  return rank.get(state) ?? tunnelStates.length
}

/** Trouble first, the worst of it on top; else the order stays. */
export function troubleFirst(rows: readonly Row[]): readonly Row[] {
  return rows.toSorted((a, b) => severity(a) - severity(b))
}

function severity({ state }: Row): number {
  return isTrouble(state) || state === 'connecting' ? rankOf(state) : tunnelStates.length
}

/** Those with the text in their name, address, upstream, state or code. */
export function filtered(
  rows: readonly Row[],
  filter: string,
  word: (state: TunnelState) => string,
): readonly Row[] {
  const wanted = filter.trim().toLowerCase()
  if (wanted === '') return rows
  return rows.filter(({ name, url = '', upstream, state, troubles }) =>
    [name, url, upstream, word(state), ...troubles.map(({ problem }) => problem.code)].some((text) =>
      text.toLowerCase().includes(wanted),
    ),
  )
}
