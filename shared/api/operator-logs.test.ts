/** Operators search the log: who may, what is noted, pages, and that lines of one request are found by its id. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LogIndex } from '../../standalone/platform/logs.sqlite.ts'
import { makeTestApi, signInOperator, type TestApi } from '../../standalone/testing/api.ts'
import { newId } from '../base/ids.ts'
import type { Log } from '../base/log.ts'
import { requestFields } from '../base/request-scope.ts'
import { runAct } from '../control/operator/acts.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { pageSchema, problemSchema } from './schemas/common.ts'
import { logLineSchema } from './schemas/operator-logs.ts'
import { claimResultSchema } from './schemas/tunnels.ts'

const password = 'correct horse battery'
let folder: string
let index: LogIndex
let t: TestApi
let token: string
let who: string
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pt-api-logs-'))
  const limits = { bytesMax: 64 * 1024 * 1024, ageMaxMs: 86_400_000 }
  index = new LogIndex({ folder, clock: new FakeClock(Date.now()), ...limits, onTrouble: () => {} })
  t = await makeTestApi({}, { log: logInto(index), watching: { logs: index } })
  const grace = await signInOperator(t)
  who = grace.member
  token = grace.token
})
afterEach(async () => {
  await t.close()
  index.close()
  rmSync(folder, { recursive: true, force: true })
})

const byText = (a: unknown, b: unknown) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)

/** As pino writes lines. */
function logInto(target: LogIndex): Log {
  const write = (level: number) => (fields: object, msg: string) =>
    target.take(
      { source: 'control' },
      JSON.stringify({ level, time: Date.now(), ...requestFields(), ...fields, msg }),
    )
  const log: Log = { debug: write(20), info: write(30), warn: write(40), error: write(50), child: () => log }
  return log
}

const act = (name: string, input: object) =>
  runAct({ control: t.control, enrolment: t.relayIdentity }, { act: name, input, operator: 'test' })
const ask = (query: object, bearer = token) =>
  t.call('GET', `/v1/operator/logs?${new URLSearchParams({ ...query })}`, { token: bearer })
const read = async (query: object) => {
  const answer = await ask(query)
  expect(answer.status).toBe(200)
  return pageSchema(logLineSchema).parse(await answer.json())
}
const refusal = async (answer: Response) => {
  const { status, code } = problemSchema.parse(await answer.json())
  return [status, code]
}
const noted = async () =>
  ((await act('audit.list', { action: 'logs.searched' })) as { actor: string; details: object }[]).map(
    ({ actor, details }) => [actor, details],
  )

test('the id of an answer finds what was logged for its request, however deep in the rules', async () => {
  const { store } = t.control
  // A database that breaks is nothing that a rule expects.
  const query = store.query
  store.query = async () => {
    t.control.log.warn({}, 'deep in the rules')
    throw new Error('it broke')
  }
  const answer = await t.call('GET', '/v1/keys', { token: t.ada })
  store.query = query
  expect(answer.status).toBe(500)
  const { instance } = problemSchema.parse(await answer.json())
  expect(answer.headers.get('x-request-id')).toBe(instance)
  const { items } = await read({ query: `request:${instance}` })
  expect(items.map(({ message, code }) => [message, code])).toEqual([
    ['a request failed', 'PT-0007'],
    ['deep in the rules', undefined],
  ])
  expect((await read({ query: 'request:another' })).items).toEqual([])
})

test('the id goes on with a ticket to the relay, with a refusal to the agent, and with a command', async () => {
  const tunnels = [
    { name: 'web', kind: 'http' },
    { name: 'db', kind: 'tcp', port: 1 },
  ]
  const json = { agent: newId('agt', 1), tunnels }
  const answer = await t.call('POST', '/v1/leases', { token: t.tunnelsKey, json })
  const id = answer.headers.get('x-request-id')
  const { results } = claimResultSchema.parse(await answer.json())
  const [web, db] = results
  if (!web || !('lease' in web) || !db || !('problem' in db)) throw new Error('One lease and one refusal')
  expect([web.lease.request, decodeJwt(web.lease.ticket).request, db.problem.instance]).toEqual([id, id, id])
  const deleted = await t.call('DELETE', `/v1/tunnels/${web.lease.tunnel}`, { token: t.ada })
  const request = deleted.headers.get('x-request-id')
  const { commands } = await t.sync()
  expect(commands.at(-1)).toMatchObject({ kind: 'revoke', request })
  expect((await read({ query: `request:${request}` })).items).toMatchObject([
    { message: 'commands were sent to relays', fields: { sent: [{ kind: 'revoke' }] } },
  ])
})

test('an id that a caller sends is not taken', async () => {
  const given = 'given-by-caller'
  const answer = await t.call('GET', '/v1/nothing', { headers: { 'x-request-id': given } })
  expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
})

test('a search is noted once in ten minutes, without the secrets in it', async () => {
  const secret = `pts_${'s'.repeat(43)}`
  for (const query of ['level>=warn', secret, 'level>=warn']) await read({ query })
  const actor = `operator:${who}`
  const [one, two] = [
    [actor, { query: 'pts_[secret]' }],
    [actor, { query: 'level>=warn' }],
  ]
  // The order of two within one millisecond is that of chance.
  expect((await noted()).toSorted(byText)).toEqual([one, two].toSorted(byText))
  t.clock.advance(600_000)
  token = (await t.identity.login({ email: 'grace@example.com', password }, { from: '' })).tokens.accessToken
  await read({ query: 'level>=warn' })
  expect((await noted()).toSorted(byText)).toEqual([two, one, two].toSorted(byText))
})

test('pages go on where the one before ended, with the same search alone', async () => {
  for (let n = 0; n < 5; n++) t.control.log.info({ n }, 'paged')
  const first = await read({ query: 'paged', limit: 3 })
  const second = await read({ query: 'paged', limit: 3, cursor: first.next })
  expect([...first.items, ...second.items].map(({ fields }) => fields.n)).toEqual([4, 3, 2, 1, 0])
  expect(second.next).toBeUndefined()
  expect(await refusal(await ask({ query: 'other', cursor: first.next }))).toEqual([400, 'PT-0030'])
})

test('who is no operator finds nothing, and a search that is wrong says what is wrong', async () => {
  expect(await refusal(await ask({}, t.ada))).toEqual([403, 'PT-1101'])
  expect(await refusal(await ask({ query: 'colour:red' }))).toEqual([400, 'PT-2830'])
  expect(await noted()).toEqual([])
})

test('a server without an index says so, and ptunctl finds the same lines', async () => {
  t.control.log.warn({ code: 'PT-5108' }, 'by ptunctl')
  expect(await act('logs.search', { query: 'code:5108' })).toMatchObject([{ message: 'by ptunctl' }])
  expect(await noted()).toEqual([['operator:test', { query: 'code:5108' }]])
  await act('logs.search', { query: 'code:5108', again: true })
  expect(await noted()).toHaveLength(1)
  const { logs: _, ...without } = t.control
  const answer = await t.over(without, t.principals).call('GET', '/v1/operator/logs', { token })
  expect(await refusal(answer)).toEqual([409, 'PT-2831'])
})
