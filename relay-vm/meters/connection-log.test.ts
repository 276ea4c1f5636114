import { connectionBatchSchema, connectionsPerBatch } from '@porttunneler/shared/api/schemas/connections'
import { newId } from '@porttunneler/shared/base/ids'
import { describe, expect, test } from 'vitest'
import { ConnectionLog, type EndedVisit } from './connection-log.ts'
import { liveConnections } from './live-connections.ts'

const boot = newId('rel', 1).slice(4)
const tunnel = newId('tun', 1)
const account = newId('acc', 1)
const visit = { tunnel, account, address: '192.0.2.7', ms: 1_000, in: 1, out: 2, code: 0 }
const minuteMs = 60_000

function setUp(keeps: 'whole' | 'shortened' | 'off' = 'whole') {
  const at = { ms: Date.UTC(2026, 0) }
  let seed = 1
  const random = () => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed / 2_147_483_647
  }
  const log = new ConnectionLog({
    boot,
    random,
    now: () => at.ms,
    keeps: () => (keeps === 'off' ? undefined : keeps),
  })
  const end = (changes: Partial<EndedVisit> = {}) => log.ended({ ...visit, ...changes })
  return { log, end, at }
}

describe('connections that a relay keeps', () => {
  test('none of a tunnel whose owner did not ask for it', () => {
    const { log, end } = setUp('off')
    end()
    expect([log.size, log.report({ isLast: true }), log.waiting(tunnel)]).toEqual([0, [], []])
  })

  test('one report in a quarter of an hour, which the schema takes, again and again until it is acknowledged', () => {
    const { log, end, at } = setUp()
    end()
    at.ms += 5_000
    end({ code: 3022, address: '2001:db8::1' })
    expect(log.report()).toEqual([])
    at.ms += 15 * minuteMs
    const [batch] = log.report()
    expect(connectionBatchSchema.parse(batch)).toEqual({
      tunnel,
      account,
      boot,
      number: 0,
      from: Date.UTC(2026, 0),
      counted: 2,
      rows: [
        [0, 1_000, '192.0.2.7', 1, 2, 0],
        [5_000, 1_000, '2001:db8::1', 1, 2, 3022],
      ],
    })
    expect(log.report()).toEqual([batch])
    expect(log.waiting(tunnel)).toHaveLength(2)
    log.acknowledge(batch ? [batch] : [])
    expect([log.report(), log.size, log.waiting(tunnel)]).toEqual([[], 0, []])
  })

  test('addresses are shortened before they are kept, where the owner wants that', () => {
    const { log, end } = setUp('shortened')
    end()
    end({ address: '2001:db8:1:2::3' })
    expect(log.waiting(tunnel).map(({ address }) => address)).toEqual(['192.0.2.0/24', '2001:db8:1::/48'])
  })

  test('of a busy minute a fair sample, and the true number', () => {
    const { log, end } = setUp()
    for (let n = 0; n < 10_000; n++) end({ ms: n })
    const batches = log.report({ isLast: true })
    const rows = batches.flatMap((batch) => batch.rows)
    expect(rows).toHaveLength(100)
    expect(batches.reduce((sum, { counted }) => sum + counted, 0)).toBe(10_000)
    const mean = rows.reduce((sum, [, ms]) => sum + ms, 0) / rows.length
    expect(mean, 'early ones and late ones have the same chance').toBeGreaterThan(4_000)
    expect(mean).toBeLessThan(6_000)
    expect(log.size).toBe(100)
  })

  test('a full report does not wait for the quarter of an hour, and the next begins', () => {
    const { log, end, at } = setUp()
    for (let n = 0; n < connectionsPerBatch + 50; n++) {
      end()
      if (n % 90 === 89) at.ms += minuteMs
    }
    const due = log.report()
    expect(due.map(({ rows }) => rows.length)).toEqual([connectionsPerBatch])
    expect(log.report({ isLast: true }).map(({ rows }) => rows.length)).toEqual([connectionsPerBatch, 50])
  })

  test('a clock that is put back begins another report, so that no time in one is before its first', () => {
    const { log, end, at } = setUp()
    end()
    at.ms -= 10_000
    end()
    for (const batch of log.report({ isLast: true })) connectionBatchSchema.parse(batch)
    expect(log.report({ isLast: true })).toHaveLength(2)
  })
})

describe('live connections', () => {
  test('the newest open ones with their bytes so far, and the ended ones with the reason', () => {
    const nowMs = 100_000
    const open = Array.from({ length: 300 }, (_, n) => ({
      bytesIn: n,
      bytesOut: 2 * n,
      info: { visitorAddress: '192.0.2.1', visitorPort: n, atMs: 50_000 + n },
    }))
    const { log, end } = setUp()
    end({ code: 3022 })
    end()
    const live = liveConnections(open, log.waiting(tunnel), { nowMs, offsetMs: 0 })
    expect([live.total, live.open.length]).toEqual([300, 200])
    expect(live.open[0]).toEqual({
      from: '192.0.2.1',
      port: 299,
      startedAt: 50_299,
      ms: 49_701,
      in: 598,
      out: 299,
    })
    expect(live.ended.map(({ code, reason }) => [code, reason])).toEqual([
      ['PT-3022', 'Connection reset'],
      [undefined, 'Ended in order'],
    ])
  })
})
