/** Alerts about errors and slow answers, from the rows that relays report. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../../standalone/testing/control.ts'
import { answerPlaces, answerShape } from '../../api/schemas/relays.ts'
import { timesShape } from '../../api/schemas/results.ts'
import { newId } from '../../base/ids.ts'
import { timeBucketOf } from '../../base/latency.ts'
import { packCounts } from '../../base/packed-counts.ts'
import type { Caller } from '../caller.ts'
import { claimLeases } from '../claims.ts'
import { storeUsage } from '../usage.ts'
import { rulesRef } from './alert-documents.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
let t: TestControl
let owner: Caller
let tunnel: string
/** Answers of each minute of the hour: how many were fine, how many failed, and how long they took. */
let minutes: { fine: number; failed: number; ms: number }[]

beforeEach(async () => {
  t = makeTestControl({ plan: 'team' })
  await t.openCell()
  // The beginning of an hour, so that one row has all of the test.
  t.clock.advance(hourMs - (t.clock.now() % hourMs))
  await t.sync({})
  owner = await t.caller()
  const wish = { agent: newId('agt', 1), tunnels: [{ name: 'web', kind: 'http' as const }], takeover: false }
  const { results } = await claimLeases(t.control, owner, wish)
  tunnel = results.flatMap((result) => ('lease' in result ? [result.lease.tunnel] : []))[0] ?? ''
  minutes = []
})
afterEach(() => t.close())

async function pass(count: number, one: { fine?: number; failed?: number; ms?: number }): Promise<void> {
  for (let minute = 0; minute < count; minute++) {
    minutes.push({ fine: 0, failed: 0, ms: 50, ...one })
    t.clock.advance(minuteMs)
  }
  await report()
  await t.runJobs()
  t.clock.advance(2 * minuteMs)
  minutes.push({ fine: 0, failed: 0, ms: 0 }, { fine: 0, failed: 0, ms: 0 })
  await t.runJobs()
}

async function report(): Promise<void> {
  const answers = new Array<number>(answerShape.width * 60).fill(0)
  const times = new Array<number>(timesShape.width * 60).fill(0)
  for (const [minute, { fine, failed, ms }] of minutes.entries()) {
    answers[minute * answerShape.width + answerPlaces.successful] = fine
    answers[minute * answerShape.width + answerPlaces.serverError] = failed
    times[minute * timesShape.width + timeBucketOf(ms)] = fine + failed
  }
  const row = {
    ...{ tunnel, account: owner.account, boot: '0'.repeat(26), in: 1, out: 1, opened: 1, refused: 0 },
    hour: t.clock.now() - (t.clock.now() % hourMs),
    answers: packCounts(answers, answerShape),
    times: packCounts(times, timesShape),
  }
  await storeUsage(t.control, 'home', [row])
}
const told = () => t.mails.splice(0).map(({ subject }) => subject)
const jobsNow = () => t.documents().filter(({ id }) => id.startsWith('alert.measure'))

test('errors of more than a quarter are told once, and their end once', async () => {
  await pass(15, { fine: 60, failed: 40 })
  const [mail] = t.mails.splice(0)
  expect(mail?.subject).toBe('Visitors get errors: web ("ada")')
  expect(mail?.text).toMatch(/40 % of 1500 requests\s+failed/)
  expect(mail?.text).toContain('PT-2811')
  await pass(10, { fine: 60, failed: 45 })
  expect(told()).toEqual([])
  await pass(16, { fine: 100 })
  t.clock.advance(10 * minuteMs)
  await t.runJobs()
  t.clock.advance(2 * minuteMs)
  await t.runJobs()
  expect(told()).toEqual(['Over: Visitors get errors: web ("ada")'])
  expect(jobsNow()).toEqual([])
})

test('a few errors, errors of few visitors, and slow answers are nobody’s news, and cost no job', async () => {
  await pass(15, { fine: 95, failed: 4 })
  expect(jobsNow()).toEqual([])
  await pass(15, { failed: 1 })
  expect(jobsNow()).toEqual([])
  await pass(15, { fine: 50, ms: 9_000 })
  expect(jobsNow()).toEqual([])
  expect(told()).toEqual([])
})

test('an account’s own limits count', async () => {
  const rules = [
    { kind: 'tunnel.latency', tunnel, on: true, threshold: 2_000 },
    { kind: 'tunnel.errors', on: false },
  ]
  await t.control.store.set(rulesRef(owner.account), {
    account: owner.account,
    rules,
    windows: [],
    revision: 1,
  })
  await pass(15, { failed: 50, ms: 3_000 })
  const [mail] = t.mails.splice(0)
  expect(mail?.subject).toBe('Answers are slow: web ("ada")')
  expect(mail?.text).toMatch(/took\s+longer than \d{4} ms/)
})
