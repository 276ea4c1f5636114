/** What a relay keeps about tenants: figures, reports, events, lines, hosts. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@porttunneler/shared/base/clock'
import { silentLog } from '@porttunneler/shared/base/log'
import { ConnectionLog } from '../../relay-vm/meters/connection-log.ts'
import { History } from '../../relay-vm/meters/history.ts'
import { TunnelMeter } from '../../relay-vm/meters/tunnel-meter.ts'
import { newBoot, UsageJournal } from '../../relay-vm/meters/usage.ts'
import { Places } from '../../relay-vm/places.ts'
import { fairLog } from '../../relay-vm/policy/fair-log.ts'
import { SecurityEvents } from '../../relay-vm/security-events.ts'
import { ServerTime } from '../../relay-vm/server-time.ts'
import { account } from '../../relay-vm/testing/test-control.ts'
import { within } from '../harness/events.ts'
import { type FullPool, longestTurnMs, type PoolCase } from './case.ts'
import { greedyAccount, greedyAddress, type Stage } from './stage.ts'
import { staged } from './staged.ts'

export const recordCases = {
  feeds: staged(
    { limits: { watchersMax: 20 } },
    {
      code: 'watch.limit',
      count: 30,
      ask: async (stage, count) => {
        for (let n = 0; n < count; n++) await watch(stage, greedyAccount, false)
      },
      serve: (stage) => watch(stage, account, true),
    },
  ),
  history: { open: openHistory },
  places: { open: openPlaces },
  events: { open: openEvents },
  usage: { open: () => openUsage(50_500, (row) => row !== undefined) },
  minutes: { open: () => openUsage(10_500, (row) => row?.minutes !== undefined) },
  connections: { open: openConnections },
  'rate log': { open: openLog },
} as const satisfies Record<string, PoolCase>

/** Opens a live feed; the guest's is read once and given back. */
async function watch(stage: Stage, of: string, isServed: boolean): Promise<void> {
  const { ports, control } = stage
  const ending = new AbortController()
  const answer = await fetch(`http://127.0.0.1:${ports.httpPort}/v1/live`, {
    headers: { authorization: `Bearer ${await control.watchTicket(of)}` },
    signal: ending.signal,
  })
  if (!isServed) {
    if (!answer.ok) stage.turnedAway += 1
    return
  }
  if (!answer.ok) throw new Error(`the guest’s feed: ${answer.status} ${await answer.text()}`)
  const reader = answer.body?.getReader()
  await within(reader?.read() ?? Promise.reject(new Error('no feed')), 'the first figures')
  ending.abort()
}

let metersTotal = 0
const meterOf = (of: string) => {
  const meter = new TunnelMeter({ tunnel: `tun_${String(++metersTotal).padStart(26, '0')}`, account: of })
  meter.refused('tunnel.rate')
  return meter
}

function openHistory(): Promise<FullPool> {
  const history = new History()
  const meters = new Set<TunnelMeter>()
  let nowMs = systemClock.now()
  const work = (meter: TunnelMeter) => {
    const stream = { bytesIn: 1, bytesOut: 1 }
    meter.opened(stream)
    meter.closed(stream)
    meters.add(meter)
  }
  return Promise.resolve({
    fill: () => {
      for (let n = 0; n < 600; n++) work(meterOf(greedyAccount))
      history.sample(meters, nowMs)
    },
    isFull: () => history.size < meters.size,
    again: () => work(meterOf(greedyAccount)),
    serve: () => {
      const guest = meterOf(account)
      nowMs += 1_000
      work(guest)
      history.sample(meters, nowMs)
      if (history.read(guest, nowMs).seconds.length === 0) throw new Error('the guest has no chart')
    },
    close: () => undefined,
  })
}

/** A folder of its own, until `close`. */
async function inFolder<T>(open: (folder: string) => Promise<T>) {
  const folder = await mkdtemp(join(tmpdir(), 'ptun-pools-'))
  return { kept: await open(folder), close: () => rm(folder, { recursive: true }) }
}

async function openPlaces(): Promise<FullPool> {
  const { kept: places, close } = await inFolder((folder) => Places.load(folder))
  const nowMs = systemClock.now()
  let last = 0
  const serves = (host: string, of: string) =>
    places.serves({ endpoint: `host:${host}`, claims: { account: of, kind: 'http' } }, nowMs)
  const more = () => serves(`g${++last}.tunnels.test`, greedyAccount)
  return {
    fill: () => {
      for (let n = 0; n < 20_500; n++) more()
    },
    isFull: () => places.kindOf('g1.tunnels.test') === undefined,
    again: more,
    serve: () => {
      const host = `guest${++last}.tunnels.test`
      serves(host, account)
      if (places.kindOf(host) !== 'http') throw new Error('the guest’s host is forgotten')
    },
    close,
  }
}

async function openEvents(): Promise<FullPool> {
  const time = new ServerTime(systemClock)
  const { kept: events, close } = await inFolder((folder) => SecurityEvents.load(folder, time))
  const more = () => events.add('ticket.invalid', { from: greedyAddress })
  let last = 0
  return {
    fill: () => {
      for (let n = 0; n < 1_200; n++) more()
    },
    isFull: () => events.dropped > 0,
    again: more,
    serve: () => {
      const from = `203.0.113.${++last % 250}`
      events.add('ticket.invalid', { from })
      if (!events.report().some(({ fields }) => fields.from === from))
        throw new Error('the guest’s event is lost')
    },
    close,
  }
}

/** Rows of `count` tunnels of the greedy account; the guest's is in the next report. */
async function openUsage(
  count: number,
  isWhole: (row: { minutes?: string | undefined } | undefined) => boolean,
): Promise<FullPool> {
  const nowMs = systemClock.now()
  const options = { boot: newBoot(nowMs), nowMs, everyMs: 900_000 }
  const { kept: journal, close } = await inFolder((folder) => UsageJournal.load(folder, options))
  const more = (n: number) =>
    journal.account(
      Array.from({ length: n }, () => meterOf(greedyAccount)),
      nowMs,
    )
  return {
    fill: async () => {
      more(count)
      // The collector moves all that is new, and slicing runs for the first time.
      await journal.report(nowMs)
    },
    isFull: () => journal.size > 10_000 && (count < 50_000 || journal.dropped > 0),
    again: () => more(1),
    serve: () =>
      longestTurnMs(async () => {
        const meter = meterOf(account)
        journal.account([meter], nowMs)
        const report = await journal.report(nowMs)
        const row = report.find(({ tunnel }) => tunnel === meter.tunnel)
        if (!isWhole(row)) throw new Error('the guest’s usage is not in the next report')
        await journal.acknowledge(row ? [row] : [], nowMs)
      }),
    close,
  }
}

function openConnections(): Promise<FullPool> {
  const now = () => systemClock.now()
  const log = new ConnectionLog({ boot: newBoot(now()), random: () => 1, now, keeps: () => 'whole' })
  let last = 0
  const end = (of: string) => {
    const tunnel = `tun_${String(++last).padStart(26, '0')}`
    log.ended({ tunnel, account: of, address: greedyAddress, ms: 1, in: 1, out: 1, code: 0 })
    return tunnel
  }
  return Promise.resolve({
    fill: () => {
      for (let n = 0; n < 20_500; n++) end(greedyAccount)
    },
    isFull: () => log.dropped > 0,
    again: () => void end(greedyAccount),
    serve: () => {
      if (log.waiting(end(account)).length === 0) throw new Error('the guest’s connection is lost')
    },
    close: () => undefined,
  })
}

function openLog(): Promise<FullPool> {
  let written = 0
  const log = fairLog({ ...silentLog, info: () => void written++ }, systemClock)
  let greedy = 0
  const more = () => {
    greedy += 1
    log.info([greedyAccount, 'agent'], {}, 'An agent came')
  }
  return Promise.resolve({
    fill: () => {
      for (let n = 0; n < 30_000; n++) more()
    },
    isFull: () => written < greedy,
    again: more,
    serve: () => {
      const before = written
      log.info([account, 'agent'], {}, 'An agent came')
      if (written === before) throw new Error('the guest’s line is left out')
    },
    close: () => undefined,
  })
}
