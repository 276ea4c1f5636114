/** What a stolen session is not enough for, and how its owner goes on. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { makeTestApi } from '../../../standalone/testing/api.ts'
import { freshMs } from './fresh.ts'
import { signIns } from './sign-in-documents.ts'

const password = 'correct horse battery'

describe('fresh sign-in', () => {
  let t: Awaited<ReturnType<typeof makeTestApi>>
  /** Its session is no longer fresh, as after a refresh. */
  let token: string
  beforeEach(async () => {
    t = await makeTestApi()
    token = t.ada
    const { signIn: id = '' } = await t.identity.verify(token)
    await t.control.store.update(signIns.ref(id), { freshAt: t.clock.now() - freshMs })
    t.clock.advance(31_000)
  })
  afterEach(() => t.close())

  const codeOf = async (answer: Response) =>
    answer.ok ? '' : z.object({ code: z.string() }).parse(await answer.json()).code
  const adminKey = { name: 'all', scopes: ['admin'] }
  const makeKey = async (json: object = adminKey, at = t) =>
    codeOf(await at.call('POST', '/v1/keys', { token, json }))
  const confirm = (given: string, by = token) =>
    t.call('POST', '/v1/auth/confirm', { token: by, json: { password: given } })

  test('without it a dangerous act is refused, and the usual ones go on', async () => {
    expect(await makeKey()).toBe('PT-1016')
    expect(await makeKey({ name: 'few', scopes: ['read'] })).toBe('')
    expect(await codeOf(await t.call('DELETE', '/v1/account', { token }))).toBe('PT-1016')
    expect(await codeOf(await t.call('DELETE', '/v1/sign-ins', { token }))).toBe('PT-1016')
    // A key is no person, and does what its scopes say.
    expect((await t.call('PATCH', '/v1/account', { token: t.adminKey, json: { name: 'x' } })).status).toBe(
      200,
    )
  })

  test('the password confirms it for a quarter of an hour, here and in other processes at once', async () => {
    const { control, principals } = t.elsewhere()
    const other = { ...t, ...t.over(control, principals) }
    expect(await makeKey(adminKey, other)).toBe('PT-1016')
    expect((await confirm(password)).status).toBe(204)
    expect(await makeKey()).toBe('')
    expect(await makeKey(adminKey, other)).toBe('')
    t.clock.advance(freshMs - 60_000)
    const { tokens } = await t.identity.login({ email: 'ada@example.com', password }, { from: '' })
    expect(await codeOf(await t.call('DELETE', '/v1/sign-ins', { token: tokens.accessToken }))).toBe('')
  })

  test('it ends after that time, whatever a clock that was ahead has written', async () => {
    const { signIn: id = '' } = await t.identity.verify(token)
    await t.control.store.update(signIns.ref(id), { freshAt: t.clock.now() + 86_400_000 })
    expect(await makeKey()).toBe('PT-1016')
  })

  test.each([
    ['a wrong password', () => confirm('a guess'), 'PT-1002'],
    ['no password', () => t.call('POST', '/v1/auth/confirm', { token, json: {} }), 'PT-0001'],
    ['no bearer', () => t.call('POST', '/v1/auth/confirm', { json: { password } }), 'PT-1001'],
    ['an API key', () => confirm(password, t.adminKey), 'PT-1001'],
    ['the password of somebody else’s session', () => confirm(password, t.eve), ''],
  ])('%s confirms nothing for this session', async (_, attempt, code) => {
    expect(await codeOf(await attempt())).toBe(code)
    expect(await makeKey()).toBe('PT-1016')
  })

  test('guesses are counted as at sign-in', async () => {
    for (let n = 0; n < 5; n++) expect(await codeOf(await confirm(`guess ${n}`))).toBe('PT-1002')
    expect(await codeOf(await confirm(password))).toBe('PT-1003')
  })

  test('a session that has ended cannot confirm', async () => {
    const { signIn: id = '' } = await t.identity.verify(token)
    await t.identity.endSignIns([id])
    expect(await codeOf(await confirm(password))).toBe('PT-1001')
  })
})
