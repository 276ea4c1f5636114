import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestApi, type TestApi } from '../../standalone/testing/api.ts'
import { codes } from '../base/errors.ts'
import { setAccountStatus } from '../control/accounts.ts'
import { runAct } from '../control/operator/acts.ts'

let t: TestApi
beforeEach(async () => {
  t = await makeTestApi()
})
afterEach(() => t.close())

const day = 24 * 3_600_000
const said = { text: 'More of it.', attached: { ptun: '1.0.0', system: 'linux x64' } }
const send = (json: object, token = t.readKey) => t.call('POST', '/v1/feedback', { token, json })
const list = () =>
  runAct(
    { control: t.control, enrolment: t.relayIdentity },
    { act: 'feedback.list', input: {}, operator: 'grace' },
  )

test('a text comes to the operator with its account and what was attached, newest first', async () => {
  expect((await send(said)).status).toBe(204)
  t.clock.advance(1_000)
  expect((await send({ text: 'Less of it.' }, t.ada)).status).toBe(204)
  const { account, actor } = t.owner
  expect(await list()).toMatchObject([
    { account, actor, text: 'Less of it.', attached: [] },
    { account, text: 'More of it.', attached: ['ptun 1.0.0', 'system linux x64'] },
  ])
})

test('it is bounded in length and number, and goes with its account', async () => {
  for (const json of [
    { text: '' },
    { text: 'x'.repeat(4_001) },
    { text: 'x', attached: { password: 'x' } },
    { text: 'x', attached: { ptun: 'x'.repeat(301) } },
  ])
    expect((await send(json)).status, JSON.stringify(json).slice(0, 60)).toBe(400)
  for (let n = 0; n < 20; n++) expect((await send({ text: 'x' })).status).toBe(204)
  const late = await send({ text: 'x' })
  expect(late.status).toBe(429)
  expect(await late.json()).toMatchObject({ code: codes['api.rate'].code })
  expect((await send({ text: 'x' }, t.eve)).status).toBe(204)
  await setAccountStatus(t.control, t.owner.account, 'closed')
  for (let n = 0; n < 6; n++) {
    t.clock.advance(6 * day)
    for (let round = 0; round < 3; round++) await t.runJobs()
  }
  expect(await list()).toHaveLength(1)
})
