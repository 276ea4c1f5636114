import { newId } from '@porttunneler/shared/base/ids'
import { silentLog } from '@porttunneler/shared/base/log'
import { claimLeases } from '@porttunneler/shared/control/claims'
import { jobs } from '@porttunneler/shared/control/documents'
import type { Store } from '@porttunneler/shared/control/platform'
import { queries } from '@porttunneler/shared/control/query-table'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../standalone/testing/control.ts'
import { scheduleFunction } from './on-schedule.ts'

let t: TestControl
beforeEach(async () => {
  t = makeTestControl()
  await t.openCell()
})
afterEach(() => t.close())

const call = () => new Request('https://onschedule.example.com/', { method: 'POST' })

test('schedule: two rounds at once end a lapsed lease once and change the keys once', async () => {
  const caller = await t.caller()
  await claimLeases(t.control, caller, {
    agent: newId('agt', 1),
    tunnels: [{ name: 'web', kind: 'http' }],
    takeover: false,
  })
  // Long enough for the lease to lapse and for the next key to be due.
  t.clock.advance(30 * 24 * 3_600_000)
  const run = scheduleFunction(t.control)
  const answers = await Promise.all([run(call()), run(call()), run(call())])
  expect(answers.map(({ status }) => status)).toEqual([204, 204, 204])
  const { store } = t.control
  const keysIn = async (state: string) =>
    (await store.query(queries.signingKeysByState, { where: { state }, limit: 10 })).items.length
  expect([await keysIn('active'), await keysIn('next'), await keysIn('old')]).toEqual([1, 1, 1])
  const commandsTo = async (cell: string) =>
    (await store.query(queries.commandsOfCell, { where: { cell }, limit: 100 })).items
  expect((await commandsTo('home')).map(({ data }) => data.body.kind)).toEqual(['revoke'])
  expect((await commandsTo('*')).map(({ data }) => data.body.kind)).toEqual(['keys'])
})

test('schedule: a failing job is logged and tried again, and the others run', async () => {
  const lines: object[] = []
  const { store } = t.control
  const query: Store['query'] = (asked, options) =>
    asked.name === queries.expiredLeases.name
      ? Promise.reject(new Error('no index'))
      : store.query(asked, options)
  const broken = new Proxy(store, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name)
      if (name === 'query') return query
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const log = { ...silentLog, warn: (line: object) => void lines.push(line) }
  const { status } = await scheduleFunction({ ...t.control, store: broken, log })(call())
  expect(status).toBe(204)
  const ofJobs = lines.filter((line) => 'job' in line)
  expect(ofJobs).toMatchObject([{ job: 'endpoints.sweep:all', code: 'PT-0007' }])
  const job = async (id: string) => (await store.get(jobs.ref(id)))?.data
  expect(await job('endpoints.sweep:all')).toMatchObject({ state: 'live', error: 'PT-0007', claim: '' })
  expect((await job('keys.rotate:all'))?.dueAt).toBe(t.clock.now() + 15 * 60_000)
})
