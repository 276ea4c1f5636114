import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../standalone/testing/control.ts'
import { fail } from '../base/errors.ts'
import { jobs } from './documents.ts'
import { look } from './jobs/jobs.ts'
import { makeWorker } from './jobs/kinds.ts'
import { mailWish } from './mails.ts'
import type { Mail } from './platform.ts'

let t: TestControl
beforeEach(() => {
  t = makeTestControl()
})
afterEach(() => t.close())

const hour = 3_600_000
const letter = { to: 'ada@example.com', subject: 'Hello', text: 'a secret link' }

async function ask(lifetimeMs: number): Promise<string> {
  const { store, vault, clock } = t.control
  const until = clock.now() + lifetimeMs
  const wish = await mailWish(vault, letter, { account: '', until })
  return store.transact(async (tx) => (await look(tx, wish, clock.now()))())
}

/** A worker whose mail server does what the test wants. */
function workerOf(send: Mail['send']) {
  return makeWorker({ ...t.control, mail: { send } }, 4)
}

test('mail: a crash between the server and the store sends it again under the same id', async () => {
  const id = await ask(hour)
  const sent: string[] = []
  const store = { ...t.control.store, transact: () => Promise.reject(fail('store.unavailable')) }
  const send: Mail['send'] = async (message) => void sent.push(message.id)
  const get = t.control.store
  const dying = makeWorker(
    {
      ...t.control,
      mail: { send },
      store: {
        ...store,
        getAll: (refs) => get.getAll(refs),
        update: (ref, fields, condition) => get.update(ref, fields, condition),
      },
    },
    4,
  )
  await dying.take([id])
  t.clock.advance(61_000)
  await workerOf(send).take([id])
  expect(sent).toEqual([`${id}:1`, `${id}:1`])
  expect(await t.control.store.get(jobs.ref(id))).toBeUndefined()
})

test('mail: after twelve tries it is dead but still listed, its text wrapped', async () => {
  const id = await ask(100 * hour)
  let tries = 0
  const worker = workerOf(() => {
    tries++
    return Promise.reject(fail('mail.failed'))
  })
  for (let n = 0; n < 20; n++) {
    await worker.take([id])
    t.clock.advance(hour)
  }
  const found = (await t.control.store.get(jobs.ref(id)))?.data
  expect([tries, found?.state, found?.error]).toEqual([12, 'dead', 'PT-0023'])
  expect(JSON.stringify(found)).not.toContain('secret link')
})

test('mail: a mail too late to be of use is not sent', async () => {
  const id = await ask(hour)
  const sent: unknown[] = []
  t.clock.advance(hour)
  await workerOf(async (message) => void sent.push(message)).take([id])
  expect([sent, await t.control.store.get(jobs.ref(id))]).toEqual([[], undefined])
})
