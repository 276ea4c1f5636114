import { fail } from '@porttunneler/shared/base/errors'
import { expectFailure } from '@porttunneler/shared/testing/store.contract'
import { UnsecuredJWT } from 'jose'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { makeFirebaseIdentity, testProject } from '../testing/firebase-identity.ts'
import { newKeyPair } from '../testing/google-issuer.ts'
import { readEnvironment } from './environment.ts'
import { stateMs } from './firebase-account-states.ts'
import { firebaseIdentity } from './identity.firebase.ts'

const ada = 'ada@example.com'

describe('identity on Firebase', () => {
  let t: Awaited<ReturnType<typeof makeFirebaseIdentity>>
  beforeEach(async () => {
    t = await makeFirebaseIdentity()
  })
  afterEach(() => t.close())

  const unsigned = (claims = t.claimsOf(ada)) => new UnsecuredJWT(claims).encode()

  test('an unsigned token is refused, with the variable of the emulator and without', async () => {
    await t.tokenOf(ada)
    await expectFailure(t.identity.verify(unsigned()), 'auth.invalid')
    vi.stubEnv('FIREBASE_AUTH_EMULATOR_HOST', '127.0.0.1:9099')
    try {
      await expectFailure(t.identity.verify(unsigned()), 'auth.invalid')
      const fresh = await makeFirebaseIdentity()
      await fresh.tokenOf(ada)
      await expectFailure(fresh.identity.verify(unsigned()), 'auth.invalid')
      await fresh.close()
    } finally {
      vi.unstubAllEnvs()
    }
    const { accounts, store, clock } = t
    expect(() =>
      firebaseIdentity({ projectId: testProject, accounts, store, clock, isEmulated: true }),
    ).toThrow(expect.objectContaining({ key: 'cloud.emulator' }))
  })

  test('an unsigned token is accepted only from the emulator of a demo project', async () => {
    const env = { GOOGLE_CLOUD_PROJECT: 'demo-tunnels', FIREBASE_AUTH_EMULATOR_HOST: '127.0.0.1:9099' }
    const { projectId, emulators } = readEnvironment(env)
    const isEmulated = emulators.auth !== undefined
    const identity = firebaseIdentity({
      projectId,
      accounts: t.accounts,
      store: t.store,
      clock: t.clock,
      isEmulated,
    })
    await t.tokenOf(ada)
    const claims = { iss: `https://securetoken.google.com/${projectId}`, aud: projectId }
    await expect(identity.verify(unsigned(t.claimsOf(ada, claims)))).resolves.toMatchObject({ email: ada })
    await expectFailure(identity.verify(unsigned()), 'auth.invalid')
  })

  test('anything but a fresh sign-in of this project is refused', async () => {
    await t.tokenOf(ada)
    const now = Math.floor(t.clock.now() / 1_000)
    const { sub, ...nameless } = t.claimsOf(ada)
    for (const claims of [
      t.claimsOf(ada, { aud: 'others' }),
      t.claimsOf(ada, { iss: 'https://session.firebase.google.com/tunnels-prod' }),
      t.claimsOf(ada, { exp: now }),
      t.claimsOf(ada, { auth_time: now + 3_600 }),
      t.claimsOf(ada, { sub: '../users' }),
      nameless,
    ])
      await expectFailure(t.identity.verify(await t.issuer.sign(claims)), 'auth.invalid')
    expect(sub).toBeDefined()
  })

  test('a token signed by another key, or naming none of Google’s keys, is refused', async () => {
    await t.tokenOf(ada)
    const { privateKey } = await newKeyPair()
    await expectFailure(
      t.identity.verify(await t.issuer.sign(t.claimsOf(ada), { key: privateKey })),
      'auth.invalid',
    )
    await expectFailure(
      t.identity.verify(await t.issuer.sign(t.claimsOf(ada), { kid: 'other' })),
      'auth.invalid',
    )
  })

  test('keys are fetched once for many tokens, and a flood of unknown key ids fetches no more', async () => {
    for (let count = 0; count < 5; count++) await t.identity.verify(await t.tokenOf(ada))
    for (let count = 0; count < 5; count++) {
      const token = await t.issuer.sign(t.claimsOf(ada), { kid: `x${count}` })
      await expectFailure(t.identity.verify(token), 'auth.invalid')
    }
    expect(t.issuer.fetches()).toBe(1)
  })

  test('while the keys cannot be fetched every token is refused, and the caller is told to come again', async () => {
    t.issuer.become('failing')
    await expectFailure(t.identity.verify(await t.tokenOf(ada)), 'cloud.unavailable')
    t.issuer.become('well')
    await expect(t.identity.verify(await t.tokenOf(ada))).resolves.toMatchObject({ email: ada })
  })

  test('keys that do not arrive in time count as not fetched', async () => {
    const { accounts, store, clock, issuer } = t
    const options = { projectId: testProject, accounts, store, clock, jwksUrl: issuer.jwksUrl }
    issuer.become('silent')
    const identity = firebaseIdentity({ ...options, keysDeadlineMs: 50 })
    await expectFailure(identity.verify(await t.tokenOf(ada)), 'cloud.unavailable')
  })

  test('a person who signs in without an address is told so', async () => {
    const { email, ...claims } = t.claimsOf(ada)
    await t.tokenOf(ada)
    await expectFailure(t.identity.verify(await t.issuer.sign(claims)), 'auth.no_address')
    expect(email).toBe(ada)
  })

  describe('accounts', () => {
    test('a disabled, a revoked and a deleted account are noticed within five minutes', async () => {
      const token = await t.tokenOf(ada)
      await t.identity.verify(token)
      t.setState(ada, { isDisabled: true, validSinceMs: 0 })
      await t.identity.verify(token)
      t.clock.advance(stateMs)
      await expectFailure(t.identity.verify(token), 'auth.disabled')
      t.setState(ada, { isDisabled: false, validSinceMs: t.clock.now() })
      t.clock.advance(stateMs)
      await expectFailure(t.identity.verify(token), 'auth.invalid')
      t.setState(ada, undefined)
      t.clock.advance(stateMs)
      await expectFailure(t.identity.verify(token), 'auth.invalid')
    })

    test('many requests of one person, at once or in turn, ask once', async () => {
      const token = await t.tokenOf(ada)
      await Promise.all(Array.from({ length: 5 }, () => t.identity.verify(token)))
      for (let count = 0; count < 5; count++) await t.identity.verify(token)
      expect(t.asked()).toBe(1)
    })

    test('while Firebase is away known people go on for an hour, strangers wait', async () => {
      const token = await t.tokenOf(ada)
      await t.identity.verify(token)
      t.failWith(fail('cloud.unavailable'))
      await expectFailure(t.identity.verify(await t.tokenOf('bob@example.com')), 'cloud.unavailable')
      t.clock.advance(stateMs)
      await expect(t.identity.verify(token)).resolves.toMatchObject({ email: ada })
      t.clock.advance(3_600_000)
      await expectFailure(t.identity.verify(await t.tokenOf(ada)), 'cloud.unavailable')
    })
  })
})
