/** An issuer that lies, errs or never ends harms neither the certificate in use nor the zone nor the job. */
import { makeTestControl } from '@porttunneler/standalone/testing/control'
import { afterEach, describe, expect, test } from 'vitest'
import type { Clock } from '../../base/clock.ts'
import { newCertificateKey } from '../../base/csr.ts'
import { Secret } from '../../base/secret.ts'
import { FakeClock } from '../../testing/fake-clock.ts'
import { issueAt, SmallIssuer } from '../../testing/small-issuer.ts'
import { certificates } from '../certificate-documents.ts'
import { jobs } from '../documents.ts'
import { makeWorker } from '../jobs/kinds.ts'
import { noDns } from '../own-records.ts'
import type { Dns } from '../platform.ts'
import { readChain } from './chain.ts'
import { ensureCertificate } from './ordering.ts'
import type { Authorization, Order } from './role.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const host = 'tunnel.example.com'
const jobId = `certificates.keep:${host}`

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})

async function makeStage() {
  const put: string[] = []
  const dns: Dns = {
    ...noDns,
    kind: 'cloudflare',
    put: async (name) => void put.push(name),
    remove: async () => {},
  }
  const issuers: SmallIssuer[] = []
  const t = makeTestControl({ certificates: { issuers, caa: async () => [] }, dns })
  open.push(t)
  const { clock } = t
  const control = { ...t.control, clock: passing(clock) }
  const issuer = new SmallIssuer({ clock })
  issuers.push(issuer)
  await t.openCell()
  await ensureCertificate(control, host)
  const worker = makeWorker(control, 4)
  const read = async () => (await control.store.get(certificates.ref(host)))?.data
  const job = async () => (await control.store.get(jobs.ref(jobId)))?.data
  /** Passes time in steps, each until the job is due. */
  async function pass(ms: number): Promise<void> {
    const until = clock.now() + ms
    for (;;) {
      const dueAt = (await job())?.dueAt ?? until
      if (dueAt > until) break
      if (dueAt > clock.now()) clock.advance(dueAt - clock.now())
      await worker.take([jobId])
    }
    if (until > clock.now()) clock.advance(until - clock.now())
  }
  const count = (call: string) => issuer.calls.filter((each) => each === call).length
  return { clock, control, issuer, put, read, job, pass, count }
}

/** Time passes by itself while a job waits for its issuer, which is for 15 s at most. */
function passing(clock: FakeClock): Clock {
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    every: (ms, fn) => clock.every(ms, fn),
    after: (ms, fn) => {
      if (ms <= 15_000) setImmediate(() => clock.advance(ms))
      return clock.after(ms, fn)
    },
  }
}

describe('certificates: an issuer that lies', () => {
  test('the proof of a name that was not ordered is not made', async () => {
    const { issuer, put, read, pass } = await makeStage()
    const honest = issuer.authorization.bind(issuer)
    issuer.authorization = async (account, url): Promise<Authorization> => ({
      ...(await honest(account, url)),
      host: `mail.${host}`,
    })
    await pass(60_000)
    expect(put).toEqual([])
    expect(await read()).toMatchObject({
      state: 'failing',
      error: 'PT-2603',
      reason: 'The authority asks for a proof of a name that was not ordered.',
    })
  })

  test('an order that stays ready is asked for at the pace of a slow issuer, and given up after a day', async () => {
    const { issuer, read, pass, count, clock } = await makeStage()
    const honest = issuer.readOrder.bind(issuer)
    issuer.readOrder = async (account, url): Promise<Order> => {
      const order = await honest(account, url)
      return order.status === 'valid' ? { ...order, status: 'ready' } : order
    }
    await pass(hourMs)
    expect(count('finalize')).toBeGreaterThan(5)
    expect(count('finalize')).toBeLessThan(2_000)
    clock.advance(dayMs)
    await pass(60_000)
    expect(await read()).toMatchObject({ state: 'failing', error: 'PT-2607', version: 0 })
  })

  test('an order that stays pending with ever new challenges ends with the twentieth', async () => {
    const { issuer, read, job, pass, count } = await makeStage()
    issuer.slowness = 1_000_000
    let made = 0
    issuer.authorization = async (): Promise<Authorization> => {
      const challenge = { type: 'dns-01', url: `https://small.test/${++made}`, token: `t${made}` }
      return { host, status: 'pending', challenges: [{ ...challenge, status: 'pending' }] }
    }
    issuer.ready = async () => void issuer.calls.push('ready')
    await pass(10 * 60_000)
    expect(count('ready')).toBe(20)
    expect(await read()).toMatchObject({ state: 'failing', error: 'PT-2603' })
    expect(JSON.stringify((await job())?.progress).length).toBeLessThan(10_000)
  })

  test('a certificate that has ended, or begins next week, replaces none and is not ordered at once again', async () => {
    for (const offMs of [-100 * dayMs, 7 * dayMs]) {
      const { issuer, read, pass, clock } = await makeStage()
      await pass(60 * dayMs)
      const before = await read()
      issuer.skewMs = offMs
      const { issued } = issuer
      await pass((before?.renewAt ?? 0) - clock.now() + dayMs)
      expect(issuer.issued - issued).toBeGreaterThan(0)
      expect(issuer.issued - issued).toBeLessThan(12)
      expect(await read()).toMatchObject({ chain: before?.chain ?? '', state: 'failing', error: 'PT-2603' })
    }
  })

  test('a window of renewal that is always over costs a few orders a day, and one in a far year no certificate', async () => {
    const { issuer, read, pass, clock } = await makeStage()
    issuer.window = [-2, -1]
    await pass(5 * dayMs)
    expect(issuer.issued).toBeGreaterThan(5)
    expect(issuer.issued).toBeLessThanOrEqual(1 + 5 * 4)
    issuer.window = [500, 501]
    await pass(200 * dayMs)
    expect((await read())?.notAfter).toBeGreaterThan(clock.now() + 8 * dayMs)
  })

  test('a pause of 115 days does not outlast the certificate', async () => {
    const { issuer, read, pass, clock } = await makeStage()
    await pass(1_000)
    const { renewAt = 0, notAfter = 0 } = (await read()) ?? {}
    await pass(renewAt - clock.now() - 1)
    issuer.pauseMs = 9_999_999_000
    await pass(dayMs)
    expect(await read()).toMatchObject({ state: 'failing', error: 'PT-2602' })
    issuer.pauseMs = 0
    await pass(notAfter - clock.now() - dayMs)
    expect(await read()).toMatchObject({ state: 'valid', failures: 0 })
  })

  test('no name fails more than four times in an hour, however often it is ordered', async () => {
    const { issuer, read, pass, control, clock } = await makeStage()
    issuer.isConvinced = false
    const { store } = control
    for (let n = 0; n < 20; n++) {
      await pass(60_000)
      const found = await store.get(jobs.ref(jobId))
      if (found) await store.set(jobs.ref(jobId), { ...found.data, dueAt: clock.now() })
    }
    expect(issuer.ordered).toBeLessThanOrEqual(5)
    expect(await read()).toMatchObject({ state: 'failing', error: 'PT-2606' })
  })
})

describe('certificates: what an issuer sends', () => {
  const clock = new FakeClock(0)
  const pem = (text: string) => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`

  test.each<[string, (chain: string) => string, string]>([
    ['a page of HTML', () => '<!doctype html><title>Maintenance</title>', 'that cannot be read'],
    ['nothing', () => '', 'that cannot be read'],
    ['a leaf that is none', () => pem('AAAA'), 'that cannot be read'],
    ['a leaf and rubbish', (chain) => chain + pem('AAAA'), 'that cannot be read'],
    ['a leaf under itself', (chain) => chain + chain, 'did not issue it'],
    ['eleven certificates', (chain) => chain.repeat(11), 'with 11 certificates'],
    ['a megabyte', (chain) => chain + ' '.repeat(1_000_000), 'too long'],
  ])('%s is refused', async (_name, change, why) => {
    const { chain, key } = await issued()
    expect(() => readChain(change(chain), { key, hosts: [host], nowMs: 0 })).toThrow(why)
  })

  test('a certificate of another key, or for another name, is refused', async () => {
    const { chain, key } = await issued()
    const other = { key: newCertificateKey(), hosts: [host], nowMs: 0 }
    expect(() => readChain(chain, other)).toThrow('of another key')
    expect(() => readChain(chain, { key, hosts: [host, `*.${host}`], nowMs: 0 })).toThrow(`without *.${host}`)
  })

  test('of the text around certificates nothing is kept', async () => {
    const { chain, key } = await issued()
    const facts = readChain(`issued for you\n${chain}\nthank you`, { key, hosts: [host], nowMs: 0 })
    expect(facts.chain).toBe(chain)
  })

  async function issued() {
    const made = await issueAt(new SmallIssuer({ clock }), [host])
    return { chain: made.chain, key: new Secret(made.key) }
  }
})
