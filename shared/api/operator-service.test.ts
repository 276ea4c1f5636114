/** What operators see and do about the service: cells and relays, jobs, feature flags, codes of a beta. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { z } from 'zod'
import { makeTestApi, signInOperator, type TestApi } from '../../standalone/testing/api.ts'
import { quietSync } from '../../standalone/testing/control.ts'
import { newId } from '../base/ids.ts'
import { commands, jobs } from '../control/documents.ts'
import { freshJob, jobRef } from '../control/jobs/jobs.ts'
import { runAct } from '../control/operator/acts.ts'
import { syncRelay } from '../control/relays.ts'
import { pageSchema } from './schemas/common.ts'
import { operatorAccountSchema } from './schemas/operator.ts'
import * as schemas from './schemas/operator-service.ts'

const relay = newId('rel', 1)
let t: TestApi
let token: string
beforeEach(async () => {
  t = await makeTestApi()
  token = (await signInOperator(t)).token
})
afterEach(() => t.close())

async function read<T extends z.ZodType>(path: string, schema: T): Promise<z.infer<T>> {
  const answer = await t.call('GET', `/v1/operator/${path}`, { token })
  expect([path, answer.status]).toEqual([path, 200])
  return schema.parse(await answer.json())
}
const act = async (method: string, path: string, json?: object) =>
  (await t.call(method, `/v1/operator/${path}`, { token, ...(json && { json }) })).status
const actions = async () => {
  const office = { control: t.control, enrolment: t.relayIdentity }
  const found = await runAct(office, { act: 'audit.list', input: {}, operator: 'test' })
  return (found as { action: string; target: string }[]).map(({ action, target }) => `${action} ${target}`)
}
const cellsOf = (query = '') => read(`cells${query}`, pageSchema(schemas.operatorCellSchema))

test('relays are shown by cell with what they last reported, and say when they are silent or have left', async () => {
  const load = { sessions: 3, streams: 5, cpu: 0.4, rssBytes: 9e7, memoryBytes: 1e9, loopMs: 1.5 }
  const report = {
    ...quietSync,
    load: { ...load, descriptors: 90, descriptorsMax: 1_024, bytesPerSecond: 7e5 },
  }
  await syncRelay(t.control, { relay, cell: 'home' }, report)
  const older = {
    ...quietSync,
    boot: { ...quietSync.boot, instance: 'old', boot: '01k0000000000000000000000b' },
  }
  await syncRelay(t.control, { relay, cell: 'home' }, older)
  const [home] = (await cellsOf()).items
  expect(home).toMatchObject({ id: 'home', state: 'open' })
  expect(home?.relays.find(({ instance }) => instance !== 'old')).toMatchObject({
    load: report.load,
    state: 'ready',
  })
  // An older relay reports less, and what it does not say is not shown as nothing.
  expect(home?.relays.find(({ instance }) => instance === 'old')?.load).toEqual(quietSync.load)
  await syncRelay(t.control, { relay, cell: 'home' }, { ...older, last: true })
  t.clock.advance(121_000)
  const relays = (await cellsOf()).items[0]?.relays.filter((one) => one.relay === relay)
  expect(relays).toMatchObject([
    { state: 'silent', seenAt: expect.any(Number) },
    { instance: 'old', state: 'left' },
  ])
  expect(relays?.[1]).not.toHaveProperty('seenAt')
})

test('a relay is ordered to drain, once for all its processes; an unknown one is not', async () => {
  await syncRelay(t.control, { relay, cell: 'home' }, quietSync)
  expect(await act('POST', `relays/${newId('rel', 2)}/drain`)).toBe(404)
  expect(await act('POST', `relays/${relay}/drain`)).toBe(200)
  const { commands: orders } = await syncRelay(
    t.control,
    { relay, cell: 'home' },
    { ...quietSync, cursor: '0' },
  )
  expect(orders).toMatchObject([{ kind: 'drain', relay }])
  expect(await t.control.store.get(commands.ref(orders[0]?.id ?? ''))).toBeDefined()
  expect(await actions()).toContain(`relay.drained ${relay}`)
})

test('a cell is closed, listed as closed, and opened again', async () => {
  expect(await act('POST', 'cells/home/close')).toBe(204)
  expect([(await cellsOf()).items, (await cellsOf('?state=closed')).items]).toMatchObject([
    [],
    [{ id: 'home' }],
  ])
  expect(await act('POST', 'cells/home/open')).toBe(204)
  expect((await cellsOf()).items).toMatchObject([{ id: 'home' }])
  expect(await act('POST', 'cells/none/close')).toBe(404)
  expect(await actions()).toEqual(expect.arrayContaining(['cell.closed home', 'cell.opened home']))
})

test('dead jobs are listed page by page with their code, run again, and dropped', async () => {
  const { account } = t.owner
  const names = ['a', 'b', 'c'].map((subject) => jobRef('mails.send', subject))
  for (const [at, ref] of names.entries()) {
    const fresh = freshJob({ kind: 'mails.send', subject: ref.id, account }, t.clock.now() + at)
    await t.control.store.set(jobs.ref(ref.id), {
      ...fresh,
      state: 'dead',
      attempts: 9,
      error: 'PT-1501 away',
    })
  }
  const page = pageSchema(schemas.jobSchema)
  const first = await read('jobs?limit=2', page)
  const rest = await read(`jobs?limit=2&cursor=${first.next}`, page)
  expect([...first.items, ...rest.items].map(({ id }) => id)).toEqual(names.map(({ id }) => id))
  expect(first.items[0]).toMatchObject({ account, attempts: 9, error: 'PT-1501 away' })
  const other = await t.call('GET', `/v1/operator/jobs?state=live&cursor=${first.next}`, { token })
  expect(other.status, 'a cursor of another list').toBe(400)
  const [again, gone] = names.map(({ id }) => encodeURIComponent(id))
  expect([await act('POST', `jobs/${again}/retry`), await act('DELETE', `jobs/${gone}`)]).toEqual([204, 204])
  expect([await act('POST', `jobs/${again}/retry`), await act('DELETE', `jobs/${gone}`)]).toEqual([404, 404])
  expect((await read('jobs', page)).items).toHaveLength(1)
  const { items } = await read('jobs?state=live&limit=100', page)
  expect(items.find(({ id }) => id === names[0]?.id)).toMatchObject({ attempts: 0 })
})

test('a flag goes to a share, to one account, to nobody, and back', async () => {
  const { account } = t.owner
  const path = 'flags/visitor-http2'
  const flag = async () => (await read('flags', schemas.flagsSchema)).items[0]
  expect(await flag()).toMatchObject({ flag: 'visitor-http2', percent: 100, in: [], killed: false })
  expect(await act('POST', `${path}/share`, { percent: 0 })).toBe(204)
  expect(await act('POST', `${path}/account`, { account, value: 'on' })).toBe(204)
  expect(await act('POST', `${path}/share`, { percent: 101 })).toBe(400)
  expect(await act('POST', `${path}/account`, { account }), 'no value').toBe(400)
  expect(await act('POST', `${path}/account`, { account: newId('acc', 1), value: 'on' }), 'nobody').toBe(404)
  expect(await act('POST', 'flags/none/share', { percent: 5 })).toBe(404)
  expect(await flag()).toMatchObject({ percent: 0, in: [account] })
  expect(await t.control.flags.of(account)).toEqual(['visitor-http2'])
  const ofAccount = async () => (await read(`accounts/${account}`, operatorAccountSchema)).flags
  expect(await ofAccount()).toMatchObject([{ flag: 'visitor-http2', on: true, set: 'on', percent: 0 }])
  expect(await act('POST', `${path}/kill`, { reason: 'it breaks gRPC' })).toBe(204)
  expect(await t.control.flags.of(account)).toEqual([])
  expect(await ofAccount()).toMatchObject([{ on: false, set: 'on', killed: true }])
  expect(await act('POST', `${path}/revive`)).toBe(204)
  expect(await act('POST', `${path}/account`, { account, value: 'share' })).toBe(204)
  expect(await flag()).toMatchObject({ percent: 0, in: [], killed: false })
  const kinds = (await actions()).filter((each) => each.startsWith('flag.'))
  expect(kinds.toSorted()).toEqual(
    ['flag.changed', 'flag.changed', 'flag.changed', 'flag.killed', 'flag.revived'].map(
      (a) => `${a} visitor-http2`,
    ),
  )
})

test('codes of a beta are made, listed without the code, and revoked; those who wait are invited', async () => {
  const made = await t.call('POST', '/v1/operator/invites', { token, json: { places: 2, note: 'friends' } })
  const { id, code } = schemas.inviteCreatedSchema.parse(await made.json())
  const page = pageSchema(schemas.inviteSchema)
  const listed = await t.call('GET', '/v1/operator/invites', { token })
  expect(await listed.clone().text()).not.toContain(code)
  expect(page.parse(await listed.json()).items).toMatchObject([{ id, taken: 0, places: 2, state: 'open' }])
  expect(await act('DELETE', `invites/${id}`)).toBe(204)
  expect((await read('invites', page)).items).toMatchObject([{ id, state: 'revoked' }])
  expect(await act('POST', 'invites', { plan: 'none' })).toBe(404)
  expect((await read('wait-list', pageSchema(schemas.waitingSchema))).items).toEqual([])
  const invited = await t.call('POST', '/v1/operator/wait-list/invite', { token, json: { count: 5 } })
  expect(schemas.invitedSchema.parse(await invited.json())).toEqual({ items: [] })
})

test('whatever changes something wants a fresh sign-in', async () => {
  await syncRelay(t.control, { relay, cell: 'home' }, quietSync)
  t.clock.advance(3_600_000)
  const renewed = await t.call('POST', `/v1/operator/relays/${relay}/drain`, { token })
  expect(renewed.status).toBeGreaterThanOrEqual(401)
  expect(await actions()).not.toContain(`relay.drained ${relay}`)
})
