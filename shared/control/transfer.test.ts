import { decodeJwt } from 'jose'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, quietSync, type TestControl } from '../../standalone/testing/control.ts'
import { newId } from '../base/ids.ts'
import type { Caller } from './caller.ts'
import { claimLeases, renewLeases } from './claims.ts'
import { accounts } from './documents.ts'
import { plans } from './plans.ts'
import { readTransfer, readTransferNow, shareOf } from './transfer.ts'
import { usagePeriods } from './usage-documents.ts'

const hour = 3_600_000
const agent = newId('agt', 1)
const limitBytes = 1_000_000
const { boot } = quietSync.boot

let t: TestControl
let ada: Caller
beforeEach(async () => {
  t = makeTestControl()
  await t.openCell()
  ada = await t.caller('ada@example.com', { limits: { ...plans.free, transferBytesMonth: limitBytes } })
  await t.control.store.update(accounts.ref(ada.account), { overrides: { transferBytesMonth: limitBytes } })
})
afterEach(() => t.close())

const claim = async (name: string) => {
  const tunnels = [{ name, kind: 'tcp' as const }]
  const { results } = await claimLeases(t.control, ada, { agent, tunnels, takeover: false })
  return results[0] ?? { problem: { code: 'none' } }
}
async function lease(name: string) {
  const result = await claim(name)
  if (!('lease' in result)) throw new Error('no lease')
  return result.lease
}
/** The cumulative figure of the hour `ago` hours before now, both directions together. */
const carried = (tunnel: string, bytes: number, { ago = 0, of = boot } = {}) => {
  const start = Math.floor(t.clock.now() / hour) * hour - ago * hour
  const row = { tunnel, account: ada.account, boot: of, hour: start, opened: 1, refused: 0 }
  return t.sync({ usage: [{ ...row, in: Math.floor(bytes / 4), out: bytes - Math.floor(bytes / 4) }] })
}
/** The transfer after the next roll-up. */
const transfer = async () => {
  t.clock.advance(hour - (t.clock.now() % hour) + 20 * 60_000)
  await t.sync()
  await t.runJobs()
  return readTransfer(t.control, ada)
}
const warnings = async () =>
  (await t.sync()).commands.flatMap((command) => (command.kind === 'transfer' ? [command.percent] : []))

describe('transfer of the month', () => {
  test('an hour that comes late, and after which nothing came, counts once for people and for tickets', async () => {
    t.clock.advance(12 * hour)
    await t.sync()
    const { tunnel } = await lease('db')
    await carried(tunnel, 100_000)
    expect(await transfer()).toMatchObject({ usedBytes: 100_000 })
    t.clock.advance(5 * hour)
    await t.runJobs()
    await carried(tunnel, 300_000, { ago: 3 })
    await t.runJobs()
    expect(await readTransferNow(t.control, ada)).toMatchObject({ usedBytes: 400_000 })
    const counted = await readTransfer(t.control, ada)
    expect(counted).toMatchObject({ usedBytes: 400_000, lateBytes: 300_000 })
    expect(counted?.countedAt, 'before the late hour').toBeLessThan(t.clock.now() - 3 * hour)
    // Relays subtract what they have carried since then, also in the late hour.
    expect(shareOf(counted, 1)).toMatchObject({ shareBytes: 1_000_000, shareFrom: counted?.countedAt })
    expect(await transfer()).toMatchObject({ usedBytes: 400_000 })
  })

  test('is counted by overwriting: repeated and late reports, and roll-ups in any number, change nothing twice', async () => {
    t.clock.advance(12 * hour)
    await t.sync()
    const { tunnel } = await lease('db')
    await carried(tunnel, 100_000)
    await carried(tunnel, 50_000, { of: '01k0000000000000000000next' })
    expect(await readTransferNow(t.control, ada), 'it shows at once').toMatchObject({
      usedBytes: 150_000,
    })
    for (let times = 1; times <= 3; times++) {
      expect(await transfer()).toMatchObject({ usedBytes: 150_000, percent: 15, state: 'ok' })
      await carried(tunnel, 100_000, { ago: times })
      await carried(tunnel, 50_000, { ago: times, of: '01k0000000000000000000next' })
      await t.runJobs()
    }
    t.clock.advance(5 * hour)
    expect((await transfer())?.usedBytes).toBe(150_000)
    // A relay that was cut off for hours reports them when it is back.
    for (let times = 0; times < 2; times++) {
      await carried(tunnel, 30_000, { ago: 4 })
      await t.runJobs()
      expect(await readTransfer(t.control, ada), 'at once').toMatchObject({ usedBytes: 180_000 })
    }
  })

  test('is read with one document, however much was carried', async () => {
    const { tunnel } = await lease('db')
    await carried(tunnel, 1_000)
    const counted = await transfer()
    expect(counted?.countedAt, 'whole hours').toBe(Math.floor(t.clock.now() / hour) * hour)
    await carried(tunnel, 700)
    expect(await readTransfer(t.control, ada)).toEqual(counted)
  })

  test('begins anew with the month, in UTC', async () => {
    const { tunnel } = await lease('db')
    await carried(tunnel, limitBytes)
    const before = await transfer()
    expect(before).toMatchObject({ state: 'over', from: Date.UTC(2026, 0), to: Date.UTC(2026, 1) })
    t.clock.advance(Date.UTC(2026, 1) - t.clock.now())
    expect(await readTransfer(t.control, ada)).toMatchObject({ state: 'ok', usedBytes: 0 })
    expect(await transfer()).toMatchObject({ state: 'ok', usedBytes: 0, from: Date.UTC(2026, 1) })
  })

  test('warns once at 80, 90 and 100 %, by a command to the relays', async () => {
    const { tunnel } = await lease('db')
    const told: number[][] = []
    const first = Math.floor(t.clock.now() / hour)
    for (const bytes of [799_999, 800_000, 850_000, 900_000, 1_200_000, 1_300_000]) {
      await carried(tunnel, bytes, { ago: Math.floor(t.clock.now() / hour) - first })
      await transfer()
      told.push(await warnings())
    }
    expect(told.map((list) => list.at(-1))).toEqual([undefined, 80, 80, 90, 100, 100])
    expect(new Set(told.flat())).toEqual(new Set([80, 90, 100]))
    const { data } =
      (await t.control.store.get(usagePeriods.ref(`${ada.account}:${Date.UTC(2026, 0)}`))) ?? {}
    expect(data).toMatchObject({ warned: 100, bytes: 1_300_000 })
  })

  test('used up: no further tunnel, while online ones stay and share the grace until that is used up too', async () => {
    const { tunnel, epoch } = await lease('db')
    const share = async () => {
      const renewed = await renewLeases(t.control, ada, { agent, leases: [{ tunnel, epoch }] })
      const [result] = renewed.results
      if (!result || !('lease' in result)) throw new Error('not renewed')
      return decodeJwt(result.lease.ticket).shareBytes
    }
    expect(await share()).toBe(1_100_000)
    await carried(tunnel, 1_000_000)
    expect(await transfer()).toMatchObject({ state: 'over', percent: 100 })
    expect(await claim('web')).toMatchObject({ problem: { code: 'PT-2202' } })
    expect(await claim('db'), 'its agent was restarted').toMatchObject({ lease: { tunnel } })
    expect(await share()).toBe(100_000)
    await t.sync({ boot: { ...quietSync.boot, instance: 'r2' } })
    expect(await share(), 'two relays').toBe(50_000)
    await carried(tunnel, 100_001)
    expect(await transfer()).toMatchObject({ state: 'stopped' })
    expect(await share()).toBe(0)
  })

  test('has no limit and no share where the plan has none', async () => {
    ada = { ...ada, limits: plans.unlimited }
    const { ticket, tunnel } = await lease('db')
    await carried(tunnel, 10 ** 12)
    expect(decodeJwt(ticket)).not.toHaveProperty('shareBytes')
    expect(await transfer()).toBeUndefined()
  })
})
