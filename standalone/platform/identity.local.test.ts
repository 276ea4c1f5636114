import { isFailure } from '@porttunneler/shared/base/errors'
import { hashSecret } from '@porttunneler/shared/base/ids'
import { users } from '@porttunneler/shared/control/documents'
import { signInIdleMs, signInMsMax } from '@porttunneler/shared/control/sign-ins/beginning'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { expectFailure } from '@porttunneler/shared/testing/store.contract'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { describe, expect, test, vi } from 'vitest'
import { makeLocalIdentity } from '../testing/local-identity.ts'
import { passwords, refreshTokens } from './identity.local.documents.ts'
import { keyTimes } from './identity.local.keys.ts'
import { repeatMs } from './identity.local.sessions.ts'
import { accessTokenMs, localIdentity } from './identity.local.ts'

const ada = { email: 'ada@example.com', password: 'correct horse battery' }
const home = { from: '192.0.2.1' }

async function withAda() {
  const setUp = makeLocalIdentity()
  const { tokens, device } = await setUp.identity.register(ada, home)
  return { ...setUp, tokens, device }
}

describe('registering', () => {
  test('one of twenty people who register an address at once, in any spelling, gets it', async () => {
    const { identity } = makeLocalIdentity()
    const spell = (n: number) => (n % 2 ? 'Ada@Example.com' : ' ada@example.COM ')
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => identity.register({ ...ada, email: spell(n) }, home)),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(isFailure(outcome.reason, 'auth.taken')).toBe(true)
    await identity.login(ada, home)
  })

  test('neither password nor token can be found in the store', async () => {
    const { store, tokens } = await withAda()
    const user = JSON.parse(Buffer.from(tokens.accessToken.split('.')[1] ?? '', 'base64url').toString()).sub
    const { hash } = (await store.get(passwords.ref(user)))?.data ?? {}
    expect(hash).toMatch(/^scrypt\$/)
    expect(hash).not.toContain(ada.password)
    expect(JSON.stringify(await store.get(users.ref(user)))).not.toContain('scrypt')
  })
})

describe('signing in', () => {
  test('a wrong password and an unknown address get the same answer', async () => {
    const { identity } = await withAda()
    const wrong = [
      { ...ada, password: 'x' },
      { ...ada, email: 'eve@example.com' },
    ]
    const answers = await Promise.allSettled(wrong.map((given) => identity.login(given, home)))
    const [first, second] = answers.map((answer) => (answer.status === 'rejected' ? answer.reason : answer))
    expect(isFailure(first, 'auth.credentials')).toBe(true)
    expect({ ...second, stack: '' }).toEqual({ ...first, stack: '' })
  })

  test('a disabled user cannot sign in with the right password, and their sessions end', async () => {
    const { identity, store, tokens } = await withAda()
    const { subject } = await identity.verify(tokens.accessToken)
    await store.update(users.ref(subject.slice('local:'.length)), { status: 'disabled' })
    await expectFailure(identity.login(ada, home), 'auth.disabled')
    await expectFailure(identity.refresh(tokens.refreshToken), 'auth.disabled')
    await expectFailure(identity.login({ ...ada, password: 'x' }, home), 'auth.credentials')
  })

  test('a sign-in with the old password during the change ends with the other sessions', async () => {
    const { identity, store, tokens } = await withAda()
    const get = store.get.bind(store)
    const next = 'battery horse correct'
    let isChanged = false
    vi.spyOn(store, 'get').mockImplementation(async (ref) => {
      const found = await get(ref)
      if (ref.collection === 'passwords' && !isChanged) {
        isChanged = true
        await identity.changePassword(tokens.accessToken, { current: ada.password, next }, home)
      }
      return found
    })
    await expectFailure(
      identity.login(ada, home).then((late) => identity.refresh(late.tokens.refreshToken)),
      'auth.invalid',
    )
    expect(isChanged).toBe(true)
    await identity.login({ ...ada, password: next }, home)
  })

  test('a password hashed at an older cost is hashed anew at the next sign-in', async () => {
    const { identity, options, store } = await withAda()
    const costly = localIdentity({ ...options, passwordCost: { log2N: 5, r: 1, p: 1 } })
    const { tokens } = await costly.login(ada, home)
    const user = (await identity.verify(tokens.accessToken)).subject.slice('local:'.length)
    expect((await store.get(passwords.ref(user)))?.data.hash).toMatch(/^scrypt\$5\$/)
    await identity.login(ada, home)
  })
})

describe('refresh tokens', () => {
  test('each works once, then its successor takes over', async () => {
    const { identity, clock, tokens } = await withAda()
    let token = tokens.refreshToken
    for (let round = 0; round < 5; round++) {
      clock.advance(accessTokenMs)
      const next = await identity.refresh(token)
      await identity.verify(next.accessToken)
      expect(next.refreshToken).not.toBe(token)
      token = next.refreshToken
    }
  })

  test('a reused token ends the session, for thief and owner alike, however old it is', async () => {
    const { identity, tokens } = await withAda()
    let current = tokens.refreshToken
    for (let round = 0; round < 40; round++) current = (await identity.refresh(current)).refreshToken
    await expectFailure(identity.refresh(tokens.refreshToken), 'auth.reused')
    await expectFailure(identity.refresh(current), 'auth.invalid')
  })

  test('a token that comes again at once, as from a page loaded anew, gets the same successor', async () => {
    const { identity, clock, store, tokens } = await withAda()
    const [one, other] = await Promise.all([1, 2].map(() => identity.refresh(tokens.refreshToken)))
    clock.advance(repeatMs - 1)
    const writes = vi.spyOn(store, 'update')
    const later = await identity.refresh(tokens.refreshToken)
    expect(writes).not.toHaveBeenCalled()
    expect(new Set([one, other, later].map((each) => each?.refreshToken)).size).toBe(1)
    await identity.verify(later.accessToken)
    await identity.refresh(later.refreshToken)
  })

  test('a token that comes again later ends the session', async () => {
    const { identity, clock, tokens } = await withAda()
    const { refreshToken } = await identity.refresh(tokens.refreshToken)
    clock.advance(repeatMs)
    await expectFailure(identity.refresh(tokens.refreshToken), 'auth.reused')
    await expectFailure(identity.refresh(refreshToken), 'auth.invalid')
  })

  test('a token that comes again after its successor was used ends the session, at once', async () => {
    const { identity, tokens } = await withAda()
    const { refreshToken } = await identity.refresh(tokens.refreshToken)
    await identity.refresh(refreshToken)
    await expectFailure(identity.refresh(tokens.refreshToken), 'auth.reused')
  })

  test('a clock that was set back for long makes the time for repeating no longer', async () => {
    const { identity, options, clock, tokens } = await withAda()
    await identity.refresh(tokens.refreshToken)
    const setBack = localIdentity({ ...options, clock: new FakeClock(clock.now() - repeatMs) })
    await expectFailure(setBack.refresh(tokens.refreshToken), 'auth.reused')
  })

  test('what the store keeps of a session leads to no token', async () => {
    const { identity, store, tokens } = await withAda()
    const { refreshToken } = await identity.refresh(tokens.refreshToken)
    const kept = JSON.stringify(await store.get(refreshTokens.ref(hashSecret(refreshToken.slice(4, 47)))))
    expect(kept).toContain('successorKey')
    for (const token of [tokens.refreshToken, refreshToken]) expect(kept).not.toContain(token.slice(47))
  })

  test('a reused token ends its own session, not those of other devices', async () => {
    const { identity, clock, tokens } = await withAda()
    const other = await identity.login(ada, home)
    await identity.refresh(tokens.refreshToken)
    clock.advance(repeatMs)
    await expectFailure(identity.refresh(tokens.refreshToken), 'auth.reused')
    await identity.refresh(other.tokens.refreshToken)
  })

  test('an idle session ends after 30 days, a busy one after 180', async () => {
    const { identity, clock, tokens } = await withAda()
    const idle = await identity.login(ada, home)
    let { refreshToken } = tokens
    for (let passed = 0; passed + signInIdleMs - 1 < signInMsMax; passed += signInIdleMs - 1) {
      clock.advance(signInIdleMs - 1)
      refreshToken = (await identity.refresh(refreshToken)).refreshToken
    }
    await expectFailure(identity.refresh(idle.tokens.refreshToken), 'auth.invalid')
    clock.advance(signInIdleMs - 1)
    await expectFailure(identity.refresh(refreshToken), 'auth.invalid')
  })

  test.each(['', 'ptr_', `ptr_${'a'.repeat(86)}`, `ptr_${'a'.repeat(85)}é`, 'x'.repeat(200)])(
    'a made-up token is refused: %j',
    async (token) => {
      const { identity } = await withAda()
      await expectFailure(identity.refresh(token), 'auth.invalid')
    },
  )
})

describe('signing out', () => {
  test('of one session leaves the others', async () => {
    const { identity, tokens } = await withAda()
    const other = await identity.login(ada, home)
    await identity.logout({ refreshToken: tokens.refreshToken, everywhere: false })
    await expectFailure(identity.refresh(tokens.refreshToken), 'auth.invalid')
    await identity.refresh(other.tokens.refreshToken)
  })

  test('everywhere ends every session and every access token, but not the next sign-in', async () => {
    const { identity, store, tokens } = await withAda()
    const other = await identity.login(ada, home)
    const { subject, authTimeMs } = await identity.verify(other.tokens.accessToken)
    await identity.logout({ bearer: tokens.accessToken, everywhere: true })
    for (const { refreshToken } of [tokens, other.tokens])
      await expectFailure(identity.refresh(refreshToken), 'auth.invalid')
    await expectFailure(identity.verify(other.tokens.accessToken), 'auth.invalid')
    const { validSince } = (await store.get(users.ref(subject.slice('local:'.length))))?.data ?? {}
    expect(authTimeMs).toBeLessThan(validSince ?? 0)
    await expectFailure(identity.logout({ bearer: tokens.accessToken, everywhere: true }), 'auth.invalid')
    const again = await identity.login(ada, home)
    expect((await identity.verify(again.tokens.accessToken)).authTimeMs).toBeGreaterThanOrEqual(
      validSince ?? 0,
    )
    await identity.refresh(again.tokens.refreshToken)
  })

  test('works with an access token that has expired, as long as the refresh token is there', async () => {
    const { identity, clock, tokens } = await withAda()
    const other = await identity.login(ada, home)
    clock.advance(accessTokenMs)
    const { accessToken: bearer, refreshToken } = tokens
    await identity.logout({ bearer, refreshToken, everywhere: true })
    await expectFailure(identity.refresh(other.tokens.refreshToken), 'auth.invalid')
    await identity.logout({ bearer, refreshToken: other.tokens.refreshToken, everywhere: false })
  })

  test('everywhere needs to know the person', async () => {
    const { identity } = await withAda()
    await expectFailure(identity.logout({ everywhere: true }), 'auth.invalid')
  })
})

describe('a new password', () => {
  const next = 'another long password'

  test('needs the old one, ends every other session and keeps this one', async () => {
    const { identity, tokens } = await withAda()
    const wrong = identity.changePassword(tokens.accessToken, { current: 'x', next }, home)
    await expectFailure(wrong, 'auth.credentials')
    const changed = await identity.changePassword(tokens.accessToken, { current: ada.password, next }, home)
    await expectFailure(identity.refresh(tokens.refreshToken), 'auth.invalid')
    await identity.refresh(changed.tokens.refreshToken)
    await expectFailure(identity.login(ada, home), 'auth.credentials')
    await identity.login({ ...ada, password: next }, home)
  })

  test('of two concurrent changes that both knew the old one, one is made', async () => {
    const { identity, tokens } = await withAda()
    const change = (word: string) =>
      identity.changePassword(tokens.accessToken, { current: ada.password, next: `${next} ${word}` }, home)
    const outcomes = await Promise.allSettled(['one', 'two'].map(change))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })
})

describe('access tokens', () => {
  test('anybody can check them with the published keys alone', async () => {
    const { identity, clock, options, tokens } = await withAda()
    const { payload, protectedHeader } = await jwtVerify(
      tokens.accessToken,
      createLocalJWKSet(await identity.jwks()),
      {
        issuer: options.issuer,
        algorithms: ['ES256'],
        currentDate: new Date(clock.now()),
      },
    )
    expect(protectedHeader).toMatchObject({ alg: 'ES256', typ: 'at+jwt' })
    expect(payload).toMatchObject({ email: ada.email, email_verified: false })
    expect(JSON.stringify(await identity.jwks())).not.toContain('"d"')
  })

  test('a token of another issuer is refused, though the same key signed it', async () => {
    const { identity, options, tokens } = await withAda()
    const moved = localIdentity({ ...options, issuer: 'https://elsewhere.example.com' })
    await identity.verify(tokens.accessToken)
    await expectFailure(moved.verify(tokens.accessToken), 'auth.invalid')
  })

  test('keys rotate without a token failing, and are published two days before they sign', async () => {
    const { identity, options, clock } = await withAda()
    const elsewhere = localIdentity(options)
    const published = new Map<string, number>()
    const signedWith = new Set<string>()
    for (let day = 0; day < 100; day++) {
      clock.advance(86_400_000)
      for (const { kid } of (await identity.jwks()).keys)
        if (!published.has(kid)) published.set(kid, clock.now())
      const { tokens } = await identity.login(ada, home)
      await elsewhere.verify(tokens.accessToken)
      const { kid } = JSON.parse(Buffer.from(tokens.accessToken.split('.')[0] ?? '', 'base64url').toString())
      if (!signedWith.has(kid) && signedWith.size > 0)
        expect(clock.now() - (published.get(kid) ?? 0)).toBeGreaterThanOrEqual(keyTimes.publishedBeforeMs)
      signedWith.add(kid)
      expect((await identity.jwks()).keys.length).toBeLessThanOrEqual(2)
    }
    expect(signedWith.size).toBeGreaterThanOrEqual(3)
  })

  test('after a year of sleep the server signs again at once', async () => {
    const { identity, clock } = await withAda()
    clock.advance(365 * 86_400_000)
    const { tokens } = await identity.login(ada, home)
    await identity.verify(tokens.accessToken)
  })

  test('two processes that start on one empty store agree on the keys', async () => {
    const { identity, options } = makeLocalIdentity()
    const other = localIdentity(options)
    const [first, second] = await Promise.all([identity.jwks(), other.jwks()])
    expect(first).toEqual(second)
    expect(first.keys).toHaveLength(1)
  })
})

test('passwords: hashing keeps to its line: two at once, thirty waiting, the rest is told to come back', async () => {
  const { identity } = makeLocalIdentity()
  const outcomes = await Promise.allSettled(
    Array.from({ length: 60 }, (_, n) =>
      identity.login({ ...ada, email: `p${n}@example.com` }, { from: `10.0.0.${n}` }),
    ),
  )
  const keys = outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.key : 'signed in'))
  expect(keys.filter((key) => key === 'auth.busy').length).toBeGreaterThan(0)
  expect(keys.filter((key) => key === 'auth.credentials').length).toBeGreaterThanOrEqual(32)
  expect(new Set(keys)).toEqual(new Set(['auth.busy', 'auth.credentials']))
})
