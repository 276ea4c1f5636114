/**
 * Rates and times of tunnels for the live view: bytes a second over the last seconds, and how long the upstream took.
 * Bounded: a few samples a tunnel, and the newest times.
 */
import type { Clock } from '@porttunneler/shared/base/clock'
import type { AgentEvent, AgentSnapshot } from '../../agent/events.ts'
import type { Row } from './rows.ts'
import type { TailedRequest } from './tail.ts'

/** Long enough that a rate does not flicker, short enough that it follows what happens. */
const rateMs = 3_000
/** As many times as give a p99, and the age at which they say nothing about now. */
const timesMax = 500
const timesMs = 60_000

export type Times = { readonly p50: number; readonly p99: number }
/** What was timed: whole requests if they are seen, else connecting to the upstream. */
type Named = Times & { readonly what: 'requests' | 'connect' }
export type Figures = {
  /** Bytes a second from visitors, and to them. */
  readonly inRate: number
  readonly outRate: number
  /** In ms; undefined if nobody came in the last minute. */
  readonly times?: Named
}

type Sample = { readonly at: number; readonly bytes: ReadonlyMap<string, readonly [number, number]> }
type Timed = { readonly at: number; readonly ms: number }

export class FigureBook {
  readonly #clock: Clock
  #samples: Sample[] = []
  readonly #times = new Map<string, Timed[]>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  onEvent(event: AgentEvent): void {
    if (event.event !== 'connection.opened') return
    const times = this.#times.get(event.tunnel) ?? []
    times.push({ at: this.#clock.monotonic(), ms: event.connectMs })
    if (times.length > timesMax) times.shift()
    this.#times.set(event.tunnel, times)
  }

  /** Call it before each drawing. */
  sample({ tunnels }: Pick<AgentSnapshot, 'tunnels'>): void {
    const at = this.#clock.monotonic()
    const bytes = new Map(tunnels.map(({ name, bytesIn, bytesOut }) => [name, [bytesIn, bytesOut] as const]))
    this.#samples.push({ at, bytes })
    // One sample older than the span stays: the rate is over at least that long.
    while ((this.#samples[1]?.at ?? at) <= at - rateMs) this.#samples.shift()
    for (const name of this.#times.keys()) if (!bytes.has(name)) this.#times.delete(name)
  }

  /** @param requests of the last time; undefined without the inspector */
  of({ members }: Pick<Row, 'members'>, requests: readonly TailedRequest[] = []): Figures {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)]
    const seconds = first && last ? (last.at - first.at) / 1_000 : 0
    let [inBytes, outBytes] = [0, 0]
    for (const name of members) {
      const [before, after] = [first?.bytes.get(name), last?.bytes.get(name)]
      if (!before || !after) continue
      inBytes += Math.max(0, after[0] - before[0])
      outBytes += Math.max(0, after[1] - before[1])
    }
    const since = this.#clock.monotonic() - timesMs
    const asked = requests.flatMap(({ tunnel, at, ms }) =>
      ms !== undefined && members.includes(tunnel) && at >= this.#clock.now() - timesMs ? [ms] : [],
    )
    const connected = members.flatMap((name) =>
      (this.#times.get(name) ?? []).flatMap(({ at, ms }) => (at >= since ? [ms] : [])),
    )
    const times = named('requests', asked) ?? named('connect', connected)
    return {
      inRate: seconds > 0 ? inBytes / seconds : 0,
      outRate: seconds > 0 ? outBytes / seconds : 0,
      ...(times && { times }),
    }
  }
}

function named(what: Named['what'], values: readonly number[]): Named | undefined {
  const times = percentiles(values)
  return times && { what, ...times }
}

/** The nearest rank. @returns undefined without values */
export function percentiles(values: readonly number[]): Times | undefined {
  if (values.length === 0) return undefined
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? 0
  return { p50: at(0.5), p99: at(0.99) }
}
