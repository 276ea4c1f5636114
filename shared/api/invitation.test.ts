/** A beta by invitation, as a stranger meets it at the API of a server that keeps the accounts itself. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { makeTestApi, type TestApi } from '../../standalone/testing/api.ts'
import { runAct } from '../control/operator/acts.ts'
import { Principals } from '../control/principals.ts'

let t: TestApi
let beta: TestApi
beforeEach(async () => {
  t = await makeTestApi()
  const control = { ...t.control, settings: { ...t.control.settings, registration: 'beta' as const } }
  beta = { ...t, control, ...t.over(control, new Principals(control)) }
})
afterEach(() => t.close())

const password = 'correct horse battery'

async function act(name: string, input: object): Promise<Record<string, unknown>> {
  const office = { control: beta.control, enrolment: t.relayIdentity }
  const done = await runAct(office, { act: name, input, operator: 'grace' })
  return z.record(z.string(), z.unknown()).parse(done)
}

async function ask(method: string, path: string, asked: Parameters<TestApi['call']>[2] = {}) {
  const answer = await beta.call(method, path, asked)
  const body = z.looseObject({ code: z.string().optional() }).parse(await answer.json().catch(() => ({})))
  return { status: answer.status, ...body }
}

test('a stranger needs a code, and gets its plan; people who have an account notice nothing', async () => {
  const { code, id } = await act('invites.create', { plan: 'team', note: 'a talk' })
  expect(await ask('GET', '/v1/config')).toMatchObject({ registration: true, beta: true })
  const bob = (await t.identity.register({ email: 'bob@example.com', password }, { from: '' })).tokens
    .accessToken
  // They can see that they have none, and delete or export their sign-in.
  expect(await ask('GET', '/v1/accounts', { token: bob })).toMatchObject({ status: 200, items: [] })
  for (const path of ['/v1/me', '/v1/tunnels'])
    expect(await ask('GET', path, { token: bob })).toMatchObject({ status: 403, code: 'PT-1015' })
  expect(await ask('GET', '/v1/me', { token: t.ada })).toMatchObject({ status: 200, plan: 'pro' })
  const join = (json: object, token?: string) =>
    ask('POST', '/v1/accounts', { json, ...(token && { token }) })
  expect(await join({ code })).toMatchObject({ status: 401, code: 'PT-1001' })
  expect(await join({ code }, t.readKey)).toMatchObject({ status: 401, code: 'PT-1001' })
  expect(await join({ code: 'pti_guess' }, bob)).toMatchObject({ status: 400, code: 'PT-1113' })
  const made = await join({ code: ` ${code} ` }, bob)
  expect(made).toMatchObject({ status: 201, items: [{ plan: 'team', role: 'owner' }] })
  expect(await join({ code }, bob)).toEqual(made)
  expect(await ask('GET', '/v1/me', { token: bob })).toMatchObject({ status: 200, plan: 'team' })
  expect(await act('invites.show', { id })).toMatchObject({ taken: '1 of 1', accounts: [{ plan: 'team' }] })
  expect(JSON.stringify(await act('invites.show', { id }))).not.toContain(code)
})

test('the waiting list answers the same whether or not an address is known, and tells nobody who is on it', async () => {
  const join = (email: string, from: string) =>
    beta.call('POST', '/v1/wait-list', { json: { email }, headers: { 'x-test-from': from } })
  const answers = ['new@example.com', 'new@example.com', 'ada@example.com'].map(async (email, n) => {
    const answer = await join(email, `198.51.100.${n}`)
    return [answer.status, await answer.text()]
  })
  expect(await Promise.all(answers)).toEqual([202, 202, 202].map((status) => [status, '']))
  for (let n = 0; n < 10; n++) await join(`p${n}@example.com`, '192.0.2.7')
  expect((await join('p@example.com', '192.0.2.7')).status).toBe(429)
  expect(await ask('POST', '/v1/wait-list/confirm', { json: { token: 'none' } })).toMatchObject({
    status: 400,
    code: 'PT-1114',
  })
  const open = await t.call('POST', '/v1/wait-list', { json: { email: 'new@example.com' } })
  expect(open.status).toBe(404)
})

test('nobody gets a mail without a code that has a place; asking takes none', async () => {
  const { code, id } = await act('invites.create', {})
  const email = 'carl@example.com'
  const register = (json: object) => ask('POST', '/v1/auth/register', { json })
  expect(await register({ email })).toMatchObject({ status: 403, code: 'PT-1015' })
  expect(await register({ email, code: 'pti_guess' })).toMatchObject({ status: 400, code: 'PT-1113' })
  expect(await register({ email, code })).toMatchObject({ status: 202 })
  expect(await act('invites.show', { id })).toMatchObject({ taken: '0 of 1', state: 'open' })
  expect(await act('invites.revoke', { id })).toMatchObject({ state: 'revoked' })
  expect(await register({ email, code })).toMatchObject({ status: 400, code: 'PT-1113' })
})
