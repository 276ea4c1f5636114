/** Second factors through the API: who is kept out until they show one, on one process and on two. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { makeTestApi } from '../../standalone/testing/api.ts'
import { members } from '../control/documents.ts'
import { siteOf } from '../control/factors/webauthn.ts'
import { createKey } from '../control/keys.ts'
import { addMember, createService } from '../control/members.ts'
import { signIns } from '../control/sign-ins/sign-in-documents.ts'
import { SoftwarePasskey } from '../testing/software-passkey.ts'

let t: Awaited<ReturnType<typeof makeTestApi>>
let passkey: SoftwarePasskey
beforeEach(async () => {
  t = await makeTestApi({ rates: { perCaller: 100_000, perAddress: 100_000 } }, { plan: 'unlimited' })
  passkey = new SoftwarePasskey(siteOf(t.control.settings))
})
afterEach(() => t.close())

/** Longer than a sign-in stays fresh. */
const staleMs = 16 * 60_000
const ada = { email: 'ada@example.com', password: 'correct horse battery' }
const optionsSchema = z.looseObject({ challenge: z.string(), user: z.looseObject({ id: z.string() }) })
const waysSchema = z.looseObject({ passkey: z.looseObject({ challenge: z.string() }) })
const codesSchema = z.object({ codes: z.array(z.string()) })
const tokensSchema = z.looseObject({ accessToken: z.string() })

async function asked(method: string, path: string, { token, json }: { token?: string; json?: unknown } = {}) {
  const answer = await t.call(method, path, { ...(token && { token }), ...(json !== undefined && { json }) })
  const text = await answer.text()
  return { status: answer.status, body: text === '' ? {} : JSON.parse(text) }
}

const codeOf = async (...given: Parameters<typeof asked>) => (await asked(...given)).body.code ?? 'fine'

async function add(token: string): Promise<readonly string[]> {
  const options = optionsSchema.parse((await asked('POST', '/v1/factors/passkeys/options', { token })).body)
  const json = { attestation: passkey.create(options), name: 'Laptop' }
  return codesSchema.parse((await asked('POST', '/v1/factors/passkeys', { token, json })).body).codes
}

async function show(token: string) {
  const { body } = await asked('POST', '/v1/factors/show/options', { token })
  const json = { assertion: passkey.sign(waysSchema.parse(body).passkey) }
  return asked('POST', '/v1/factors/show', { token, json })
}

async function signIn(): Promise<string> {
  const { body } = await asked('POST', '/v1/auth/login', { json: ada })
  return tokensSchema.parse(body).accessToken
}

describe('a person with a second factor', () => {
  test('is refused everywhere until a sign-in has shown it, but where it is shown', async () => {
    await add(t.ada)
    // The sign-in that added it has shown it; an earlier one has not.
    expect(await codeOf('GET', '/v1/me', { token: t.ada })).toBe('fine')
    const token = await signIn()
    for (const [method, path, json] of [
      ['GET', '/v1/me'],
      ['GET', '/v1/accounts'],
      ['GET', '/v1/factors'],
      ['POST', '/v1/factors/passkeys/options'],
      ['POST', '/v1/factors/app'],
      ['POST', '/v1/factors/codes'],
      ['DELETE', '/v1/factors/app'],
      ['DELETE', '/v1/sign-ins'],
      ['POST', '/v1/keys', { name: 'x', scopes: ['read'] }],
      ['POST', '/v1/auth/password', { current: ada.password, next: 'another long password' }],
      ['POST', '/v1/device/decision', { userCode: 'BCDF-GHJK', approve: true }],
    ] as const)
      expect([path, await codeOf(method, path, { token, json })]).toEqual([path, 'PT-1201'])
    expect(await codeOf('GET', '/v1/sign-ins', { token })).toBe('fine')
    expect((await show(token)).status).toBe(200)
    expect(await codeOf('GET', '/v1/me', { token })).toBe('fine')
    // A new password keeps what the sign-in has shown.
    const json = { current: ada.password, next: 'another long password' }
    const changed = await asked('POST', '/v1/auth/password', { token, json })
    expect(await codeOf('GET', '/v1/me', { token: changed.body.accessToken })).toBe('fine')
  })

  test('a new password by a mailed link opens nothing: the second step is asked for as before', async () => {
    await add(t.ada)
    expect((await asked('POST', '/v1/auth/password/reset', { json: { email: ada.email } })).status).toBe(202)
    for (let round = 0; round < 3; round++) await t.runJobs()
    const token = t.mails.map(({ text }) => /#(\S+)/.exec(text)?.[1]).findLast(Boolean)
    const password = 'another long password'
    const json = { token, password }
    expect((await asked('POST', '/v1/auth/password/reset/confirm', { json })).status).toBe(200)
    const { body } = await asked('POST', '/v1/auth/login', { json: { ...ada, password } })
    const { accessToken } = tokensSchema.parse(body)
    expect(await codeOf('GET', '/v1/me', { token: accessToken })).toBe('PT-1201')
    expect((await show(accessToken)).status).toBe(200)
    expect(await codeOf('GET', '/v1/me', { token: accessToken })).toBe('fine')
  })

  test('who shows it in one process is known in another at once, and who adds one within 30 s', async () => {
    const other = t.elsewhere()
    const there = t.over(other.control, other.principals)
    const at = async (token: string) => (await there.call('GET', '/v1/me', { token })).status
    const early = await signIn()
    expect(await at(early)).toBe(200)
    await add(t.ada)
    t.clock.advance(31_000)
    expect(await at(early)).toBe(403)
    await show(early)
    expect(await at(early)).toBe(200)
  })

  test('signs in with the passkey alone, which counts as both', async () => {
    await add(t.ada)
    const { body } = await asked('POST', '/v1/auth/passkey/options')
    const json = { assertion: passkey.sign(body) }
    const signedIn = await asked('POST', '/v1/auth/passkey', { json })
    const { accessToken: token } = tokensSchema.parse(signedIn.body)
    expect(await codeOf('GET', '/v1/me', { token })).toBe('fine')
    const { body: list } = await asked('GET', '/v1/sign-ins', { token })
    expect(list.items.map(({ method }: { method: string }) => method)).toContain('passkey')
    expect(await codeOf('POST', '/v1/auth/passkey', { json })).toBe('PT-1205')
  })

  test('changes of factors want a fresh sign-in, which a shown factor makes', async () => {
    await add(t.ada)
    const { signIn: current } = (await t.principals.signIn(t.ada, { from: '' })).person
    await t.control.store.update(signIns.ref(current?.id ?? ''), { freshAt: t.clock.now() - staleMs })
    t.clock.advance(31_000)
    for (const [method, path, json] of [
      ['POST', '/v1/factors/passkeys/options'],
      ['POST', '/v1/factors/app'],
      ['POST', '/v1/factors/codes'],
      ['DELETE', '/v1/factors/app'],
      ['DELETE', `/v1/factors/passkeys/${'0'.repeat(64)}`],
      ['POST', '/v1/account/factor-policy', { required: true }],
    ] as const)
      expect([path, await codeOf(method, path, { token: t.ada, json })]).toEqual([path, 'PT-1016'])
    // A thief of the token may have the password as well.
    const { password } = ada
    expect(await codeOf('POST', '/v1/auth/confirm', { token: t.ada, json: { password } })).toBe('PT-1201')
    expect(await codeOf('POST', '/v1/factors/codes', { token: t.ada })).toBe('PT-1016')
    await show(t.ada)
    expect(await codeOf('POST', '/v1/factors/codes', { token: t.ada })).toBe('fine')
  })

  test('a recovery code finishes a sign-in once', async () => {
    const [code = ''] = await add(t.ada)
    const token = await signIn()
    expect((await asked('POST', '/v1/factors/show', { token, json: { code } })).status).toBe(200)
    const again = await signIn()
    expect(await codeOf('POST', '/v1/factors/show', { token: again, json: { code } })).toBe('PT-1203')
  })
})

describe('an account that asks for a second factor', () => {
  const policy = (token: string, required: boolean) =>
    codeOf('POST', '/v1/account/factor-policy', { token, json: { required } })

  test('is set by somebody who has one, keeps the others out, and lets them in when they add one', async () => {
    const eve = await t.principals.authenticate(t.eve, '')
    await t.control.store.delete(members.ref(`${eve.account}:${eve.member}`))
    await addMember(t.of(t.owner), { user: eve.member, role: 'developer', actor: 'test' })
    t.principals.forget(eve.member)
    expect(await policy(t.ada, true)).toBe('PT-1209')
    await add(t.ada)
    expect(await policy(t.ada, true)).toBe('fine')
    expect(await codeOf('GET', '/v1/me', { token: t.ada })).toBe('fine')
    expect(await codeOf('GET', '/v1/me', { token: t.eve })).toBe('PT-1202')
    // The way: their own factors.
    expect(await codeOf('GET', '/v1/factors', { token: t.eve })).toBe('fine')
    passkey = new SoftwarePasskey(siteOf(t.control.settings))
    await add(t.eve)
    expect(await codeOf('GET', '/v1/me', { token: t.eve })).toBe('fine')
    const { body } = await asked('GET', '/v1/factors', { token: t.eve })
    const last = `/v1/factors/passkeys/${body.passkeys[0].id}`
    expect(await codeOf('DELETE', last, { token: t.eve })).toBe('PT-1208')
    expect(await policy(t.ada, false)).toBe('fine')
    expect(await codeOf('DELETE', last, { token: t.eve })).toBe('fine')
  })

  test('keys of people who never had one stop after 14 days, those of services and of others go on', async () => {
    const own = t.of(t.owner)
    const eve = await t.principals.authenticate(t.eve, '')
    await addMember(own, { user: eve.member, role: 'developer', actor: 'test' })
    const asEve = { ...t.owner, actor: eve.member, member: eve.member, user: { ...eve.user, id: eve.member } }
    const made = { name: 'k', scopes: ['read' as const] }
    const ofEve = (await createKey(own, { ...asEve, role: 'developer' } as typeof t.owner, made)).secret
    const ci = await createService(own, t.owner, { name: 'ci', role: 'developer' })
    const ofService = (await createKey(own, t.owner, { ...made, member: ci.id })).secret
    await add(t.ada)
    expect(await policy(t.ada, true)).toBe('fine')
    t.clock.advance(13 * 24 * 3_600_000)
    expect(await codeOf('GET', '/v1/account', { token: ofEve })).toBe('fine')
    t.clock.advance(24 * 3_600_000)
    expect(await codeOf('GET', '/v1/account', { token: ofEve })).toBe('PT-1202')
    for (const token of [ofService, t.readKey])
      expect(await codeOf('GET', '/v1/account', { token })).toBe('fine')
  })
})

describe('a member who lost every factor', () => {
  test('gets in when somebody who may manage them ends the wait, and not before', async () => {
    const own = t.of(t.owner)
    const eve = await t.principals.authenticate(t.eve, '')
    await addMember(own, { user: eve.member, role: 'developer', actor: 'test' })
    t.principals.forget(eve.member)
    await add(t.eve)
    const login = async () => {
      const json = { ...ada, email: 'eve@example.com' }
      return tokensSchema.parse((await asked('POST', '/v1/auth/login', { json })).body).accessToken
    }
    const token = await login()
    const recovery = `/v1/members/${eve.member}/recovery`
    expect(await codeOf('POST', recovery, { token: t.ada })).toBe('PT-1213')
    await asked('POST', '/v1/factors/recovery', { token })
    for (let round = 0; round < 3; round++) await t.runJobs()
    const link = t.mails.map(({ text }) => /token=(ptm_[\w-]+)/.exec(text)?.[1]).findLast(Boolean)
    expect(await codeOf('POST', '/v1/factors/recovery/follow', { token, json: { token: link } })).toBe('fine')
    expect(await codeOf('POST', '/v1/factors/recovery/complete', { token })).toBe('PT-1214')
    expect(await codeOf('POST', recovery, { token: t.readKey })).toBe('PT-1101')
    const { body } = await asked('GET', '/v1/members', { token: t.ada })
    expect(body.items).toContainEqual(expect.objectContaining({ id: eve.member, recovering: true }))
    expect(await codeOf('POST', recovery, { token: t.ada })).toBe('fine')
    expect(await codeOf('POST', '/v1/factors/recovery/complete', { token })).toBe('fine')
    // Every sign-in has ended, and the next needs nothing but the password.
    expect(await codeOf('GET', '/v1/accounts', { token })).toBe('PT-1001')
    t.clock.advance(2_000)
    expect(await codeOf('GET', '/v1/accounts', { token: await login() })).toBe('fine')
  })
})
