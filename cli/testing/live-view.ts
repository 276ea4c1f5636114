/** Snapshots and drawings of the live view for its tests: tunnels as an agent has them, without colours. */
import { fail } from '@porttunneler/shared/base/errors'
import { type AgentSnapshot, problemOf, type TunnelStatus } from '../agent/events.ts'
import { paintFor } from '../output/format.ts'
import { noControls } from '../output/live/controls.ts'
import { type Drawn, drawLive, type LiveView } from '../output/live/draw.ts'
import { signsFor } from '../output/live/signs.ts'

const plainPaint = paintFor(false, {})
export const refusedUpstream = problemOf(
  fail('upstream.refused', 'localhost:3000 answered ECONNREFUSED: nothing listens there'),
)

export const webStatus: TunnelStatus = {
  name: 'web',
  kind: 'http',
  upstream: 'localhost:3000',
  state: 'online',
  isShared: false,
  url: 'http://web.example.test',
  relays: 1,
  active: 2,
  total: 40,
  bytesIn: 1_536,
  bytesOut: 5_000_000,
}

/** Healthy tunnels `tunnel-0` and so on; those at `sick` have an upstream that is down. */
export function manyTunnels(count: number, sick: readonly number[] = []): readonly TunnelStatus[] {
  return Array.from({ length: count }, (_, at) => ({
    ...webStatus,
    name: `tunnel-${at}`,
    url: `http://tunnel-${at}.example.test`,
    ...(sick.includes(at) && { problem: refusedUpstream }),
  }))
}

export function snapshotWith(changes: Partial<AgentSnapshot> = {}): AgentSnapshot {
  return {
    pid: 1,
    agent: 'agt',
    server: 'http://server.test',
    startedAt: 0,
    state: 'running',
    tunnels: [webStatus],
    relays: [{ instance: 'one', state: 'connected', rttMs: 12.4 }],
    ...changes,
  }
}

/** @param size of the window, 100 columns and 30 rows without it */
export function drawnOf(
  changes: Partial<AgentSnapshot> = {},
  size = { columns: 100, rows: 30 },
  view: Partial<LiveView> = {},
): Drawn {
  const whole: LiveView = {
    snapshot: snapshotWith(changes),
    notes: [],
    version: '1.2.3',
    controls: noControls,
    hasKeys: true,
    figures: () => ({ inRate: 0, outRate: 0 }),
    ...view,
  }
  return drawLive(whole, { size, paint: plainPaint, signs: signsFor({}) })
}
