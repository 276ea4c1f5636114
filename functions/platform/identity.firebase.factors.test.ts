/** Second factors of people from Firebase, whose tokens name no sign-in but the second in which it began. */

import { siteOf } from '@porttunneler/shared/control/factors/webauthn'
import { SoftwarePasskey } from '@porttunneler/shared/testing/software-passkey'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { makeFirebaseSignIn } from '../testing/firebase-sign-in.ts'

let t: Awaited<ReturnType<typeof makeFirebaseSignIn>>
let passkey: SoftwarePasskey
beforeEach(async () => {
  t = await makeFirebaseSignIn()
  passkey = new SoftwarePasskey(siteOf(t.control.settings))
})
afterEach(() => t.close())

const ada = 'ada@example.com'
const proven = { email_verified: true }
const custom = { sign_in_provider: 'custom' }
const madeSchema = z.object({ claims: z.object({ ptun_sign_in: z.string(), ptun_shown_at: z.int() }) })

async function ask(method: string, path: string, token?: string, json?: unknown) {
  const answer = await t.app.request(`https://tunnel.example.com${path}`, {
    method,
    headers: {
      ...(token && { authorization: `Bearer ${token}` }),
      ...(json !== undefined && { 'content-type': 'application/json' }),
    },
    ...(json !== undefined && { body: JSON.stringify(json) }),
  })
  const text = await answer.text()
  return text === '' ? {} : JSON.parse(text)
}
const codeFor = async (token: string) => (await ask('GET', '/v1/me', token)).code ?? 'fine'

/** @returns the claims that Firebase puts into the tokens of the sign-in with the custom token */
async function addPasskey(token: string) {
  const options = await ask('POST', '/v1/factors/passkeys/options', token)
  const added = { attestation: passkey.create(options), name: 'Laptop' }
  const { customToken } = await ask('POST', '/v1/factors/passkeys', token, added)
  return madeSchema.parse(JSON.parse(customToken)).claims
}

test('a shown factor begins another sign-in, and no sign-in of the same second shares it', async () => {
  const owners = await t.token(ada, proven)
  // The same person's password in the same second, by somebody else: Firebase's tokens do not differ.
  const thiefs = await t.token(ada, { ...proven, iat: Math.floor(t.clock.now() / 1_000) + 1 })
  const claims = await addPasskey(owners)
  expect([await codeFor(owners), await codeFor(thiefs)]).toEqual(['PT-1201', 'PT-1201'])
  const whole = await t.token(ada, { ...proven, ...claims, firebase: custom })
  expect(await codeFor(whole)).toBe('fine')
  expect([await codeFor(owners), await codeFor(thiefs)]).toEqual(['PT-1201', 'PT-1201'])
  // Showing it once more makes this very sign-in fresh.
  const { passkey: options } = await ask('POST', '/v1/factors/show/options', whole)
  expect(await ask('POST', '/v1/factors/show', whole, { assertion: passkey.sign(options) })).toEqual({})
})

test('our word counts for two minutes, from Firebase as a custom token alone, and for one name', async () => {
  const claims = await addPasskey(await t.token(ada, proven))
  const later = { auth_time: Math.floor(t.clock.now() / 1_000) + 60 }
  t.clock.advance(60_000)
  expect(await codeFor(await t.token(ada, { ...proven, ...later, ...claims, firebase: custom }))).toBe('fine')
  const byPassword = { sign_in_provider: 'password' }
  const now = () => ({ auth_time: Math.floor(t.clock.now() / 1_000) })
  t.clock.advance(1_000)
  const claimed = await t.token(ada, { ...proven, ...now(), ...claims, firebase: byPassword })
  expect(await codeFor(claimed)).toBe('PT-1201')
  t.clock.advance(120_000)
  const late = await t.token(ada, { ...proven, ...now(), ...claims, firebase: custom })
  expect(await codeFor(late)).toBe('PT-1201')
})

test('a passkey alone gets a custom token, and a logout ends its sign-in', async () => {
  await addPasskey(await t.token(ada, proven))
  const options = await ask('POST', '/v1/auth/passkey/options')
  const json = { assertion: passkey.sign(options) }
  const { customToken } = await ask('POST', '/v1/auth/passkey', undefined, json)
  const { claims } = madeSchema.parse(JSON.parse(customToken))
  const token = await t.token(ada, { ...proven, ...claims, firebase: custom })
  expect(await codeFor(token)).toBe('fine')
  await t.logout(token, {})
  expect(await codeFor(token)).toBe('PT-1001')
})
