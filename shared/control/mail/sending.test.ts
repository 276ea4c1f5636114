import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../../standalone/testing/control.ts'
import { fail } from '../../base/errors.ts'
import { Secret } from '../../base/secret.ts'
import { jobs } from '../documents.ts'
import { look, type RunningJob } from '../jobs/jobs.ts'
import { makeWorker } from '../jobs/kinds.ts'
import type { Mail, MailMessage } from '../platform.ts'
import { queries } from '../query-table.ts'
import { addressRef, turnOff } from './addresses.ts'
import { type Addressed, leaveMails, mailWish } from './sending.ts'

let t: TestControl
beforeEach(() => {
  t = makeTestControl()
})
afterEach(() => t.close())

const hour = 3_600_000
const everyJob = { where: { state: 'live' }, limit: 100 } as const
const to = 'ada@example.com'
const letter = { to, template: 'account-link', data: { link: 'https://x/a-secret-link' } } as const
const host = 'app.example.com'
const notice = { to, template: 'domain-failing', data: { host, link: 'https://x/domains' } } as const

async function ask(lifetimeMs: number, sent: Addressed = letter): Promise<string> {
  const { store, vault, clock } = t.control
  const until = clock.now() + lifetimeMs
  const wish = await mailWish(vault, sent, { account: '', until })
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
        get: (ref) => get.get(ref),
        change: (ref, fn) => get.change(ref, fn),
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
  expect(JSON.stringify(found)).not.toContain('secret-link')
})

test('mail: a mail too late to be of use is not sent', async () => {
  const id = await ask(hour)
  const sent: unknown[] = []
  t.clock.advance(hour)
  await workerOf(async (message) => void sent.push(message)).take([id])
  expect([sent, await t.control.store.get(jobs.ref(id))]).toEqual([[], undefined])
})

/** Sends one now. @returns what reached the server */
async function send(sent: Addressed, answer: Mail['send'] = async () => {}): Promise<MailMessage[]> {
  const got: MailMessage[] = []
  const id = await ask(hour, sent)
  await workerOf(async (message) => {
    got.push(message)
    await answer(message)
  }).take([id])
  return got
}
const refuse = async () => {
  throw fail('mail.refused', undefined, { fields: { reply: '550 5.1.1' } })
}
const known = async () => (await t.control.store.get(addressRef(' ADA@example.com')))?.data

test('mail: an address that a server refused gets no notices, until a mail that was asked for arrives', async () => {
  expect(await send(notice, refuse)).toHaveLength(1)
  expect(await known()).toMatchObject({ reply: '550 5.1.1', off: [] })
  expect(await t.control.store.query(queries.jobsByState, everyJob)).toMatchObject({ items: [] })
  expect(await send({ ...notice, to: 'Ada@Example.com' })).toEqual([])
  expect(await send(letter, refuse), 'its reader asked').toHaveLength(1)
  expect(await send(notice)).toEqual([])
  expect(await send(letter)).toHaveLength(1)
  expect(await known()).toBeUndefined()
  expect(await send(notice)).toHaveLength(1)
})

test('mail: a refusal is forgotten after half a year', async () => {
  await send(notice, refuse)
  t.clock.advance(181 * 24 * hour)
  expect(await send(notice)).toHaveLength(1)
})

test('mail: what its reader turned off stays off, also over a refusal, and nothing else is', async () => {
  const [{ offUrl = '' } = {}] = await send(notice)
  const link = await t.control.offLinks.read(offUrl.split('/').at(-1) ?? '')
  if (!link) throw new Error('no link')
  await turnOff(t.control, link.id, link.purpose)
  await turnOff(t.control, link.id, link.purpose)
  expect((await known())?.off).toEqual(['domains'])
  expect(await send(notice)).toEqual([])
  expect(await send(letter, refuse)).toMatchObject([{ to }])
  expect(await send(letter)).toHaveLength(1)
  expect(await known()).toEqual({ bouncedAt: 0, reply: '', off: ['domains'] })
})

test('mail: one address gets no flood of a kind, and a mail that failed does not count', async () => {
  const fails = async () => {
    throw fail('mail.failed')
  }
  for (let n = 0; n < 3; n++) await send(notice, fails)
  let taken = 0
  for (let n = 0; n < 60; n++) taken += (await send(notice)).length
  expect(taken).toBe(50)
  expect(await send(letter), 'another kind').toHaveLength(1)
  expect(await send({ ...notice, template: 'domain-lost' }), 'of one purpose').toHaveLength(1)
  expect(await send({ ...notice, to: 'bob@example.com' }), 'another address').toHaveLength(1)
  t.clock.advance(24 * hour)
  expect(await send(notice)).toHaveLength(1)
})

test('mail: jobs that an earlier release left still arrive', async () => {
  const { store, vault, clock } = t.control
  const old = { to, subject: 'Hello', text: 'words' }
  const body = { letter: await vault.wrap(new Secret(JSON.stringify(old))), until: clock.now() + hour }
  const wish = { kind: 'mail.send', subject: 'x', account: '', body }
  const id = await store.transact(async (tx) => (await look(tx, wish, clock.now()))())
  const sent: unknown[] = []
  await workerOf(async (message) => void sent.push(message)).take([id])
  expect(sent).toEqual([{ ...old, id: `${id}:1` }])
})

test('mail: many people are told once each, also by a job that dies in the middle and goes on', async () => {
  const letters = Array.from({ length: 45 }, (_, n) => ({ ...notice, to: `p${n}@example.com` }))
  const { store, clock } = t.control
  const until = clock.now() + 100 * hour
  const steps: RunningJob['progress'][] = []
  const job = { account: '', progress: {}, signal: AbortSignal.timeout(60_000) } as unknown as RunningJob
  const tell = (progress: RunningJob['progress'], stepsMax: number) =>
    leaveMails(
      t.control,
      {
        ...job,
        progress,
        advance: async (next, effect) => {
          if (steps.length === stepsMax) throw fail('job.lost')
          await store.transact(async (tx) => effect?.(tx))
          steps.push(next)
        },
      },
      { letters, until },
    )
  await expect(tell({}, 1)).rejects.toThrow()
  await tell(steps[0] ?? {}, 9)
  const { items } = await store.query(queries.jobsByState, everyJob)
  const sent: string[] = []
  const worker = workerOf(async (message) => void sent.push(message.to))
  await worker.take(items.map(({ ref }) => ref.id))
  expect(sent.toSorted()).toEqual(letters.map(({ to: each }) => each).toSorted())
})
