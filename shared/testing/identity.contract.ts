/** What every Identity promises: it says whose a genuine token is, and refuses all others alike. */
import { describe, expect, test } from 'vitest'
import { signInReadMs } from '../control/ended-sign-ins.ts'
import type { Identity } from '../control/platform.ts'
import { expectFailure } from './store.contract.ts'

export type IdentityUnderTest = {
  readonly identity: Identity
  /** The same service in another process. */
  readonly elsewhere: Identity
  /** Registers a person and signs in. */
  signUp(email: string): Promise<string>
  /** Signs in once more, later. */
  signIn(email: string): Promise<string>
  /** Ends the sign-in as the logout route does. */
  endSignIn(token: string): Promise<void>
  /** Moves time. */
  advance(ms: number): void
  /** A token that another issuer of the same kind would make for the same person. */
  foreign(email: string): Promise<string>
  /** Moves time until tokens made before have expired. */
  expire(): Promise<void>
  /** Time as the identity sees it, ms. */
  now(): number
  close(): Promise<void>
}

const ada = 'ada@example.com'

export function describeIdentity(name: string, make: () => Promise<IdentityUnderTest>): void {
  const check = (title: string, run: (under: IdentityUnderTest) => Promise<void>) =>
    test(title, async () => {
      const under = await make()
      try {
        await run(under)
      } finally {
        await under.close()
      }
    })

  describe(`identity: ${name}`, () => {
    check('a token says who it is, with the kind of the issuer, and when they signed in', async (under) => {
      const before = under.now()
      const claims = await under.identity.verify(await under.signUp(ada))
      expect(claims.subject).toMatch(new RegExp(`^${under.identity.kind}:[A-Za-z0-9_-]{1,100}$`))
      expect(claims).toMatchObject({ email: ada, emailVerified: false })
      // A provider may round to the second.
      expect(claims.authTimeMs).toBeGreaterThan(before - 1_000)
      expect(claims.authTimeMs).toBeLessThanOrEqual(under.now())
    })

    check('two people have two subjects, one person keeps theirs', async ({ identity, signUp }) => {
      const token = await signUp(ada)
      const [first, again] = [await identity.verify(token), await identity.verify(token)]
      expect(again).toEqual(first)
      expect((await identity.verify(await signUp('bob@example.com'))).subject).not.toBe(first.subject)
    })

    check('whatever is not a token is refused', async ({ identity, signUp }) => {
      const token = await signUp(ada)
      const [head = '', body = '', signature = ''] = token.split('.')
      const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')
      const forged = Buffer.from(
        Buffer.from(body, 'base64url').toString().replace(ada, 'eve@example.com'),
      ).toString('base64url')
      for (const wrong of [
        '',
        'x',
        'a.b.c',
        `${head}.${body}.`,
        `${none}.${body}.`,
        `${none}.${body}.${signature}`,
        `${head}.${forged}.${signature}`,
        `${token}x`,
        'x'.repeat(10_000),
      ])
        await expectFailure(identity.verify(wrong), 'auth.invalid')
    })

    check('the token of another issuer is refused', async ({ identity, foreign }) => {
      await expectFailure(identity.verify(await foreign(ada)), 'auth.invalid')
    })

    check('a token ends with its sign-in: here at once, elsewhere within half a minute', async (under) => {
      const { identity, elsewhere, advance } = under
      const ended = await under.signUp(ada)
      const other = await under.signIn(ada)
      await elsewhere.verify(ended)
      await under.endSignIn(ended)
      await expectFailure(identity.verify(ended), 'auth.invalid')
      advance(signInReadMs)
      await expectFailure(elsewhere.verify(ended), 'auth.invalid')
      for (const each of [identity, elsewhere]) expect(await each.verify(other)).toMatchObject({ email: ada })
    })

    check('a token names its sign-in, which can be ended by that name', async (under) => {
      const { identity, elsewhere, advance } = under
      const token = await under.signUp(ada)
      const { signIn: id = '' } = await identity.verify(token)
      expect(id).toMatch(/^[0-9a-f]{64}$/)
      advance(1_000)
      const other = await under.signIn(ada)
      expect((await identity.verify(other)).signIn).not.toBe(id)
      await elsewhere.verify(token)
      await identity.endSignIns([id, id])
      await expectFailure(identity.verify(token), 'auth.invalid')
      advance(signInReadMs)
      await expectFailure(elsewhere.verify(token), 'auth.invalid')
      expect(await identity.verify(other)).toMatchObject({ email: ada })
    })

    check('an expired token is refused', async ({ identity, signUp, expire }) => {
      const token = await signUp(ada)
      await expire()
      await expectFailure(identity.verify(token), 'auth.invalid')
    })
  })
}
