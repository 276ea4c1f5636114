/** The relay's meters as Prometheus metrics. There is one registry a relay, so that two can live in one process. */
import { codes, type ErrorKey } from '@porttunneler/shared/base/errors'
import { heldSlabs } from '@porttunneler/shared/mux/slab'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { ConnectTimes } from './connect-times.ts'
import type { Meters } from './meters.ts'
import type { MeterReading } from './tunnel-meter.ts'

export type RegistryOptions = {
  readonly meters: Meters
  /** Values that are read when somebody scrapes. */
  sessions(): number
  visitors(): number
  strangers(): number
  isShortOfMemory(): boolean
  /** Bytes that streams hold. */
  held(): number
  usageRows(): number
  usageDropped(): number
  usageRefused(): number
  eventsDropped(): number
  connectionsDropped(): number
  diskFailures(): number
  isDiskFailing(): boolean
  syncFailures(): number
  /** How far the machine's clock is ahead of the control plane's. */
  clockAheadMs(): number
}

export type RelayMetrics = {
  readonly registry: Registry
  /** The time from agent to upstream, as the agent measured it. */
  observeConnect(tunnel: string, ms: number): void
  observeRtt(ms: number): void
  /** The tunnel's meter is dropped, and so are its series. */
  forget(tunnel: string): void
}

const rttMsBuckets = [1, 2, 5, 10, 20, 40, 80, 160, 320, 640, 1_280, 5_000]

export function makeMetrics(options: RegistryOptions): RelayMetrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  for (const spec of tunnelCounters) addTunnelCounter(registry, options.meters, spec)
  addRefusals(registry, options.meters)
  addSpoken(registry, options.meters)
  addGauge(registry, 'ptun_sessions', 'Agents connected', options.sessions)
  addGauge(registry, 'ptun_visitor_sockets', 'Visitor connections held', options.visitors)
  addGauge(
    registry,
    'ptun_stranger_sockets',
    'Connections that have not said who they are',
    options.strangers,
  )
  addGauge(registry, 'ptun_memory_short', 'Nobody new is admitted for want of memory (1)', () =>
    options.isShortOfMemory() ? 1 : 0,
  )
  addGauge(registry, 'ptun_slabs_held', 'Pieces of 256 KiB with bytes on their way; 1 at rest', () =>
    heldSlabs(),
  )
  addGauge(
    registry,
    'ptun_held_bytes',
    'Bytes of streams that wait to be taken or acknowledged',
    options.held,
  )
  addReporting(registry, options)
  const connect = new ConnectTimes()
  registry.registerMetric(connect.metric)
  const rtt = new Histogram({
    name: 'ptun_carrier_rtt_ms',
    help: 'Round trip between relay and agents, sampled, ms',
    buckets: rttMsBuckets,
    registers,
  })
  return {
    registry,
    observeConnect: (tunnel, ms) => connect.observe(tunnel, ms),
    observeRtt: (ms) => rtt.observe(ms),
    forget: (tunnel) => connect.forget(tunnel),
  }
}

/** Metrics about writing to disk and reporting to the control plane. */
function addReporting(registry: Registry, options: RegistryOptions): void {
  addGauge(registry, 'ptun_usage_rows', 'Usage rows not yet acknowledged', options.usageRows)
  addCount(registry, 'ptun_usage_dropped_total', 'Usage rows lost: too many waited', options.usageDropped)
  addCount(
    registry,
    'ptun_usage_refused_total',
    'Usage rows that the control plane refused for good',
    options.usageRefused,
  )
  addCount(
    registry,
    'ptun_events_dropped_total',
    'Security events lost: too many waited',
    options.eventsDropped,
  )
  addCount(
    registry,
    'ptun_connections_dropped_total',
    'Ended connections of tunnels that keep them, lost: too many waited',
    options.connectionsDropped,
  )
  addCount(
    registry,
    'ptun_disk_failures_total',
    'Times that state, usage or events could not be written',
    options.diskFailures,
  )
  addGauge(registry, 'ptun_disk_failing', '1 while the data folder takes no writes', () =>
    options.isDiskFailing() ? 1 : 0,
  )
  addGauge(registry, 'ptun_sync_failures', 'Failed syncs since the last good one', options.syncFailures)
  addGauge(
    registry,
    'ptun_clock_ahead_seconds',
    "What the machine's clock is ahead of the control plane's, as of the last good sync",
    () => options.clockAheadMs() / 1000,
  )
}

type TunnelCounter = { readonly name: string; readonly help: string; readonly read: keyof MeterReading }

const tunnelCounters: readonly TunnelCounter[] = [
  { name: 'ptun_tunnel_in_bytes_total', help: 'Bytes from visitors', read: 'in' },
  { name: 'ptun_tunnel_out_bytes_total', help: 'Bytes to visitors', read: 'out' },
  { name: 'ptun_tunnel_opened_total', help: 'Streams opened', read: 'opened' },
  { name: 'ptun_tunnel_closed_total', help: 'Streams ended', read: 'closed' },
  { name: 'ptun_tunnel_active', help: 'Streams open now', read: 'active' },
]

/** The meters hold the true values; the metric is filled from them at each scrape. */
function addTunnelCounter(registry: Registry, meters: Meters, { name, help, read }: TunnelCounter): void {
  const shape = { name, help, labelNames: ['tunnel'], registers: [registry] }
  if (read !== 'active') {
    new Counter({
      ...shape,
      collect() {
        this.reset()
        for (const meter of meters.all()) this.inc({ tunnel: meter.tunnel }, meter.read()[read])
      },
    })
    return
  }
  new Gauge({
    ...shape,
    collect() {
      this.reset()
      for (const meter of meters.all()) this.set({ tunnel: meter.tunnel }, meter.active)
    },
  })
}

function addRefusals(registry: Registry, meters: Meters): void {
  const code = (key: ErrorKey): string => codes[key].code
  new Counter({
    name: 'ptun_refused_total',
    help: 'Visitors and sockets turned away, by tunnel (empty before one was known) and code',
    labelNames: ['tunnel', 'code'],
    registers: [registry],
    collect() {
      this.reset()
      for (const [key, count] of meters.refusals()) this.inc({ tunnel: '', code: code(key) }, count)
      for (const meter of meters.all())
        for (const [key, count] of meter.refusals())
          this.inc({ tunnel: meter.tunnel, code: code(key) }, count)
    },
  })
}

function addSpoken(registry: Registry, meters: Meters): void {
  new Counter({
    name: 'ptun_http_connections_total',
    help: 'Connections of visitors at the http and tls ports that speak HTTP here, by protocol',
    labelNames: ['protocol'],
    registers: [registry],
    collect() {
      this.reset()
      for (const [protocol, count] of meters.spoken()) this.inc({ protocol }, count)
    },
  })
}

function addGauge(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read())
    },
  })
}

function addCount(registry: Registry, name: string, help: string, read: () => number): void {
  new Counter({
    name,
    help,
    registers: [registry],
    collect() {
      this.reset()
      this.inc(read())
    },
  })
}
