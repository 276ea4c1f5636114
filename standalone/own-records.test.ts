/** The records that lead to cells follow the relays that report, and are never emptied. */
import { newId } from '@porttunneler/shared/base/ids'
import type { Dns, ZoneRecord } from '@porttunneler/shared/control/platform'
import { expect, test } from 'vitest'
import { makeTestControl, quietSync } from './testing/control.ts'

test('a cell has the public addresses of its relays, and keeps them when all are silent', async () => {
  const kept: (readonly ZoneRecord[])[] = []
  const keep = async (wanted: readonly ZoneRecord[]) => {
    kept.push(wanted)
    return { made: 0, removed: 0, foreign: ['x'] }
  }
  const dns: Dns = { kind: 'cloudflare', keep, put: async () => {}, remove: async () => {} }
  const t = makeTestControl({ dns })
  try {
    await t.openCell({ host: 'home.example.net', domain: 'tunnels.example.net' })
    // An address that nobody outside can reach does not count.
    await t.runJobs()
    expect(kept).toEqual([])
    for (const [instance, host] of [
      ['r1', '8.8.8.8'],
      ['r2', '2606:4700::1'],
    ] as const)
      await t.sync({
        boot: {
          ...quietSync.boot,
          instance,
          boot: newId('cmd', 1),
          agentAddress: { host, port: 1, sni: 's' },
        },
      })
    t.clock.advance(10 * 60_000)
    await t.sync({
      boot: { ...quietSync.boot, instance: 'r1', agentAddress: { host: '8.8.8.8', port: 1, sni: 's' } },
    })
    await t.runJobs()
    const names = ['home.example.net', 'tunnels.example.net', '*.tunnels.example.net']
    const told = kept.map((records) =>
      records.map(({ type, name, value }) => `${type} ${name} ${value}`).toSorted(),
    )
    expect(told).toEqual([
      names.flatMap((name) => [`A ${name} 8.8.8.8`, `AAAA ${name} 2606:4700::1`]).toSorted(),
    ])
    const before = kept.length
    t.clock.advance(26 * 3_600_000)
    await t.runJobs()
    expect(kept.length, 'no relay is known any more').toBe(before)
  } finally {
    await t.close()
  }
})
