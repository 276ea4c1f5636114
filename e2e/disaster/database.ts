/**
 * The database on Firestore's emulator is lost, and the control plane goes on with another one that has an earlier
 * state. A relay and an agent live through it. Reading the emulator once takes the place of a snapshot of Google's.
 */
import { rmSync } from 'node:fs'
import { makeApi } from '@porttunneler/shared/api/app'
import { systemClock } from '@porttunneler/shared/base/clock'
import { runAct } from '@porttunneler/shared/control/operator/acts'
import { queryTable } from '@porttunneler/shared/control/query-table'
import { makeTestApi } from '@porttunneler/standalone/testing/api'
import { makeTestControl } from '@porttunneler/standalone/testing/control'
import { listen } from '@porttunneler/standalone/web-server'
import { openFirestoreStore } from '../../functions/platform/store.firestore.ts'
import { readDatabase, writeDatabase } from '../../functions/testing/copy-database.ts'
import { startFirestore } from '../../functions/testing/emulators.ts'
import { agentHome, startAgent } from '../harness/agent.ts'
import { openCell } from '../harness/cells.ts'
import { visit } from '../harness/http.ts'
import type { Service } from '../harness/service.ts'
import { startHttp } from '../harness/upstreams.ts'
import { check, type DrillResult } from './drill.ts'
import { Visitors } from './visitors.ts'

const project = 'demo-disaster'
const host = '127.0.0.1'
const backMs = 60_000
/** The clocks of these control planes stand still; the second is later than the first. */
const laterMs = 60_000

export async function loseDatabase(): Promise<DrillResult> {
  process.env.METADATA_SERVER_DETECTION = 'none'
  await using parts = new AsyncDisposableStack()
  const emulator = await startFirestore(process.env)
  parts.defer(() => emulator.stop())
  const place = { project, emulatorHost: emulator.host }
  const open = (database: string) =>
    openFirestoreStore({
      ...{ projectId: project, database, emulatorHost: emulator.host, queries: queryTable },
      ...{ clock: systemClock, random: Math.random },
    })
  const first = await makeTestApi({}, { wrapStore: () => open('(default)') })
  parts.defer(() => first.close())
  let now: Pick<typeof first, 'app' | 'control'> = first
  const closers: (() => unknown)[] = []
  parts.defer(async () => {
    for (const close of closers.reverse()) await close()
  })
  const plane = {
    get control() {
      return now.control
    },
  }
  const httpPort = await openCell(plane, 'south', 2, closers)
  const { port, close } = await listen((request, env) => now.app.fetch(request, env), {
    host,
    port: 0,
    clock: systemClock,
  })
  closers.push(() => close(0))
  const upstream = await startHttp()
  parts.defer(() => upstream.close())
  const api = `http://${host}:${port}`
  const run = async (name: string) => {
    const home = agentHome()
    const tunnel = { kind: 'http', upstream: upstream.port } as const
    const agent = await startAgent({ api, key: first.tunnelsKey }, { [name]: tunnel }, { home })
    parts.defer(async () => {
      await agent.stop()
      rmSync(home, { recursive: true, force: true })
    })
    return agent
  }
  const url = await (await run('web')).online('web')
  const service = { addressOf: () => ({ host, port: httpPort }) } as unknown as Service
  const visitors = new Visitors(async () => (await visit(service, `${url}/hello`)).status === 200)
  parts.defer(() => visitors.close())
  await visitors.backSince(systemClock.monotonic(), backMs)
  const failedBefore = visitors.failed

  const snapshot = await readDatabase(place, '(default)')
  await (await run('forgotten')).online('forgotten')
  const lostMs = systemClock.monotonic()
  await writeDatabase(place, 'restored', snapshot)
  const second = makeTestControl({ wrapStore: () => open('restored') })
  parts.defer(() => second.close())
  second.clock.advance(laterMs)
  const { control, principals, relayIdentity: enrolment } = second
  const input = { at: first.clock.now() }
  await runAct({ control, enrolment }, { act: 'backup.settle', input, operator: 'drill' })
  now = {
    app: makeApi({ control, principals, enrolment, addressOf: () => '192.0.2.1', mounts: [] }),
    control,
  }
  await (await run('new')).online('new')
  const rtoMs = systemClock.monotonic() - lostMs
  await visitors.backSince(systemClock.monotonic(), backMs)
  check(visitors.failed === failedBefore, 'no visitor of a running tunnel notices')
  return {
    lost: 'the database, on the emulator',
    rpo: 'the minute that is chosen',
    rtoMs,
    seen: `visitors of running tunnels noticed nothing (${visitors.served} were served); the time is until a new tunnel could be made. ${snapshot.size} documents were copied`,
  }
}
