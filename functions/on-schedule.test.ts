import { newId } from '@porttunneler/shared/base/ids'
import { claimLeases } from '@porttunneler/shared/control/claims'
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

test('schedule: a task that fails is named, and the others run', async () => {
  const { store } = t.control
  const broken: Store = Object.create(store, {
    query: {
      value: (query: Parameters<Store['query']>[0], options: Parameters<Store['query']>[1]) =>
        query.name === queries.expiredLeases.name
          ? Promise.reject(new Error('no index'))
          : store.query(query, options),
    },
  })
  const answer = await scheduleFunction({ ...t.control, store: broken })(call())
  expect(answer.status).toBe(500)
  expect(await answer.json()).toMatchObject({ code: 'PT-5231', detail: 'These tasks failed: sweep.' })
})
