/** What operators are told of the service itself, by mails; and that somebody can see when nobody looks. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../../standalone/testing/control.ts'
import { fail } from '../../base/errors.ts'
import { jobs } from '../documents.ts'
import { freshJob, jobRef } from '../jobs/jobs.ts'
import { operators } from '../operator/operator-documents.ts'
import type { Heartbeat, Sense } from './sense.ts'
import { readSignOfLife } from './sign-of-life.ts'

const minuteMs = 60_000
let t: TestControl
let beats: Heartbeat[]
let sense: Sense['look']

beforeEach(async () => {
  beats = []
  sense = async () => ({ found: [] })
  t = makeTestControl({
    watching: {
      senses: [{ kinds: ['disk.low'], look: () => sense() }],
      heartbeat: async (look) => void beats.push(look),
    },
  })
  await t.openCell()
  const { member } = await t.caller()
  await t.control.store.create(operators.ref(member), { state: 'active', since: 1, by: 'test' })
})
afterEach(() => t.close())

async function pass(minutes: number, syncs = true): Promise<void> {
  for (let minute = 0; minute < minutes; minute++) {
    t.clock.advance(minuteMs)
    if (syncs) await t.sync({})
    await t.runJobs()
  }
}
const told = () => t.mails.splice(0).map(({ subject }) => subject)

test('a relay that falls silent is told once, and its return once; a restart is nobody’s news', async () => {
  await pass(10)
  await pass(2, false)
  await pass(10)
  expect(told()).toEqual([])
  await pass(15, false)
  expect(told()).toEqual([expect.stringMatching(/^Relay is silent: \S+ in home$/)])
  await pass(20)
  expect(told()).toEqual([expect.stringMatching(/^Over: Relay is silent: /)])
})

test('jobs that have given up are told by their kind, and over when they are gone', async () => {
  await pass(6)
  const ref = jobs.ref(jobRef('mail.send', 'x').id)
  const dead = freshJob({ kind: 'mail.send', subject: 'x', account: '' }, t.clock.now())
  await t.control.store.set(ref, { ...dead, state: 'dead', error: 'PT-0023' })
  await pass(15)
  expect(told()).toEqual(['Jobs have given up: 1 of mail send'])
  await t.control.store.delete(ref)
  await pass(20)
  expect(told()).toEqual(['Over: Jobs have given up: 1 of mail send'])
})

test('a job that repeats for ever and fails is told, and its first success ends that', async () => {
  await pass(6)
  const rotate = t.control.signer.rotate
  t.control.signer.rotate = async () => {
    throw fail('vault.unreadable')
  }
  await pass(30)
  expect(told()).toEqual([expect.stringMatching(/^A job of the service fails: keys rotate by PT-\d{4}$/)])
  t.control.signer.rotate = rotate
  await pass(30)
  expect(told()).toEqual([expect.stringMatching(/^Over: A job of the service fails/)])
})

test('what a platform senses is told; a sense that fails leaves everything as it is', async () => {
  const low = { kind: 'disk.low', subject: 'data', name: 'data', cause: 'It is full.' } as const
  sense = async () => ({ found: [low] })
  await pass(10)
  expect(told()).toEqual(['The disk is nearly full: data'])
  sense = async () => {
    throw new Error('no such disk')
  }
  await pass(30)
  expect(told()).toEqual([])
  sense = async () => ({ found: [] })
  await pass(15)
  expect(told()).toEqual(['Over: The disk is nearly full: data'])
})

test('each look is a sign of life, and its absence shows', async () => {
  expect(await readSignOfLife(t.control)).toMatchObject({ isSilent: true })
  await pass(21)
  expect(beats.length).toBeGreaterThanOrEqual(4)
  expect(await readSignOfLife(t.control)).toMatchObject({ isSilent: false })
  t.clock.advance(16 * minuteMs)
  expect(await readSignOfLife(t.control)).toEqual({ isSilent: true, code: 'PT-2810' })
})
