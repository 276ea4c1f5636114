import { isFailure } from '@porttunneler/shared/base/errors'
import { expectFailure } from '@porttunneler/shared/testing/store.contract'
import { expect, test } from 'vitest'
import { makeLocalIdentity } from '../testing/local-identity.ts'
import { limits } from './identity.local.guard.ts'

const ada = { email: 'ada@example.com', password: 'correct horse battery' }
const home = { from: '192.0.2.1' }
const password = 'another long password'

/** Lets the mails under way go out. */
async function settle({ clock, identity }: ReturnType<typeof makeLocalIdentity>): Promise<void> {
  clock.advance(1_000)
  await identity.close()
}

async function withAda() {
  const setUp = makeLocalIdentity()
  const { tokens } = await setUp.identity.register(ada, home)
  const link = async () => {
    await setUp.identity.requestReset(ada.email, home)
    await settle(setUp)
    return /#(\S+)/.exec(setUp.mails.at(-1)?.text ?? '')?.[1] ?? ''
  }
  return { ...setUp, tokens, link }
}

test('reset: the link sets the password once, ends every session and proves the address', async () => {
  const { identity, tokens, link } = await withAda()
  const token = await link()
  await identity.confirmReset({ token, password })
  await expectFailure(identity.confirmReset({ token, password }), 'auth.reset')
  await expectFailure(identity.refresh(tokens.refreshToken), 'auth.invalid')
  await expectFailure(identity.login(ada, home), 'auth.credentials')
  const { tokens: fresh } = await identity.login({ ...ada, password }, home)
  expect((await identity.verify(fresh.accessToken)).emailVerified).toBe(true)
})

test('reset: the device that used the link signs in even where an attacker locked its network', async () => {
  const { identity, link } = await withAda()
  const token = await link()
  const outcomes = await Promise.allSettled(
    Array.from({ length: 8 }, () => identity.login({ ...ada, password: 'a guess' }, home)),
  )
  expect(
    outcomes.some((outcome) => outcome.status === 'rejected' && isFailure(outcome.reason, 'auth.locked')),
  ).toBe(true)
  const { device } = await identity.confirmReset({ token, password })
  await identity.login({ ...ada, password }, { ...home, device })
})

test('reset: asking for an unknown address looks the same and sends nothing', async () => {
  const setUp = await withAda()
  const { identity, mails, store, backgroundErrors } = setUp
  let looked = 0
  const get = store.get.bind(store)
  store.get = (ref) => {
    if (ref.collection === 'emails') looked++
    return get(ref)
  }
  for (const email of ['nobody@example.com', ada.email]) {
    await identity.requestReset(email, home)
    await new Promise((resolve) => setImmediate(resolve))
    expect(looked).toBe(0)
    await settle(setUp)
    expect(looked).toBe(1)
    looked = 0
  }
  expect(mails.map(({ to }) => to)).toEqual([ada.email])
  expect(backgroundErrors).toEqual([])
})

test('reset: a link is good for an hour, and only until the password changes in another way', async () => {
  const { identity, clock, link, tokens } = await withAda()
  const old = await link()
  clock.advance(60 * 60_000)
  await expectFailure(identity.confirmReset({ token: old, password }), 'auth.reset')
  const [first, second] = [await link(), await link()]
  await identity.confirmReset({ token: second, password })
  await expectFailure(identity.confirmReset({ token: first, password }), 'auth.reset')
  await expectFailure(identity.confirmReset({ token: tokens.refreshToken, password }), 'auth.reset')
  await expectFailure(identity.confirmReset({ token: '', password }), 'auth.reset')
})

test('reset: of ten uses of one link at once, one sets its password', async () => {
  const { identity, link } = await withAda()
  const token = await link()
  const uses = Array.from({ length: 10 }, (_, n) =>
    identity.confirmReset({ token, password: `${password} ${n}` }),
  )
  const outcomes = await Promise.allSettled(uses)
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
})

test('reset: a mailbox gets no more than three mails, silently; a source that asks on is told to wait', async () => {
  const setUp = await withAda()
  const { identity, mails } = setUp
  for (let n = 0; n < limits.resetSource.free; n++) await identity.requestReset(ada.email, home)
  await settle(setUp)
  expect(mails).toHaveLength(limits.resetEmail.free)
  await expectFailure(identity.requestReset(ada.email, home), 'auth.locked')
})

test('reset: mail that cannot be sent is reported to the operator, not to who asked', async () => {
  const setUp = makeLocalIdentity({ mail: { send: () => Promise.reject(new Error('no server')) } })
  const { identity, backgroundErrors } = setUp
  await identity.register(ada, home)
  await identity.requestReset(ada.email, home)
  await settle(setUp)
  expect(backgroundErrors).toHaveLength(1)
})
