import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { liveConnectionsSchema } from '@porttunneler/shared/api/schemas/connections'
import { liveHistorySchema, liveSampleSchema } from '@porttunneler/shared/api/schemas/tunnels'
import { newId } from '@porttunneler/shared/base/ids'
import { silentLog } from '@porttunneler/shared/base/log'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LiveFigures } from './live.ts'
import { Meters } from './meters/meters.ts'
import { Routes } from './routes.ts'
import { ServerTime } from './server-time.ts'
import { RelayState } from './state.ts'
import { account, makeTestControl, type TestControl } from './testing/test-control.ts'

let control: TestControl
let clock: FakeClock
let live: LiveFigures
let meters: Meters
let server: Server
let dataDir: string

beforeEach(async () => {
  control = await makeTestControl()
  clock = new FakeClock()
  control.nowMs = () => clock.now()
  dataDir = await mkdtemp(join(tmpdir(), 'ptun-live-'))
  const state = await RelayState.load(dataDir)
  const answer = await control.sync(
    {} as Parameters<TestControl['sync']>[0],
    { reveal: () => 'ptc_test' } as Parameters<TestControl['sync']>[1],
    AbortSignal.timeout(1_000),
  )
  state.take(answer, 0)
  meters = new Meters()
  const routes = new Routes({ clock, meters, decrees: state.decrees, onGone() {}, onPresence() {} })
  const time = new ServerTime(clock)
  live = new LiveFigures({
    clock,
    log: silentLog,
    state,
    time,
    meters,
    routes,
    watchersMax: 3,
    watchersPerAccount: 2,
    docsUrl: 'http://d',
  })
  server = createServer((request, response) => void live.serve(request, response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterEach(async () => {
  live.close()
  server.close()
  await rm(dataDir, { recursive: true })
})

async function watch(ticket?: string, path = '/v1/live'): Promise<Response> {
  const authorization = `Bearer ${ticket ?? (await control.watchTicket())}`
  return await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, {
    headers: { authorization },
    signal: AbortSignal.timeout(5_000),
  })
}

/** Reads events one by one. */
async function* samplesOf(response: Response) {
  for await (const chunk of response.body ?? [])
    for (const event of Buffer.from(chunk).toString().split('\n\n').filter(Boolean))
      yield liveSampleSchema.parse(JSON.parse(event.replace(/^data: /, '')))
}

describe('live figures', () => {
  test('come at once and then once a second, cumulative', async () => {
    const tunnel = newId('tun', 1)
    const meter = meters.of(tunnel, account)
    const samples = samplesOf(await watch())
    expect((await samples.next()).value?.tunnels[tunnel]).toMatchObject({ refused: 0, attached: false })
    meter.refused('tunnel.rate')
    clock.advance(1_000)
    expect((await samples.next()).value?.tunnels[tunnel]).toMatchObject({ refused: 1 })
    await samples.return()
  })

  test('for a watcher that comes again and again the streams are counted once a second', async () => {
    let reads = 0
    const stream = {
      get bytesIn() {
        reads += 1
        return 0
      },
      bytesOut: 0,
    }
    meters.of(newId('tun', 1), account).opened(stream)
    const others = await watch(await control.watchTicket(newId('acc', 2)))
    for (let n = 0; n < 20; n++) await (await watch()).body?.cancel()
    expect(reads).toBe(1)
    clock.advance(1_000)
    await (await watch()).body?.cancel()
    expect(reads).toBe(2)
    await others.body?.cancel()
  })

  test('a watcher gets the last six hours of the tunnels of its ticket, and of no other', async () => {
    const [tunnel, foreign] = [newId('tun', 1), newId('tun', 2)]
    const all = [meters.of(tunnel, account), meters.of(foreign, newId('acc', 2))]
    live.start()
    clock.advance(1_000)
    for (const meter of all) meter.opened({ bytesIn: 7, bytesOut: 5 })
    clock.advance(1_000)
    const historyOf = async (id: string, ticket?: string) => {
      const answer = await watch(ticket, `/v1/live/history?tunnel=${id}`)
      return liveHistorySchema.parse(await answer.json())
    }
    expect((await historyOf(tunnel)).seconds).toEqual([[expect.any(Number), 5, 7, 1, 1, 1]])
    expect((await historyOf(tunnel)).tens).toHaveLength(1)
    expect(await historyOf(foreign)).toMatchObject({ seconds: [], tens: [] })
    expect((await watch('abc.def.ghi', '/v1/live/history')).status).toBe(401)
  })

  test('the connections of the tunnels of its ticket, and of no other', async () => {
    const [tunnel, foreign] = [newId('tun', 1), newId('tun', 2)]
    const info = { visitorAddress: '192.0.2.1', visitorPort: 7, atMs: clock.now() }
    for (const meter of [meters.of(tunnel, account), meters.of(foreign, newId('acc', 2))])
      meter.opened({ bytesIn: 7, bytesOut: 5, info })
    const openOf = async (id: string) => {
      const answer = await watch(undefined, `/v1/live/connections?tunnel=${id}`)
      return liveConnectionsSchema.parse(await answer.json())
    }
    expect(await openOf(tunnel)).toMatchObject({ total: 1, open: [{ from: '192.0.2.1', in: 5, out: 7 }] })
    expect(await openOf(foreign)).toMatchObject({ total: 0, open: [] })
  })

  test('end with their ticket and a little grace, and leave no timer', async () => {
    const samples = samplesOf(await watch())
    await samples.next()
    expect(clock.pending).toBe(1)
    clock.advance(3_600_000 + 5_000)
    let last = await samples.next()
    while (!last.done) last = await samples.next()
    expect(live.watchers).toBe(0)
    expect(clock.pending).toBe(0)
  })

  test('a watcher that leaves is forgotten', async () => {
    const response = await watch()
    const samples = samplesOf(response)
    await samples.next()
    await samples.return()
    while (live.watchers > 0) await new Promise((resolve) => setImmediate(resolve))
    expect(clock.pending).toBe(0)
  })

  test('watchers beyond the limit of one account or of all are refused with a code, and the others go on', async () => {
    const other = await control.watchTicket(newId('acc', 2))
    const watching = [await watch(), await watch()]
    const third = await watch()
    expect(third.status).toBe(503)
    expect(await third.json()).toMatchObject({ code: 'PT-4121', type: 'http://d/errors/PT-4121' })
    watching.push(await watch(other))
    expect(watching.map(({ status }) => status)).toEqual([200, 200, 200])
    expect((await watch(other)).status).toBe(503)
    for (const response of watching) await response.body?.cancel()
  })

  test.each([
    ['no ticket', ''],
    ['what is no JWT', 'abc.def.ghi'],
  ])('%s is refused', async (_title, ticket) => {
    const response = await watch(ticket)
    expect(response.status).toBe(401)
    expect(await response.json()).toMatchObject({ code: 'PT-4120' })
  })

  test('an expired ticket is refused', async () => {
    const ticket = await control.watchTicket()
    clock.advance(3_600_000 + 300_001)
    expect((await watch(ticket)).status).toBe(401)
  })
})
