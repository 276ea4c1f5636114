import { Histogram, Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { ConnectTimes } from './connect-times.ts'

describe('times to connect', () => {
  test("a scrape shows the same lines as prom-client's own histogram", async () => {
    const registers = [new Registry()]
    const theirs = new Histogram({
      name: 'ptun_connect_ms',
      help: 'Time from OPEN at the agent to the upstream being connected, ms',
      labelNames: ['tunnel'],
      buckets: [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 8_000],
      registers,
    })
    const times = new ConnectTimes()
    const ours = new Registry()
    ours.registerMetric(times.metric)
    for (const [tunnel, ms] of [
      ['tun_a', 0],
      ['tun_a', 1],
      ['tun_b', 2_500],
      ['tun_a', 3],
      ['tun_a', 9_000],
      ['tun_c', 7],
    ] as const) {
      times.observe(tunnel, ms)
      theirs.observe({ tunnel }, ms)
    }
    times.forget('tun_c')
    theirs.remove({ tunnel: 'tun_c' })
    expect(await ours.metrics()).toBe(await registers[0]?.metrics())
    expect(await ours.metrics()).toContain('ptun_connect_ms_count{tunnel="tun_a"} 4')
  })
})
