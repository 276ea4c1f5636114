import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { jobs } from '@porttunneler/shared/control/documents'
import { queries, queryTable } from '@porttunneler/shared/control/query-table'
import { expectFailure } from '@porttunneler/shared/testing/store.contract'
import { expect, test } from 'vitest'
import { makeLocalIdentity } from '../testing/local-identity.ts'
import { limits } from './identity.local.guard.ts'
import { openSqliteStore } from './store.sqlite.ts'

const ada = { email: 'ada@example.com', password: 'correct horse battery' }
const home = { from: '192.0.2.1' }
const password = 'another long password'

async function withAda() {
  const setUp = makeLocalIdentity()
  const { tokens } = await setUp.identity.register(ada, home)
  const link = async () => {
    await setUp.identity.requestReset(ada.email, home)
    await setUp.work()
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

test('reset: the device that used the link can sign in even if an attacker locked its network', async () => {
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
  const { identity, mails, store } = setUp
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
    await setUp.work()
    expect(looked).toBe(1)
    looked = 0
  }
  expect(mails.map(({ to }) => to)).toEqual([ada.email])
})

test('reset: a link is valid for an hour, and only until the password changes in another way', async () => {
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

test('reset: of ten concurrent uses of a link, one sets its password', async () => {
  const { identity, link } = await withAda()
  const token = await link()
  const uses = Array.from({ length: 10 }, (_, n) =>
    identity.confirmReset({ token, password: `${password} ${n}` }),
  )
  const outcomes = await Promise.allSettled(uses)
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
})

test('reset: a mailbox gets at most three mails, silently; a source that keeps asking is told to wait', async () => {
  const setUp = await withAda()
  const { identity, mails } = setUp
  for (let n = 0; n < limits.resetSource.free; n++) {
    await identity.requestReset(ada.email, home)
    await setUp.work()
  }
  expect(mails).toHaveLength(limits.resetEmail.free)
  await expectFailure(identity.requestReset(ada.email, home), 'auth.locked')
})

test('reset: ten concurrent requests send one mail', async () => {
  const setUp = await withAda()
  await Promise.all(Array.from({ length: 10 }, () => setUp.identity.requestReset(ada.email, home)))
  await setUp.work()
  expect(setUp.mails).toHaveLength(1)
})

test('reset: a mail waits for its server, over a restart too, and the store never shows its link', async () => {
  const store = openSqliteStore(':memory:', { queries: queryTable })
  const away = { send: () => Promise.reject(fail('mail.failed')) }
  const before = makeLocalIdentity({ store, mail: away })
  await before.identity.register(ada, home)
  await before.identity.requestReset(ada.email, home)
  await before.work()
  const read = async () =>
    (await store.query(queries.jobsByState, { where: { state: 'live' }, limit: 10 })).items.map(
      ({ ref, data }) => ({
        id: ref.id,
        ...data,
      }),
    )
  const [waiting, ...others] = await read()
  expect([waiting?.id.split(':')[0], waiting?.error, others]).toEqual(['mail.send', 'PT-0023', []])
  expect(JSON.stringify(waiting)).not.toMatch(/ptw_|ada@|reset#/)
  // The next process has a mail server.
  const after = makeLocalIdentity({ store, clock: before.clock })
  after.clock.advance(60_000)
  after.kicked.push(waiting?.id ?? '')
  await after.work()
  expect(after.mails).toMatchObject([{ to: ada.email, id: `${waiting?.id}:1` }])
  expect(await read()).toEqual([])
  const token = /#(\S+)/.exec(after.mails[0]?.text ?? '')?.[1] ?? ''
  await after.identity.confirmReset({ token, password })
})

test('reset: a process that dies at any moment after the answer loses no mail', async () => {
  const { identity, kicked, store, clock, mails, work } = await withAda()
  await identity.requestReset(ada.email, home)
  // The kick is lost with the process; the next round finds the job in the store.
  clock.advance(60_000)
  await new Promise((resolve) => setImmediate(resolve))
  const [asked = ''] = kicked.splice(0)
  expect((await store.get(jobs.ref(asked)))?.data).toMatchObject({ state: 'live', wanted: 1 })
  kicked.push(asked)
  await work()
  expect(mails).toHaveLength(1)
})
