/** Mails about documents that people have not accepted yet: to whom, once, however often the job starts anew. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestApi, type TestApi } from '../../../standalone/testing/api.ts'
import type { TermsDocument } from '../../api/schemas/terms.ts'
import { dyingAt } from '../../testing/dying-store.ts'
import { type UserDoc, users } from '../documents.ts'
import { makeWorker } from '../jobs/kinds.ts'

const hour = 3_600_000
const now = Date.UTC(2026, 0, 1)
let t: TestApi
beforeEach(async () => {
  t = await makeTestApi()
  await add('old@example.com')
})
afterEach(() => t.close())

/** Somebody whom nobody has asked for anything yet. */
async function add(email: string, more: Partial<UserDoc> = {}): Promise<void> {
  const base = { email, emailVerified: true, status: 'active', validSince: 0, providers: [] } as const
  await t.control.store.create(users.ref(`usr_${email.split('@')[0]}`), { ...base, ...more })
}

function ask(version: string, more: Partial<TermsDocument> = {}): void {
  const document = { kind: 'terms', version, url: 'https://example.com/terms', ...more } as const
  Object.assign(t.control.settings, { terms: [document] })
}

/** The job looks once an hour, and each mail is a job. */
async function anHour(): Promise<void> {
  t.clock.advance(hour)
  for (let round = 0; round < 4; round++) {
    await t.runJobs()
    t.clock.advance(1_000)
  }
}
const told = () => t.mails.flatMap(({ to, subject }) => (subject.startsWith('New for you') ? [to] : []))

test('people who have not accepted a version get one mail about it, and one about the next', async () => {
  await anHour()
  expect(told()).toEqual([])
  ask('1', { by: now + 60 * 24 * hour })
  for (let n = 0; n < 3; n++) await anHour()
  expect(told()).toEqual(['old@example.com'])
  const { text } = t.mails.find(({ subject }) => subject === 'New for you to accept: Terms of use') ?? {}
  expect(text).toContain('https://example.com/terms')
  expect(text?.replace(/\s+/g, ' ')).toContain(
    'Until the end of 2026-03-01 (UTC) everything goes on as before.',
  )
  ask('2')
  for (let n = 0; n < 2; n++) await anHour()
  expect(told()).toEqual(['old@example.com', 'old@example.com'])
  expect(t.mails.findLast(({ subject }) => subject.startsWith('New for you'))?.text).not.toContain('(UTC)')
})

test('nobody is told who has accepted it, is new, unproven, disabled, leaving, erased, or the operator', async () => {
  ask('1')
  await add('done@example.com', { terms: [{ kind: 'terms', version: '1', url: '', at: 1 }] })
  await add('new@example.com', { terms: [] })
  await add('unproven@example.com', { emailVerified: false })
  await add('disabled@example.com', { status: 'disabled' })
  await add('leaving@example.com', { leaving: { askedAt: now, dueAt: now + hour * 24 * 14 } })
  await add('operator@example.com')
  t.control.terms.leaveOut('usr_operator')
  await add('before@example.com', { terms: [{ kind: 'terms', version: '0', url: '', at: 1 }] })
  await anHour()
  expect(told().toSorted()).toEqual(['before@example.com', 'old@example.com'])
})

test('two releases that take turns with their settings tell everybody once of each version', async () => {
  for (const version of ['1', '2', '1', '2', '2']) {
    ask(version)
    await anHour()
  }
  expect(told()).toHaveLength(2)
})

test('of more people than one page has, each is told once', async () => {
  for (let n = 0; n < 130; n++) await add(`p${n}@example.com`)
  ask('1')
  for (let n = 0; n < 6; n++) await anHour()
  expect(told()).toHaveLength(131)
  expect(new Set(told()).size).toBe(131)
})

test('a process that dies at any write of it tells everybody once all the same', async () => {
  await anHour()
  for (let n = 1; n <= 12; n++) {
    ask(`v${n}`)
    t.clock.advance(hour)
    const store = dyingAt(t.control.store, n, n % 2 === 0 ? 'before' : 'after')
    await makeWorker({ ...t.control, store }, 1)
      .round(60_000)
      .catch(() => undefined)
    await anHour()
    await anHour()
    expect([n, told().length]).toEqual([n, n])
  }
})
