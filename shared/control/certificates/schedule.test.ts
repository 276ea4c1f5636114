/** Fourteen months of renewals on a clock moved by hand, at an issuer of the tests' own: pebble has no such clock. */
import { makeTestControl } from '@porttunneler/standalone/testing/control'
import { afterEach, describe, expect, test } from 'vitest'
import { SmallIssuer, usualLimits } from '../../testing/small-issuer.ts'
import { certificates } from '../certificate-documents.ts'
import { jobs } from '../documents.ts'
import { makeWorker } from '../jobs/kinds.ts'
import { spend } from './budget.ts'
import { ensureCertificate } from './ordering.ts'
import type { CaaRecord } from './role.ts'
import { leftOf } from './rules.ts'

const dayMs = 86_400_000
const span = 14 * 30 * dayMs
const host = 'tunnel.example.com'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})

async function makeStage({ lifeMs = 90 * dayMs, caa = [] as readonly CaaRecord[] } = {}) {
  const issuers: SmallIssuer[] = []
  const control = makeTestControl({ certificates: { issuers, caa: async () => caa } })
  open.push(control)
  const { clock } = control
  const [first, second] = ['first', 'second'].map((name) => new SmallIssuer({ name, clock, lifeMs }))
  if (!first || !second) throw new Error('two issuers')
  issuers.push(first, second)
  await control.openCell()
  const worker = makeWorker(control.control, 4)
  const { store } = control.control
  const id = `certificates.keep:${host}`
  await ensureCertificate(control.control, host)
  const read = async () => (await store.get(certificates.ref(host)))?.data
  return {
    clock,
    first,
    second,
    control: control.control,
    read,
    /**
     * Lets time pass, each time until the job is due. @param look is called with the certificate before each of its
     * turns
     */
    async pass(ms: number, look: (left: number) => void = () => {}): Promise<void> {
      const until = clock.now() + ms
      for (;;) {
        const dueAt = (await store.get(jobs.ref(id)))?.data.dueAt ?? until
        if (dueAt > until) break
        if (dueAt > clock.now()) clock.advance(dueAt - clock.now())
        const doc = await read()
        if (doc && doc.version > 0) look(leftOf(doc, clock.now()))
        await worker.take([id])
      }
      if (until > clock.now()) clock.advance(until - clock.now())
    },
  }
}

describe('certificates: schedule', () => {
  test.each([200, 100, 90, 47, 6])('a life of %i days is renewed in time for 14 months', async (days) => {
    const { first, second, pass, read } = await makeStage({ lifeMs: days * dayMs })
    let least = 1
    await pass(span, (left) => {
      least = Math.min(least, left)
    })
    // After two thirds, or half of a short life, 5 % more or less.
    const share = days < 10 ? 0.5 : 1 / 3
    expect(least).toBeGreaterThan(share - 0.06)
    const count = 420 / days / (1 - share)
    expect(first.issued).toBeGreaterThanOrEqual(Math.floor(count * 0.9))
    expect(first.issued).toBeLessThanOrEqual(Math.ceil(count * 1.1) + 1)
    expect(second.calls).toEqual([])
    expect(await read()).toMatchObject({ state: 'valid', failures: 0 })
  })

  test('the window of ARI decides where there is one, also when it changes', async () => {
    const { first, pass, clock, read } = await makeStage()
    first.window = [0.8, 0.85]
    await pass(30 * dayMs)
    const { renewAt = 0, notBefore = 0 } = (await read()) ?? {}
    expect((renewAt - notBefore) / (90 * dayMs)).toBeGreaterThan(0.79)
    // A certificate that will be revoked: the window is over.
    first.window = [0.1, 0.2]
    await pass(dayMs)
    expect(first.issued).toBe(2)
    expect((await read())?.notBefore).toBeGreaterThan(clock.now() - dayMs)
  })

  test('while the issuer is down the certificate stays, and it is renewed when it is up', async () => {
    const { first, second, pass, read } = await makeStage()
    await pass(dayMs)
    const before = await read()
    await pass(53 * dayMs)
    first.isDown = true
    await pass(16 * dayMs)
    expect(await read()).toMatchObject({ chain: before?.chain ?? '' })
    first.isDown = false
    await pass(2 * dayMs)
    expect(await read()).toMatchObject({ state: 'valid', issuer: 'first', failures: 0 })
    expect(second.issued).toBe(0)
  })

  test('in the last fifth of a life the next issuer is asked, and the first again for the one after', async () => {
    const { first, second, pass, read } = await makeStage()
    await pass(50 * dayMs)
    first.isDown = true
    let least = 1
    await pass(40 * dayMs, (left) => {
      least = Math.min(least, left)
    })
    expect(await read()).toMatchObject({ state: 'valid', issuer: 'second' })
    expect(least).toBeGreaterThan(0.1)
    first.isDown = false
    await pass(90 * dayMs)
    expect(await read()).toMatchObject({ issuer: 'first' })
    expect(second.issued).toBe(1)
  })

  test('a first certificate comes from the second issuer at once when the first is down', async () => {
    const { first, pass, read } = await makeStage()
    first.isDown = true
    await pass(1000)
    expect(await read()).toMatchObject({ state: 'valid', issuer: 'second' })
  })

  test('an unproven name is tried less and less often, with the reason, and ordered once proven', async () => {
    const { first, pass, read } = await makeStage()
    first.isConvinced = false
    await pass(3_600_000)
    expect(first.ordered).toBeLessThanOrEqual(5)
    await pass(9 * dayMs)
    expect(await read()).toMatchObject({
      state: 'failing',
      error: 'PT-2604',
      reason: 'the proof was not there',
      version: 0,
    })
    expect(first.ordered).toBeLessThan(25)
    first.isConvinced = true
    await pass(2 * dayMs)
    expect(await read()).toMatchObject({ state: 'valid', error: '' })
  })

  test('a slow issuer is waited for over many tries, with one order', async () => {
    const { first, clock, pass, read } = await makeStage()
    first.slowness = 20
    let isOver = false
    const passing = pass(3_600_000).finally(() => {
      isOver = true
    })
    while (!isOver) await clock.advanceAsync(60_000, 1_000)
    await passing
    expect(await read()).toMatchObject({ state: 'valid' })
    expect(first.ordered).toBe(1)
  })

  test('a forbidding CAA record skips that issuer, and the error names ours when it forbids all', async () => {
    const one = await makeStage({ caa: [{ issue: 'second.test; validationmethods=http-01' }] })
    await one.pass(1000)
    expect(await one.read()).toMatchObject({ state: 'valid', issuer: 'second' })
    const none = await makeStage({ caa: [{ issue: ';' }] })
    await none.pass(1000)
    const reason = 'The CAA records for tunnel.example.com allow none of: first.test or second.test.'
    expect(await none.read()).toMatchObject({ state: 'failing', error: 'PT-2605', reason })
    expect(none.first.calls).toEqual([])
  })

  test('the limits of the issuer are kept, and new names leave a share to renewals', async () => {
    const { control, clock, first } = await makeStage()
    const pay = (name: string, isRenewal = false) => spend(control, first, { hosts: [name], isRenewal })
    let bought = 0
    // 80 % of 50 a week for a domain: 40.
    for (let n = 0; n < 60; n++) if ((await pay(`n${n}.example.net`)) === 0) bought++
    expect(bought).toBe(usualLimits.domain.max * 0.8)
    for (let n = 0; bought < 240 && n < 400; n++) if ((await pay(`a.example${n}.org`)) === 0) bought++
    expect(bought).toBe(180)
    for (let n = 0; n < 100; n++) if ((await pay(`a.example${n}.org`, true)) === 0) bought++
    expect(bought).toBe(240)
    const waitMs = await pay('late.example')
    expect(waitMs).toBeGreaterThan(0)
    clock.advance(waitMs)
    expect(await pay('late.example')).toBe(0)
  })
})
