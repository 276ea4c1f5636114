/** What sign-in writes to the audit log, and that a flood of failures does not flood it. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestApi, type TestApi } from '../../../standalone/testing/api.ts'
import { queries } from '../query-table.ts'
import { sourcesMax } from './tallies.ts'

let t: TestApi
beforeEach(async () => {
  t = await makeTestApi()
})
afterEach(() => t.close())

const password = 'correct horse battery'
const email = 'ada@example.com'

async function logOf(account = t.owner.account, action = '') {
  const { items } = await t.control.store.query(queries.auditOfAccount, { where: { account }, limit: 200 })
  return items.map(({ data }) => data).filter((entry) => action === '' || entry.action === action)
}
const post = (path: string, json: object, from = '192.0.2.7') =>
  t.call('POST', `/v1/auth/${path}`, { json, headers: { 'x-test-from': from, 'user-agent': 'Firefox' } })

test('a sign-in is written with address and program, in the person’s account', async () => {
  await post('login', { email, password })
  const [entry] = await logOf(t.owner.account, 'auth.signed_in')
  const user = t.owner.user?.id ?? ''
  expect(entry).toMatchObject({ actor: user, target: user, from: '192.0.2.7' })
  expect(entry?.body).toContain('Firefox')
})

test('changed and reset passwords, sign-outs everywhere and reused tokens are written', async () => {
  const login = async (secret: string) =>
    (await (await post('login', { email, password: secret })).json()) as {
      accessToken: string
      refreshToken: string
    }
  const { refreshToken } = await login(password)
  const refreshed = await post('refresh', { refreshToken })
  expect(refreshed.status).toBe(200)
  const successor = ((await refreshed.json()) as { refreshToken: string }).refreshToken
  expect((await post('refresh', { refreshToken: successor })).status).toBe(200)
  expect((await post('refresh', { refreshToken })).status).toBe(401)
  expect((await post('refresh', { refreshToken })).status).toBe(401)
  const next = 'another long password'
  const { accessToken: token } = await login(password)
  await t.call('POST', '/v1/auth/password', { token, json: { current: password, next } })
  const { accessToken } = await login(next)
  await t.call('POST', '/v1/auth/logout', { token: accessToken, json: { everywhere: true } })
  await post('password/reset', { email })
  t.clock.advance(1_000)
  await t.runJobs()
  await t.runJobs()
  // Another mail says that the password was changed, and either may go first.
  const link = t.mails.map(({ text }) => /#(\S+)/.exec(text)?.[1]).find((found) => found !== undefined)
  expect((await post('password/reset/confirm', { token: link, password })).status).toBe(200)
  const told = (await logOf()).map(({ action }) => action).filter((action) => action.startsWith('auth.'))
  expect(told.toSorted()).toEqual([
    'auth.password_changed',
    'auth.password_reset',
    'auth.reset_requested',
    'auth.signed_in',
    'auth.signed_in',
    'auth.signed_in',
    'auth.signed_in',
    'auth.signed_out_everywhere',
    'auth.token_reused',
  ])
})

test('a source’s first failure is written at once, further ones as a number each hour; lock-outs too', async () => {
  for (let n = 0; n < 8; n++) await post('login', { email, password: `guess ${n}` })
  const before = await logOf()
  expect(before.filter(({ action }) => action === 'auth.failed')).toMatchObject([
    { actor: 'anonymous', target: t.owner.user?.id, from: '192.0.2.7' },
  ])
  expect(before.filter(({ action }) => action === 'auth.locked')).toHaveLength(1)
  t.clock.advance(3_600_000)
  await t.runJobs()
  const [counted] = await logOf(t.owner.account, 'auth.failed')
  expect(JSON.parse(counted?.body ?? '')).toMatchObject({ details: { count: 5 } })
})

test('guesses from a thousand places make a few entries, and all are counted', async () => {
  // Fewer than what slows down guesses at one address.
  const places = 28
  for (let n = 0; n < places; n++)
    await post('login', { email, password: 'a guess' }, `198.51.${n % 200}.${n >> 8}`)
  t.clock.advance(3_600_000)
  await t.runJobs()
  const failed = await logOf(t.owner.account, 'auth.failed')
  expect(failed.length).toBe(sourcesMax + 1)
  const others = failed.find(({ target }) => target === 'others')
  expect(JSON.parse(others?.body ?? '')).toMatchObject({ details: { count: places - sourcesMax } })
})

test('unknown addresses go to the service’s own log, and are not written down', async () => {
  await post('login', { email: 'nobody@example.com', password: 'a guess' })
  const entries = await logOf('', 'auth.failed')
  expect(entries).toMatchObject([{ target: 'unknown', from: '192.0.2.7' }])
  expect(JSON.stringify(entries)).not.toContain('nobody@')
})

test('tickets that relays refused are counted by source', async () => {
  const event = (id: string) => ({
    id,
    at: t.clock.now(),
    kind: 'ticket.invalid',
    fields: { from: '203.0.113.5' },
  })
  await t.sync({ events: [event('a'), event('b'), event('c')] })
  expect(await logOf('', 'ticket.refused')).toMatchObject([{ from: '203.0.113.5' }])
  t.clock.advance(3_600_000)
  await t.runJobs()
  const [counted] = await logOf('', 'ticket.refused')
  expect(JSON.parse(counted?.body ?? '')).toMatchObject({ details: { count: 3 } })
})
