import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestApi, type TestApi } from '../../../standalone/testing/api.ts'
import { setAccountStatus } from '../accounts.ts'

let t: TestApi
beforeEach(async () => {
  t = await makeTestApi()
})
afterEach(() => t.close())

/** A job may leave mails, which are jobs too. */
async function sent(): Promise<readonly string[]> {
  for (let round = 0; round < 3; round++) {
    t.clock.advance(1_000)
    await t.runJobs()
  }
  return t.mails.splice(0).map(({ to, subject }) => `${to}: ${subject}`)
}

test('notices: a person hears of each key that is made in their name, and nobody else does', async () => {
  await sent()
  const made = { name: 'https://evil.example', scopes: ['read'] }
  expect((await t.call('POST', '/v1/keys', { token: t.ada, json: made })).status).toBe(201)
  expect(await sent()).toEqual(['ada@example.com: New API key: "https evil example"'])
})

test('notices: a person hears that their password was changed, from where and when', async () => {
  await sent()
  const json = { current: 'correct horse battery', next: 'another long password' }
  const headers = { 'x-test-from': '198.51.100.7' }
  const changed = await t.call('POST', '/v1/auth/password', { token: t.ada, json, headers })
  expect(changed.status).toBe(200)
  for (let round = 0; round < 2; round++) {
    t.clock.advance(1_000)
    await t.runJobs()
  }
  const [mail] = t.mails.splice(0)
  expect(mail?.to).toBe('ada@example.com')
  expect(mail?.text.replaceAll('\n', ' ')).toMatch(
    /changed at \d{4}-\d\d-\d\d \d\d:\d\d UTC.* 198\.51\.100\.7/,
  )
  expect(mail?.offUrl, 'their safety depends on it').toBeUndefined()
})

test('notices: the owners hear that the account is suspended', async () => {
  await sent()
  await setAccountStatus(t.control, t.owner.account, 'suspended')
  expect(await sent()).toEqual(['ada@example.com: "ada" is suspended'])
  await setAccountStatus(t.control, t.owner.account, 'active')
  expect(await sent()).toEqual([])
})
