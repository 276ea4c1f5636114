import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answerShape, minuteShape, syncMax, usageSchema } from '@porttunneler/shared/api/schemas/relays'
import { codesMax, singleShape, timesShape } from '@porttunneler/shared/api/schemas/results'
import { newId } from '@porttunneler/shared/base/ids'
import { unpackCounts } from '@porttunneler/shared/base/packed-counts'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { TunnelMeter } from './tunnel-meter.ts'
import { UsageJournal } from './usage.ts'

const hourMs = 3_600_000
const startMs = Date.UTC(2026, 0, 1, 10)
const everyMs = 900_000
const boot = newId('rel', 1).slice(4)
let dataDir: string

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'ptun-usage-'))
})
afterEach(() => rm(dataDir, { recursive: true }))

const load = (options: { boot?: string; nowMs?: number } = {}) =>
  UsageJournal.load(dataDir, { boot, nowMs: startMs, everyMs, ...options })
const makeMeter = () => new TunnelMeter({ tunnel: newId('tun', 1), account: newId('acc', 1) })
/** Opens a stream that carries the bytes, and ends it. */
function carry(meter: TunnelMeter, { bytesIn = 0, bytesOut = 0 }): void {
  const stream = { bytesIn, bytesOut }
  meter.opened(stream)
  meter.closed(stream)
}

describe('tunnel meter', () => {
  test('open streams count as they grow, ended ones stay counted, and an end counts once', () => {
    const meter = makeMeter()
    const stream = { bytesIn: 0, bytesOut: 0 }
    meter.opened(stream)
    stream.bytesIn = 7
    stream.bytesOut = 5
    expect(meter.read()).toEqual({ in: 5, out: 7, opened: 1, closed: 0, refused: 0, active: 1 })
    meter.closed(stream)
    meter.closed(stream)
    meter.refused('tunnel.rate')
    expect(meter.read()).toEqual({ in: 5, out: 7, opened: 1, closed: 1, refused: 1, active: 0 })
  })
})

describe('usage journal', () => {
  test('writing thousands of rows takes turns with everything else, and loses none', async () => {
    const journal = await load()
    const meters = Array.from({ length: 5_200 }, makeMeter)
    for (const meter of meters) carry(meter, { bytesIn: 1 })
    journal.account(meters, startMs + 1)
    const stringify = vi.spyOn(JSON, 'stringify')
    const writtenSoFar = () =>
      stringify.mock.results.reduce((sum, { value }) => sum + String(value).length, 0)
    const perTurn: number[] = []
    const look = () => {
      perTurn.push(writtenSoFar())
      stringify.mockClear()
      turn = setImmediate(look)
    }
    let turn = setImmediate(look)
    await journal.save()
    clearImmediate(turn)
    stringify.mockRestore()
    const text = await readFile(join(dataDir, 'usage.json'), 'utf8')
    const kept = JSON.parse(text)
    expect([kept.version, kept.rows.length]).toEqual([1, 5_200])
    expect(Math.max(...perTurn)).toBeLessThan(text.length / 4)
    expect((await load()).size).toBe(5_200)
  })

  test('reporting thousands of rows of an hour that is over takes turns with everything else', async () => {
    const journal = await load()
    const meters = Array.from({ length: 5_200 }, makeMeter)
    for (const meter of meters) carry(meter, { bytesIn: 1 })
    journal.account(meters, startMs + 1)
    const pack = vi.spyOn(Buffer, 'from')
    const packed: number[] = []
    let turns = 0
    const look = () => {
      turns += 1
      packed.push(pack.mock.calls.length)
      pack.mockClear()
      turn = setImmediate(look)
    }
    let turn = setImmediate(look)
    journal.account([], startMs + hourMs)
    const report = await journal.report(startMs + hourMs)
    expect(turns, 'turns of a report').toBeGreaterThan(10)
    turns = 0
    await journal.acknowledge(report, startMs + hourMs)
    expect(turns, 'turns of an acknowledgement').toBeGreaterThan(10)
    clearImmediate(turn)
    pack.mockRestore()
    expect(Math.max(...packed), 'minutes packed in a turn').toBeLessThan(1_000)
    expect([report.length, journal.size]).toEqual([5_000, 200])
  })

  test('figures are cumulative within their hour, and each hour counts for itself', async () => {
    const journal = await load()
    const meter = makeMeter()
    carry(meter, { bytesIn: 10, bytesOut: 1 })
    journal.account([meter], startMs + 1)
    carry(meter, { bytesIn: 10, bytesOut: 1 })
    journal.account([meter], startMs + hourMs)
    carry(meter, { bytesIn: 3 })
    meter.refused('tunnel.rate')
    journal.account([meter], startMs + hourMs + 1)
    expect(await journal.report(startMs + hourMs + 1)).toMatchObject([
      { boot, hour: startMs, in: 2, out: 20, opened: 2, refused: 0 },
      { boot, hour: startMs + hourMs, in: 0, out: 3, opened: 1, refused: 1 },
    ])
  })

  test('a lost report is sent again; an acknowledged one is not, until enough changed', async () => {
    const journal = await load()
    const meter = makeMeter()
    carry(meter, { bytesIn: 10 })
    journal.account([meter], startMs)
    const first = await journal.report(startMs)
    expect(await journal.report(startMs)).toEqual(first)
    await journal.acknowledge(first, startMs)
    expect(await journal.report(startMs)).toEqual([])
    carry(meter, { bytesIn: 1 })
    journal.account([meter], startMs + 1)
    expect(await journal.report(startMs + everyMs - 1)).toEqual([])
    expect(await journal.report(startMs + everyMs - 1, { all: true })).toMatchObject([{ out: 11 }])
    expect(await journal.report(startMs + everyMs)).toMatchObject([{ out: 11 }])
    await journal.acknowledge(await journal.report(startMs + everyMs), startMs + everyMs)
    carry(meter, { bytesIn: 64 * 1024 * 1024 })
    journal.account([meter], startMs + everyMs)
    expect(await journal.report(startMs + everyMs)).toHaveLength(1)
  })

  test('a closed hour leaves the journal when its last figures are acknowledged, not with older figures', async () => {
    const journal = await load()
    const meter = makeMeter()
    carry(meter, { bytesIn: 10 })
    journal.account([meter], startMs)
    const early = await journal.report(startMs)
    carry(meter, { bytesIn: 5 })
    journal.account([meter], startMs + hourMs)
    await journal.acknowledge(early, startMs + hourMs)
    const late = await journal.report(startMs + hourMs)
    expect(late).toMatchObject([{ hour: startMs, out: 15 }])
    await journal.acknowledge(late, startMs + hourMs)
    expect(journal.size).toBe(0)
  })

  test('a clock that is corrected by hours, and fractions of a millisecond, goes on under another boot', async () => {
    const journal = await load({ nowMs: startMs + 3 * hourMs })
    const meter = makeMeter()
    carry(meter, { bytesIn: 10 })
    journal.account([meter], startMs + 0.25)
    carry(meter, { bytesIn: 5 })
    journal.account([meter], startMs + 1.5)
    const rows = await journal.report(startMs + 1.5, { all: true })
    expect(rows.map(({ hour, out }) => [hour, out])).toEqual([
      [startMs + 3 * hourMs, 10],
      [startMs, 5],
    ])
    expect(rows[1]?.boot).not.toBe(boot)
  })

  test('after a kill the next process reports what the last one had not delivered, under that one’s boot', async () => {
    const journal = await load()
    const meter = makeMeter()
    carry(meter, { bytesIn: 10 })
    journal.account([meter], startMs)
    await journal.save()
    const nextBoot = newId('rel', 2).slice(4)
    const next = await load({ boot: nextBoot, nowMs: startMs + 1 })
    carry(meter, { bytesIn: 1 })
    const fresh = new TunnelMeter(meter)
    carry(fresh, { bytesIn: 4 })
    next.account([fresh], startMs + 2)
    const report = await next.report(startMs + 2)
    expect(report).toMatchObject([
      { boot, out: 10 },
      { boot: nextBoot, out: 4 },
    ])
    await next.acknowledge(report, startMs + 2)
    expect(next.size, 'the running hour stays because its counters go on').toBe(1)
    await next.save()
    expect(await (await load({ boot: nextBoot })).report(startMs + 3)).toMatchObject([{ out: 4 }])
  })

  test('each minute of the hour counts for itself, while the hour runs, after it, and after a restart', async () => {
    const journal = await load()
    const meter = makeMeter()
    const step = (bytes: number, atMs: number) => {
      carry(meter, { bytesIn: bytes, bytesOut: 1 })
      journal.account([meter], startMs + atMs)
    }
    step(10, 59_999)
    step(20, 60_000)
    step(5, 3 * 60_000)
    step(7, hourMs)
    step(9, hourMs + 1)
    await journal.save()
    const reports = [await journal.report(startMs + hourMs), await (await load()).report(startMs + hourMs)]
    for (const report of reports) {
      const [first, second] = report.map(({ minutes = '' }) => unpackCounts(minutes, minuteShape))
      expect(first?.slice(0, 15)).toEqual([2, 30, 2, 1, 5, 1, 0, 0, 0, 1, 7, 1, 0, 0, 0])
      expect(second?.slice(0, 3)).toEqual([1, 9, 1])
    }
  })

  test('answers are counted by minute like the bytes, and come back after a restart', async () => {
    const journal = await load()
    const meter = makeMeter()
    const step = (atMs: number) => {
      carry(meter, { bytesIn: 1, bytesOut: 1 })
      journal.account([meter], startMs + atMs)
    }
    meter.answers.answered(200, 4)
    meter.answers.answered(404, 3_000.5)
    step(59_999)
    step(60_000)
    meter.answers.answered(101, 11)
    meter.answers.unanswered()
    meter.answers.answered(502, 99_000)
    step(61_000)
    step(62_000)
    await journal.save()
    for (const report of [
      await journal.report(startMs + hourMs),
      await (await load()).report(startMs + hourMs),
    ]) {
      const figures = unpackCounts(report[0]?.answers ?? '', answerShape) ?? []
      expect(figures.slice(0, 28)).toEqual([
        ...[0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0],
        ...[1, 0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 0, 0, 1],
      ])
    }
    for (const [usage] of [
      await journal.report(startMs + hourMs),
      await (await load()).report(startMs + hourMs),
    ]) {
      const times = unpackCounts(usage?.times ?? '', timesShape) ?? []
      expect([4, 24].map((bucket) => times[bucket])).toEqual([1, 1])
      expect(times.slice(timesShape.width, 2 * timesShape.width).filter(Boolean)).toEqual([1, 1])
      const codes = Object.entries(usage?.codes ?? {}).map(([code, packed]) => [
        code,
        unpackCounts(packed, singleShape)?.slice(0, 2),
      ])
      expect(codes).toEqual([
        ['404', [1, 0]],
        ['502', [0, 1]],
      ])
    }
    const plain = makeMeter()
    carry(plain, { bytesIn: 1 })
    journal.account([plain], startMs + 62_000)
    expect(
      (await journal.report(startMs + 62_000)).some(
        ({ answers, tunnel }) => tunnel === plain.tunnel && answers !== undefined,
      ),
    ).toBe(false)
  })

  test('how many were open is kept by minute, without a report of its own', async () => {
    const journal = await load()
    const meter = makeMeter()
    const stream = { bytesIn: 1, bytesOut: 1 }
    const openOf = async () =>
      unpackCounts((await journal.report(startMs + hourMs, { all: true }))[0]?.open ?? '', singleShape)
    meter.opened(stream)
    meter.opened({ bytesIn: 0, bytesOut: 0 })
    journal.account([meter], startMs)
    const report = await journal.report(startMs)
    await journal.acknowledge(report, startMs)
    for (let minute = 1; minute < 3; minute++) journal.account([meter], startMs + minute * 60_000)
    expect(await journal.report(startMs + hourMs - 1, { all: true })).toEqual([])
    meter.closed(stream)
    carry(meter, { bytesIn: 1 })
    journal.account([meter], startMs + 3 * 60_000)
    expect((await openOf())?.slice(0, 4)).toEqual([2, 2, 1, 0])
  })

  test('the first codes of an hour have a place each, and the rest are counted together', async () => {
    const journal = await load()
    const meter = makeMeter()
    for (let status = 400; status < 500; status++) meter.answers.answered(status, 1)
    expect(meter.answers.statuses.size).toBe(65)
    carry(meter, { bytesIn: 1 })
    journal.account([meter], startMs)
    const [usage] = await journal.report(startMs)
    const codes = usage?.codes ?? {}
    expect(Object.keys(codes)).toHaveLength(codesMax + 1)
    expect(unpackCounts(codes.other ?? '', singleShape)?.[0]).toBe(100 - codesMax)
    expect(usageSchema.parse(usage).codes).toEqual(codes)
  })

  test('a kill in the middle of a write keeps the old journal whole', async () => {
    const journal = await load()
    const meter = makeMeter()
    carry(meter, { bytesIn: 10 })
    journal.account([meter], startMs)
    await journal.save()
    await writeFile(join(dataDir, 'usage.json.new'), '{"rows":[{"tun')
    expect((await load()).size).toBe(1)
    expect(await readFile(join(dataDir, 'usage.json'), 'utf8')).toContain(meter.tunnel)
  })

  test('one account with very many tunnels loses its own oldest rows, and another loses none', async () => {
    const journal = await load()
    const guest = makeMeter()
    carry(guest, { bytesIn: 7 })
    journal.account([guest], startMs)
    const account = newId('acc', 2)
    const hog = Array.from(
      { length: 26_000 },
      (_, n) => new TunnelMeter({ tunnel: newId('tun', n + 2), account }),
    )
    for (let hour = 0; hour < 3; hour++) {
      for (const meter of hog) carry(meter, { bytesIn: 1 })
      journal.account(hog, startMs + hour * hourMs)
    }
    const latest = makeMeter()
    carry(latest, { bytesIn: 9 })
    const nowMs = startMs + 2 * hourMs
    journal.account([latest], nowMs)
    expect([journal.size, journal.dropped]).toEqual([50_000, 52_002 - 50_000])
    const report = await journal.report(nowMs)
    const ofGuest = report.filter((row) => row.account !== account)
    expect(ofGuest.map(({ tunnel, out }) => [tunnel, out])).toEqual([
      [guest.tunnel, 7],
      [latest.tunnel, 9],
    ])
    expect(ofGuest.map(({ minutes }) => unpackCounts(minutes ?? '', minuteShape)?.[1])).toEqual([7, 9])
    expect(report.length).toBe(syncMax.usage)
    // Acknowledged rows go first, and no row of the others goes with them.
    await journal.acknowledge(report, nowMs)
    const next = await journal.report(nowMs)
    expect(next.every((row) => row.account === account)).toBe(true)
    // What yields while a report is made is not in it.
    const more = Array.from({ length: syncMax.usage }, makeMeter)
    for (const meter of more) carry(meter, { bytesIn: 1 })
    const reporting = journal.report(nowMs)
    journal.account(more, nowMs)
    const kept = new Set((await reporting).map(({ tunnel, hour }) => `${tunnel} ${hour}`))
    expect(kept.has(`${next[0]?.tunnel} ${next[0]?.hour}`)).toBe(false)
  })
})
