import { expect, test } from 'vitest'
import { openSqliteStore } from '../../standalone/platform/store.sqlite.ts'
import { isFailure } from '../base/errors.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { expectFailure } from '../testing/store.contract.ts'
import { enrolledRelayIdentity } from './relay-enrolment.ts'

function setUp() {
  const clock = new FakeClock()
  const identity = enrolledRelayIdentity({ store: openSqliteStore(':memory:', { queries: [] }), clock })
  return { clock, identity }
}

test('enrolment: one of ten relays with the same key gets in, into the key’s cell', async () => {
  const { identity } = setUp()
  const key = await identity.makeKey('main')
  const outcomes = await Promise.allSettled(
    Array.from({ length: 10 }, (_, n) => identity.enrol(key, `r${n}`)),
  )
  const admitted = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  expect(admitted).toHaveLength(1)
  expect(admitted[0]?.cell).toBe('main')
  for (const outcome of outcomes)
    if (outcome.status === 'rejected') expect(isFailure(outcome.reason, 'relay.enrolment')).toBe(true)
})

test('enrolment: a key is valid until its end, and not a moment longer', async () => {
  const { clock, identity } = setUp()
  const [early, late] = [
    await identity.makeKey('main', { lifeMs: 1_000 }),
    await identity.makeKey('main', { lifeMs: 1_000 }),
  ]
  clock.advance(999)
  await identity.enrol(early, 'r')
  clock.advance(1)
  await expectFailure(identity.enrol(late, 'r'), 'relay.enrolment')
})

test('enrolment: neither a guess nor a credential can enrol, and a key is not a credential', async () => {
  const { identity } = setUp()
  const key = await identity.makeKey('main')
  await expectFailure(identity.verify(key), 'relay.unknown')
  const { credential } = await identity.enrol(key, 'r')
  await expectFailure(identity.enrol(credential, 'r'), 'relay.enrolment')
  await expectFailure(identity.enrol('', 'r'), 'relay.enrolment')
  await expectFailure(identity.revoke('rel_unknown'), 'api.not_found')
})
