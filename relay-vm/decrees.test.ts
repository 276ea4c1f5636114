import { newId } from '@porttunneler/shared/base/ids'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Decrees } from './decrees.ts'

const accounts = [newId('acc', 1), newId('acc', 2)] as const
const tunnels = [newId('tun', 1), newId('tun', 2)] as const
const policy = { allow: [], deny: [], connectionsMax: 1, connectionsPerMinute: 1 }
const version = fc.integer({ min: 1, max: 6 })
const subject = fc.constantFrom(0 as const, 1 as const)

/** What is decreed for a subject at a version never changes, so the test derives one from the other. */
const decree = fc.oneof(
  fc.record({ kind: fc.constant('revoke' as const), subject, version }),
  fc.record({ kind: fc.constant('suspend' as const), subject, version }),
  fc.record({ kind: fc.constant('policy' as const), subject, version }),
)
type Decree = typeof decree extends fc.Arbitrary<infer T> ? T : never

function obey(decrees: Decrees, { kind, subject: n, version: v }: Decree): boolean {
  const at = v * 1_000
  if (kind === 'revoke') return decrees.revoke({ endpoint: `host:${n}.tunnels.test`, epoch: v, at })
  if (kind === 'suspend')
    return decrees.suspend({ account: accounts[n], suspended: v % 2 === 0, version: v, at })
  return decrees.setPolicy({ tunnel: tunnels[n], policy, policyVersion: v, at })
}

function outcome(list: readonly Decree[]): object {
  const decrees = new Decrees()
  for (const each of list) obey(decrees, each)
  const { revocations, suspensions, policies } = decrees.toJSON()
  return {
    revocations: revocations.toSorted((a, b) => a.endpoint.localeCompare(b.endpoint)),
    suspensions: suspensions.toSorted((a, b) => a.account.localeCompare(b.account)),
    policies: policies.toSorted((a, b) => a.tunnel.localeCompare(b.tunnel)),
  }
}

test('decrees: repeated, late and in any order, they have the same result', () => {
  const orders = fc
    .array(decree, { maxLength: 20 })
    .chain((list) =>
      fc.tuple(
        fc.constant(list),
        fc.shuffledSubarray([...list, ...list], { minLength: 2 * list.length, maxLength: 2 * list.length }),
      ),
    )
  fc.assert(
    fc.property(orders, ([list, disordered]) => {
      expect(outcome(disordered)).toEqual(outcome(list))
    }),
  )
})

test('decrees: a repeated decree changes nothing', () => {
  const decrees = new Decrees()
  const once = { kind: 'suspend', subject: 0, version: 2 } as const
  expect([obey(decrees, once), obey(decrees, once), obey(decrees, { ...once, version: 1 })]).toEqual([
    true,
    false,
    false,
  ])
})
