import { users } from '@porttunneler/shared/control/documents'
import { expectFailure } from '@porttunneler/shared/testing/store.contract'
import { expect, test } from 'vitest'
import { makeLocalIdentity } from '../testing/local-identity.ts'
import { limits } from './identity.local.guard.ts'

const email = 'ada@example.com'
const password = 'correct horse battery'
const home = { from: '192.0.2.1' }

function makeSetUp(options: Parameters<typeof makeLocalIdentity>[0] = {}) {
  const setUp = makeLocalIdentity(options)
  const ask = async (address = email) => {
    await setUp.identity.requestAccount(address, home)
    await setUp.work()
    return setUp.mails.at(-1)
  }
  const tokenOf = (letter: { readonly text: string } | undefined) =>
    /#(\S+)/.exec(letter?.text ?? '')?.[1] ?? ''
  return { ...setUp, ask, tokenOf }
}

test('registering: nothing is made before the link is used, which works once and proves the mailbox', async () => {
  const { identity, ask, tokenOf } = makeSetUp()
  const letter = await ask('  ADA@example.com')
  expect(letter?.to).toBe(email)
  await expectFailure(identity.login({ email, password }, home), 'auth.credentials')
  const token = tokenOf(letter)
  const { tokens, device } = await identity.confirmAccount({ token, password }, home)
  expect(await identity.verify(tokens.accessToken)).toMatchObject({ email, emailVerified: true })
  expect(device).toMatch(/^ptv_/)
  await identity.login({ email, password }, home)
  await expectFailure(identity.confirmAccount({ token, password }, home), 'auth.reset')
})

test('registering: a person with an account is told by mail, without a link that changes anything', async () => {
  const { identity, ask, mails } = makeSetUp()
  await identity.register({ email, password }, home)
  const letter = await ask()
  expect(letter).toMatchObject({ to: email, text: expect.stringContaining('has one already') })
  expect(letter?.text).not.toMatch(/ptw_/)
  expect(mails).toHaveLength(1)
})

test('registering: a link is good for an hour, for a strong password, and changes no existing password', async () => {
  const { identity, ask, tokenOf, clock } = makeSetUp()
  const token = tokenOf(await ask())
  await expectFailure(identity.confirmAccount({ token, password: 'aaaaaaaaaa' }, home), 'auth.weak')
  await expectFailure(identity.confirmReset({ token, password }, home), 'auth.reset')
  clock.advance(60 * 60_000)
  await expectFailure(identity.confirmAccount({ token, password }, home), 'auth.reset')
})

test('registering: a link to a new password makes no account', async () => {
  const { identity, work, mails, tokenOf } = makeSetUp()
  await identity.register({ email, password }, home)
  await identity.requestReset(email, home)
  await work()
  const given = { token: tokenOf(mails[0]), password }
  await expectFailure(identity.confirmAccount(given, home), 'auth.reset')
})

test('registering: of two links for one address the first makes the account, the second says so', async () => {
  const { identity, ask, tokenOf } = makeSetUp()
  const [first, second] = [tokenOf(await ask()), tokenOf(await ask())]
  expect(first).not.toBe(second)
  await identity.confirmAccount({ token: first, password }, home)
  const late = identity.confirmAccount({ token: second, password: 'somebody else’s words' }, home)
  await expectFailure(late, 'auth.taken')
  await identity.login({ email, password }, home)
})

test('registering: no mailbox is flooded, and the requester is not told', async () => {
  const { ask, mails } = makeSetUp()
  for (let n = 0; n < limits.resetEmail.free + 3; n++) await ask()
  expect(mails.length).toBeLessThanOrEqual(limits.resetEmail.free + 1)
})

test.each([true, false])(
  'registering: where there are terms (%s), a new person is to be asked for them',
  async (hasTerms) => {
    const { identity, store, ask, tokenOf } = makeSetUp({ hasTerms })
    const { tokens } = await identity.confirmAccount({ token: tokenOf(await ask()), password }, home)
    const { subject } = await identity.verify(tokens.accessToken)
    const person = await store.get(users.ref(subject.slice('local:'.length)))
    expect(person?.data.terms).toEqual(hasTerms ? [] : undefined)
  },
)
