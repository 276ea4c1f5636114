/**
 * How long agents took to reach their upstreams: the histogram `ptun_connect_ms`, by tunnel. It counts by itself,
 * because a connection is observed often and read seldom: prom-client checks and hashes the labels at each
 * observation, which took a twentieth of what a new connection costs a relay.
 */
import type { Histogram } from 'prom-client'

const name = 'ptun_connect_ms'
const bucketsMs = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 8_000] as const

type Times = {
  /** By bucket; the last is for longer times. */
  readonly counts: number[]
  sumMs: number
}

type Value = {
  readonly metricName: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
}

export class ConnectTimes {
  readonly #tunnels = new Map<string, Times>()

  observe(tunnel: string, ms: number): void {
    let times = this.#tunnels.get(tunnel)
    if (!times) {
      times = { counts: Array<number>(bucketsMs.length + 1).fill(0), sumMs: 0 }
      this.#tunnels.set(tunnel, times)
    }
    let bucket = 0
    while (bucket < bucketsMs.length && ms > (bucketsMs[bucket] ?? 0)) bucket += 1
    times.counts[bucket] = (times.counts[bucket] ?? 0) + 1
    times.sumMs += ms
  }

  forget(tunnel: string): void {
    this.#tunnels.delete(tunnel)
  }

  /** For a registry, which asks a metric for its name and for this. */
  get metric(): Histogram {
    const shape = { name, help: 'Time from OPEN at the agent to the upstream being connected, ms' }
    const get = async () => ({ ...shape, type: 'histogram', values: this.#values(), aggregator: 'sum' })
    return { ...shape, get } as unknown as Histogram
  }

  #values(): readonly Value[] {
    return [...this.#tunnels].flatMap(([tunnel, { counts, sumMs }]) => {
      let count = 0
      const buckets = counts.map((own, bucket): Value => {
        count += own
        return {
          metricName: `${name}_bucket`,
          labels: { le: bucketsMs[bucket] ?? '+Inf', tunnel },
          value: count,
        }
      })
      return [
        ...buckets,
        { metricName: `${name}_sum`, labels: { tunnel }, value: sumMs },
        { metricName: `${name}_count`, labels: { tunnel }, value: count },
      ]
    })
  }
}
