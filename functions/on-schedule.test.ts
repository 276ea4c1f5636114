import { fail } from '@porttunneler/shared/base/errors'
import { newId } from '@porttunneler/shared/base/ids'
import { silentLog } from '@porttunneler/shared/base/log'
import { claimLeases } from '@porttunneler/shared/control/claims'
import { jobs } from '@porttunneler/shared/control/documents'
import type { BackupStatus } from '@porttunneler/shared/control/operator/act'
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

const backups = async () => undefined
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
  const run = scheduleFunction({ control: t.control, backups })
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
  const { status } = await scheduleFunction({
    control: { ...t.control, store: broken, log },
    backups,
  })(call())
  expect(status).toBe(204)
  const ofJobs = lines.filter((line) => 'job' in line)
  expect(ofJobs).toMatchObject([{ job: 'endpoints.sweep:all', code: 'PT-0007' }])
  const job = async (id: string) => (await store.get(jobs.ref(id)))?.data
  expect(await job('endpoints.sweep:all')).toMatchObject({ state: 'live', error: 'PT-0007', claim: '' })
  expect((await job('keys.rotate:all'))?.dueAt).toBe(t.clock.now() + 15 * 60_000)
})

test('schedule: an hour’s look at the backups leaves the line that an alert waits for', async () => {
  const lines: object[] = []
  const note = (line: object, text: string) => void lines.push({ ...line, text })
  const log = { ...silentLog, error: note }
  let answer: () => Promise<BackupStatus> = async () => ({
    ...{ folder: 'there', kept: 3, everyMs: 86_400_000, newestAt: 1, dueAt: 2 },
    isOverdue: true,
  })
  const run = scheduleFunction({ control: { ...t.control, log }, backups: () => answer() })
  await run(call())
  await run(call())
  expect(lines, 'once an hour').toMatchObject([{ code: 'PT-5407', newestAt: 1 }])
  answer = async () => {
    throw fail('cloud.refused')
  }
  t.clock.advance(3_600_000)
  await run(call())
  expect(lines.at(-1)).toMatchObject({ code: 'PT-5407', text: 'The age of the backups cannot be seen' })
  answer = async () => ({ folder: 'there', kept: 3, everyMs: 1, newestAt: 1, dueAt: 2, isOverdue: false })
  t.clock.advance(3_600_000)
  await run(call())
  expect(lines).toHaveLength(2)
})
