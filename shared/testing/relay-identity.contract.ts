/**
 * What every RelayIdentity promises: it names relay and cell of a genuine token, and says exactly the same about all
 * others.
 */
import { describe, expect, test } from 'vitest'
import type { RelayIdentity } from '../control/platform.ts'
import { expectFailure } from './store.contract.ts'

export type RelayIdentityUnderTest = {
  readonly identity: RelayIdentity
  /** A token of a relay that is really in `cell`. */
  admit(cell: string): Promise<string>
  /** Makes `token` invalid from now on. */
  withdraw(token: string): Promise<void>
  close(): Promise<void>
}

export function describeRelayIdentity(name: string, make: () => Promise<RelayIdentityUnderTest>): void {
  const check = (title: string, run: (under: RelayIdentityUnderTest) => Promise<void>) =>
    test(title, async () => {
      const under = await make()
      try {
        await run(under)
      } finally {
        await under.close()
      }
    })

  describe(`relay identity: ${name}`, () => {
    check('a token names its relay and the cell it was admitted to', async ({ identity, admit }) => {
      const [first, second] = [await admit('main'), await admit('other')]
      const claims = [await identity.verify(first), await identity.verify(second)]
      expect(claims.map(({ cell }) => cell)).toEqual(['main', 'other'])
      expect(new Set(claims.map(({ relay }) => relay)).size).toBe(2)
      expect(await identity.verify(first)).toEqual(claims[0])
    })

    check('any other token is unknown, whatever is wrong with it', async ({ identity, admit }) => {
      const token = await admit('main')
      const last = token.endsWith('A') ? 'B' : 'A'
      for (const wrong of [
        '',
        'x',
        token.slice(0, -1),
        `${token}a`,
        `${token.slice(0, -1)}${last}`,
        '../../x',
        'é\u0000',
      ])
        await expectFailure(identity.verify(wrong), 'relay.unknown')
    })

    check('a withdrawn token is unknown, its neighbours stay', async ({ identity, admit, withdraw }) => {
      const [token, other] = [await admit('main'), await admit('main')]
      await withdraw(token)
      await expectFailure(identity.verify(token), 'relay.unknown')
      expect((await identity.verify(other)).cell).toBe('main')
    })
  })
}
