import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { syncAnswerSchema } from '@porttunneler/shared/api/schemas/relays'
import { silentLog } from '@porttunneler/shared/base/log'
import { Secret } from '@porttunneler/shared/base/secret'
import { TrustedProxies } from '@porttunneler/shared/base/trusted-proxies'
import { limits } from '@porttunneler/shared/protocol/limits'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Keeper } from './keeper.ts'
import { Meters } from './meters/meters.ts'
import { UsageJournal } from './meters/usage.ts'
import { Places } from './places.ts'
import { Routes } from './routes.ts'
import { SecurityEvents } from './security-events.ts'
import { ServerTime } from './server-time.ts'
import type { SessionHandle } from './session-handle.ts'
import { RelayState } from './state.ts'
import { ControlSync } from './sync.ts'
import { account, claimsOf, makeTestControl, type TestControl } from './testing/test-control.ts'

const boot = '0'.repeat(26)
const tunnel = `tun_${boot}`
let control: TestControl
let dataDir: string
let clock: FakeClock
let closeSync: () => Promise<void>

beforeEach(async () => {
  control = await makeTestControl()
  dataDir = await mkdtemp(join(tmpdir(), 'ptun-sync-'))
  clock = new FakeClock()
})
afterEach(async () => {
  await closeSync()
  await rm(dataDir, { recursive: true })
})

async function makeSync() {
  const state = await RelayState.load(dataDir)
  const time = new ServerTime(clock, state.timeOffsetMs)
  const events = await SecurityEvents.load(dataDir, time)
  const meters = new Meters()
  const journal = await UsageJournal.load(dataDir, { boot, nowMs: time.now(), everyMs: 1_000 })
  const places = await Places.load(dataDir)
  const keeper = new Keeper({ state, journal, events, places, log: silentLog })
  const routes = new Routes({ clock, meters, decrees: state.decrees, onGone() {}, onPresence() {} })
  const commands: string[] = []
  const directories: number[] = []
  const sync = new ControlSync({
    clock,
    random: () => 0,
    log: silentLog,
    control,
    proxies: new TrustedProxies([]),
    credential: async () => new Secret('ptc_test'),
    state,
    time,
    routes,
    meters,
    journal,
    events,
    places,
    keeper,
    describe: () => ({
      boot: {
        instance: 'r1',
        boot,
        version: '1',
        agentAddress: { host: 'h', port: 1, sni: 's' },
        watchUrl: 'http://h',
      },
      state: 'ready',
      load: { sessions: 0, streams: 0, cpu: 0, rssBytes: 0 },
    }),
    onCommand: ({ id }) => commands.push(id),
    onDirectory: () => directories.push(clock.now()),
  })
  closeSync = () => sync.stop()
  return { sync, routes, state, time, events, keeper, meters, journal, commands, directories }
}

/** Lets disk writes and promises settle until `isTrue`. */
async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve))
}
const requests = (count: number) => until(() => control.requests.length >= count && clock.pending > 0)

describe('sync', () => {
  test('comes every 30 s with the cursor of the last answer', async () => {
    const { sync } = await makeSync()
    sync.start()
    await requests(1)
    clock.advance(limits.syncMs - 1)
    expect(control.requests).toHaveLength(1)
    clock.advance(1)
    await requests(2)
    expect(control.requests.map(({ cursor }) => cursor)).toEqual([undefined, 'cursor-1'])
  })

  test('agents are told about other relays once, when two answers in a row say so', async () => {
    const { sync, directories } = await makeSync()
    sync.start()
    await requests(1)
    const marks = ['new', 'as ever', 'new', 'new', 'new', 'newer', 'newer']
    const told: number[] = []
    for (const [turn, mark] of marks.entries()) {
      control.directory = mark
      clock.advance(limits.syncMs)
      await requests(turn + 2)
      told.push(directories.length)
    }
    expect(told).toEqual([0, 0, 0, 1, 1, 1, 2])
  })

  test('reports that one exchange could not deliver come with the next that works', async () => {
    const { sync, events, meters, journal } = await makeSync()
    events.add('ticket.invalid', { from: '192.0.2.1' })
    meters.of(tunnel, account).refused('tunnel.rate')
    control.isDown = true
    sync.start()
    await until(() => sync.failures === 1 && clock.pending > 0)
    control.isDown = false
    clock.advance(500)
    await requests(1)
    expect(control.requests[0]).toMatchObject({
      usage: [{ tunnel, refused: 1 }],
      events: [{ kind: 'ticket.invalid' }],
    })
    expect(sync.failures).toBe(0)
    expect(await journal.report(clock.now())).toEqual([])
  })

  test('agents that come and go are reported within a second, all of them in one call', async () => {
    const { sync } = await makeSync()
    sync.start()
    await requests(1)
    sync.presenceChanged()
    sync.presenceChanged()
    clock.advance(999)
    expect(control.requests).toHaveLength(1)
    clock.advance(1)
    await requests(2)
    clock.advance(2_000)
    expect(control.requests).toHaveLength(2)
  })

  test('an agent without a connection is reported as such at once, and as away after a minute', async () => {
    const { sync, routes } = await makeSync()
    const iat = clock.now() / 1000
    const session = {
      id: 'one',
      state: 'open' as SessionHandle['state'],
      rttMs: 1,
      open: () => expect.unreachable(),
      unbound: () => undefined,
      resetBind: () => undefined,
    }
    const claims = { iss: 'x', iat, exp: iat + 3_600, ...claimsOf('host:demo.tunnels.test') }
    routes.bind(claims, { session, bind: 1 })
    sync.start()
    await requests(1)
    expect(control.requests[0]?.bound[0]).not.toHaveProperty('detached')
    clock.advance(10_000)
    session.state = 'detached'
    routes.setDetached(session, true)
    clock.advance(20_000)
    await requests(2)
    expect(control.requests[1]).toMatchObject({ bound: [{ detached: true }], away: [] })
    clock.advance(30_000)
    await requests(3)
    clock.advance(9_999)
    expect(control.requests).toHaveLength(3)
    clock.advance(1)
    await requests(4)
    expect(control.requests[3]?.away).toMatchObject([{ agent: claims.agent, away: true }])
  })

  test('usage without acknowledgement is sent again', async () => {
    const { sync, meters } = await makeSync()
    meters.of(tunnel, account).refused('tunnel.rate')
    control.isAcknowledging = false
    sync.start()
    await requests(1)
    clock.advance(limits.syncMs)
    await requests(2)
    expect(control.requests[1]?.usage).toEqual(control.requests[0]?.usage)
  })

  test('failures are retried sooner than the rhythm, and never more often than the backoff says', async () => {
    const { sync } = await makeSync()
    control.isDown = true
    sync.start()
    const delays: number[] = []
    for (let failure = 1; failure <= 9; failure++) {
      await until(() => sync.failures === failure && clock.pending > 0)
      const before = clock.monotonic()
      while (sync.failures === failure && clock.pending > 0) {
        clock.advance(500)
        await new Promise((resolve) => setImmediate(resolve))
        if (clock.pending === 0) break
      }
      delays.push(clock.monotonic() - before)
    }
    expect(delays).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
  })

  test('an unknown key makes it ask at once, but strangers cannot make it ask often', async () => {
    const { sync } = await makeSync()
    sync.start()
    await requests(1)
    sync.soon()
    await requests(2)
    for (let i = 0; i < 20; i++) sync.soon()
    clock.advance(1_000)
    await new Promise((resolve) => setImmediate(resolve))
    expect(control.requests).toHaveLength(2)
  })

  test('the control plane’s time, keys, cell and cursor are taken and kept; commands are passed on', async () => {
    const { sync, time, commands } = await makeSync()
    control.nowMs = () => 1_900_000_000_000
    control.commands.push({ id: 'cmd', kind: 'keys', at: 1, version: 1 })
    sync.start()
    await requests(1)
    clock.advance(1_234)
    clock.jump(-86_400_000)
    expect(time.now()).toBe(1_900_000_001_234)
    expect(commands).toEqual(['cmd'])
    await sync.stop()
    const kept = await RelayState.load(dataDir)
    expect(kept.cell?.id).toBe('c1')
    expect(kept.keys.jwks.keys).toHaveLength(1)
    expect(kept.cursor).toBe('cursor-1')
  })

  test('the last report carries what is not due yet, and its failure keeps it on disk', async () => {
    const { sync, meters } = await makeSync()
    sync.start()
    await requests(1)
    meters.of(tunnel, account).refused('tunnel.rate')
    control.isDown = true
    await sync.finish()
    const next = await UsageJournal.load(dataDir, { boot: '1'.repeat(26), nowMs: clock.now(), everyMs: 1 })
    expect(await next.report(clock.now())).toMatchObject([{ boot, tunnel, refused: 1 }])
  })

  test('after its last report a relay trusts no name, and neither does the next process that reads them', async () => {
    const { sync, state, time } = await makeSync()
    sync.start()
    await requests(1)
    await until(() => state.names.isTrusted(time.moment()))
    const before = await RelayState.load(dataDir)
    expect(before.names.isTrusted(time.moment()), 'killed before it').toBe(true)
    await sync.finish()
    const next = await RelayState.load(dataDir)
    expect(next.names.isTrusted(time.moment())).toBe(false)
  })

  test('if nobody waits for the end, the last report is tried again until it is accepted', async () => {
    const { sync, meters, journal } = await makeSync()
    sync.start()
    await requests(1)
    meters.of(tunnel, account).refused('tunnel.rate')
    control.isDown = true
    const finished = sync.finish({ isPatient: true })
    await clock.advanceAsync(10_000, 100)
    control.isDown = false
    await clock.advanceAsync(35_000, 100)
    await finished
    expect(control.requests.at(-1)).toMatchObject({ last: true, usage: [{ tunnel, refused: 1 }] })
    expect(await journal.report(clock.now(), { all: true })).toEqual([])
  })
})

describe('bad weather', () => {
  beforeEach(() => {
    control.nowMs = () => clock.now()
  })

  test('usage that the control plane will never accept is counted and not sent again, and the rest is', async () => {
    const { sync, meters, journal } = await makeSync()
    const other = tunnel.replace('0', '1')
    meters.of(tunnel, account).refused('tunnel.rate')
    meters.of(other, account).refused('tunnel.rate')
    control.refusing = (row) => row?.tunnel === tunnel
    sync.start()
    await requests(1)
    for (const id of [tunnel, other]) meters.of(id, account).refused('tunnel.rate')
    clock.advance(limits.syncMs)
    await requests(2)
    expect(control.requests.map(({ usage }) => usage.map((row) => row?.tunnel))).toEqual([
      [tunnel, other],
      [other],
    ])
    expect(journal.refused).toBe(1)
  })

  test('a key that leaked stays refused, also while the control plane still lists it', async () => {
    const { sync, state } = await makeSync()
    sync.start()
    await requests(1)
    const [key] = state.keys.jwks.keys
    expect(state.refuseKey(`${key?.kid}`)).toBe(true)
    expect(state.refuseKey(`${key?.kid}`)).toBe(false)
    sync.askNow()
    await requests(2)
    expect(state.keys.jwks.keys).toEqual([])
  })

  test('commands of a later release are ignored, and the others are carried out', async () => {
    const { sync, commands } = await makeSync()
    control.commands.push(commandOf({ id: 'new', kind: 'dance', at: 1 }), {
      id: 'old',
      kind: 'keys',
      at: 1,
      version: 1,
    })
    sync.start()
    await requests(1)
    expect(commands).toEqual(['old'])
  })

  test('a full disk is reported and stops nothing; when there is room again, all of it is saved', async () => {
    const { sync, meters, keeper, events } = await makeSync()
    // A folder in the place of the draft, which makes writing fail for root too.
    await mkdir(join(dataDir, 'usage.json.new'))
    control.isAcknowledging = false
    meters.of(tunnel, account).refused('tunnel.rate')
    sync.start()
    await requests(1)
    expect(keeper).toMatchObject({ isFailing: true })
    expect(control.requests[0]).toMatchObject({ usage: [{ refused: 1 }] })
    expect(events.report().map(({ kind }) => kind)).toEqual(['relay.disk'])
    await rm(join(dataDir, 'usage.json.new'), { recursive: true })
    clock.advance(limits.syncMs)
    await requests(2)
    expect(keeper.isFailing).toBe(false)
    const next = await UsageJournal.load(dataDir, { boot: '1'.repeat(26), nowMs: clock.now(), everyMs: 1 })
    expect(await next.report(clock.now())).toMatchObject([{ tunnel, refused: 1 }])
  })

  test('events survive a kill and come again under the same id until they are acknowledged', async () => {
    const first = await makeSync()
    first.events.add('ticket.invalid', { from: '192.0.2.1' })
    control.isAcknowledging = false
    first.sync.start()
    await requests(1)
    await first.sync.stop()
    control.isAcknowledging = true
    const second = await makeSync()
    second.sync.start()
    await until(() => control.requests.length >= 2 && second.events.report().length === 0)
    const ids = control.requests.map(({ events }) => events.map((event) => event?.id))
    expect(ids[0]).toHaveLength(1)
    expect(ids[1]).toEqual(ids[0])
  })

  test('a control plane in trouble is not asked more often because agents come and go', async () => {
    const { sync } = await makeSync()
    control.isDown = true
    sync.start()
    await until(() => sync.failures === 1 && clock.pending > 0)
    for (let times = 0; times < 50; times++) sync.askNow()
    await new Promise((resolve) => setImmediate(resolve))
    expect(sync.failures).toBe(1)
    clock.advance(500)
    await until(() => sync.failures === 2 && clock.pending > 0)
  })

  test('a clock wrong by five minutes is corrected by the first answer, and at the next start before it', async () => {
    const trueMs = Date.UTC(2026, 0, 1, 10, 58)
    clock = new FakeClock(trueMs + 300_000)
    control.nowMs = () => trueMs + clock.monotonic()
    const first = await makeSync()
    first.sync.start()
    await requests(1)
    first.meters.of(tunnel, account).refused('tunnel.rate')
    await first.sync.stop()
    control.isDown = true
    const second = await makeSync()
    expect(second.time.now()).toBe(trueMs)
    second.meters.of(tunnel, account).refused('tunnel.rate')
    second.journal.account(second.meters.all(), second.time.now())
    clock.advance(180_000)
    second.journal.account(second.meters.all(), second.time.now())
    expect(await second.journal.report(second.time.now())).toMatchObject([{ hour: Date.UTC(2026, 0, 1, 10) }])
  })

  test.each([1, -1])(
    'a machine’s clock that is set by %i year changes neither the rhythm nor the hours',
    async (years) => {
      const trueMs = Date.UTC(2026, 0, 1, 10, 20)
      clock = new FakeClock(trueMs)
      control.nowMs = () => trueMs + clock.monotonic()
      const { sync, time, meters } = await makeSync()
      sync.start()
      await requests(1)
      for (let turn = 2; turn <= 4; turn++) {
        clock.jump((turn % 2 === 0 ? years : -years) * 365 * 86_400_000)
        meters.of(tunnel, account).refused('tunnel.rate')
        clock.advance(limits.syncMs)
        await requests(turn)
        expect(time.now()).toBe(trueMs + (turn - 1) * limits.syncMs)
      }
      const usage = control.requests.flatMap((request) => request.usage)
      expect(usage).toMatchObject(usage.map(() => ({ boot, hour: Date.UTC(2026, 0, 1, 10) })))
      expect(usage.length).toBeGreaterThan(0)
    },
  )

  test('when a control plane’s clock a year ahead is set back, no figures are lost here', async () => {
    const trueMs = Date.UTC(2026, 0, 1, 10, 20)
    clock = new FakeClock(trueMs)
    let aheadMs = 365 * 86_400_000
    control.nowMs = () => trueMs + aheadMs + clock.monotonic()
    const { sync, time, meters } = await makeSync()
    sync.start()
    await requests(1)
    const refused = () => meters.of(tunnel, account).refused('tunnel.rate')
    refused()
    clock.advance(limits.syncMs)
    await requests(2)
    aheadMs = 0
    for (let turn = 3; turn <= 4; turn++) {
      refused()
      clock.advance(limits.syncMs)
      await requests(turn)
    }
    expect(time.now()).toBe(trueMs + clock.monotonic())
    await sync.stop()
    await sync.finish()
    const last = new Map(
      control.requests.flatMap(({ usage }) =>
        usage.map((row) => [`${row?.boot} ${row?.hour}`, row?.refused ?? 0] as const),
      ),
    )
    expect([...last.values()].reduce((sum, count) => sum + count, 0)).toBe(3)
  })

  test('time put back over an hour begins new figures, which no maximum can hide', async () => {
    const { meters, journal } = await makeSync()
    const eleven = Date.UTC(2026, 0, 1, 11)
    const count = (nowMs: number) => {
      meters.of(tunnel, account).refused('tunnel.rate')
      journal.account(meters.all(), nowMs)
    }
    journal.account([], eleven - 1)
    count(eleven)
    await journal.acknowledge(await journal.report(eleven), eleven)
    expect(journal.size, 'acknowledged and gone').toBe(0)
    journal.account([], eleven - 1)
    count(eleven)
    expect(await journal.report(eleven)).toMatchObject([{ hour: eleven - 3_600_000, refused: 1 }])
    expect((await journal.report(eleven))[0]?.boot).not.toBe(boot)
  })
})

/** A command as it comes over the wire from a newer control plane. */
function commandOf(body: object) {
  return syncAnswerSchema.shape.commands.parse([body])[0] ?? (null as never)
}
