/** Certificates at a relay: which it requests and when, which it forgets, and which it keeps over a restart. */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RelayCertificate } from '@porttunneler/shared/api/schemas/relays'
import { silentLog } from '@porttunneler/shared/base/log'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { issueAt, SmallIssuer } from '@porttunneler/shared/testing/small-issuer'
import { afterEach, describe, expect, test } from 'vitest'
import { Certificates } from './certificates.ts'
import { ticketKeys } from './ticket-keys.ts'

const dayMs = 86_400_000
const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

async function issue(
  issuer: SmallIssuer,
  host: string,
  { version = 1, hosts = [host] } = {},
): Promise<RelayCertificate> {
  return { host, hosts, version, ...(await issueAt(issuer, hosts)) }
}

async function makeStage({ contextsMax = 3, dataDir = mkdtempSync(join(tmpdir(), 'ptun-certs-')) } = {}) {
  if (!folders.includes(dataDir)) folders.push(dataDir)
  const clock = new FakeClock()
  const issuer = new SmallIssuer({ clock })
  const there = new Map<string, RelayCertificate>()
  const asked: string[][] = []
  const served = new Set<string>()
  const certificates = await Certificates.load({
    ...{ clock, log: silentLog, dataDir, contextsMax },
    tls: { minVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' },
    isServed: (name) => served.has(name),
  })
  const ask = async (hosts: readonly string[]) => {
    asked.push([...hosts])
    return hosts.flatMap((host) => there.get(host) ?? [])
  }
  const settle = (ms = 200) => clock.advanceAsync(ms, Math.max(1, ms / 10))
  return {
    ...{ clock, issuer, certificates, asked, served, there, dataDir, settle },
    start: () => {
      certificates.start(ask)
      certificates.tell('thumb')
    },
    serve: (...names: string[]) => {
      for (const name of names) {
        served.add(name)
        certificates.serve(name)
      }
    },
  }
}

describe('certificates of a relay', () => {
  test('bound names are requested together, before any visitor', async () => {
    const { issuer, certificates, asked, there, settle, start, serve } = await makeStage()
    for (const name of ['a.test', 'b.test']) there.set(name, await issue(issuer, name))
    start()
    serve('a.test', 'b.test')
    await settle()
    expect(asked).toEqual([['a.test', 'b.test']])
    expect(certificates.covers('a.test')).toBe(true)
    certificates.prepare('a.test')
    expect(certificates.contextOf('a.test')).toBeDefined()
  })

  test('a wildcard covers the names one level below it, which are not requested', async () => {
    const { issuer, certificates, asked, there, settle, start, serve } = await makeStage()
    there.set('c.test', await issue(issuer, 'c.test', { hosts: ['c.test', '*.c.test'] }))
    start()
    serve('c.test')
    await settle()
    serve('x.c.test')
    await settle()
    expect(asked).toEqual([['c.test']])
    expect(['x.c.test', 'c.test', 'y.x.c.test', 'test'].map((name) => certificates.covers(name))).toEqual([
      true,
      true,
      false,
      false,
    ])
  })

  test('a wildcard of an own domain serves names below, which still get their own, and ends with its name', async () => {
    const { issuer, certificates, asked, served, there, settle, start, serve } = await makeStage()
    for (const host of ['*.app.test', 'b.app.test']) there.set(host, await issue(issuer, host))
    start()
    serve('*.app.test')
    await settle()
    expect(['a.app.test', 'app.test', 'x.a.app.test'].map((name) => certificates.covers(name))).toEqual([
      true,
      false,
      false,
    ])
    serve('b.app.test')
    await settle()
    expect(asked).toEqual([['*.app.test'], ['b.app.test']])
    served.delete('*.app.test')
    certificates.look()
    expect(['a.app.test', 'b.app.test'].map((name) => certificates.covers(name))).toEqual([false, true])
  })

  test('a name without one is asked for once, after 30 s, then every 5 minutes; of a release there is no more', async () => {
    const { certificates, asked, served, settle, start, serve } = await makeStage()
    start()
    serve('none.test')
    await settle()
    expect(asked).toHaveLength(1)
    await settle(29_000)
    certificates.look()
    await settle()
    expect(asked).toHaveLength(1)
    await settle(2_000)
    certificates.look()
    await settle()
    expect(asked).toHaveLength(2)
    for (let minutes = 0; minutes < 10; minutes++) {
      await settle(60_000)
      certificates.look()
    }
    await settle()
    expect(asked).toHaveLength(4)
    served.clear()
    certificates.look()
    await settle(600_000)
    certificates.look()
    await settle()
    expect(asked).toHaveLength(4)
  })

  test('a thousand names take at most 100 a request, and five requests a second', async () => {
    const { asked, settle, start, serve } = await makeStage()
    start()
    serve(...Array.from({ length: 1_000 }, (_, n) => `n${n}.test`))
    await settle(1_100)
    expect(asked.every(({ length }) => length <= 100)).toBe(true)
    expect(asked.length).toBeGreaterThan(2)
    expect(asked.length).toBeLessThanOrEqual(6)
    await settle(2_000)
    expect(asked.flat()).toHaveLength(1_000)
  })

  test('a renewal replaces what there is, by its command, and nothing older ever does', async () => {
    const { issuer, certificates, asked, there, settle, start, serve } = await makeStage()
    there.set('a.test', await issue(issuer, 'a.test'))
    start()
    serve('a.test')
    await settle()
    certificates.prepare('a.test')
    const before = certificates.contextOf('a.test')
    there.set('a.test', await issue(issuer, 'a.test', { version: 2 }))
    certificates.hear({ host: 'a.test', version: 2 })
    await settle()
    certificates.prepare('a.test')
    expect(certificates.contextOf('a.test')).not.toBe(before)
    certificates.hear({ host: 'a.test', version: 1 })
    certificates.hear({ host: 'strange.test', version: 9 })
    await settle()
    expect(asked).toHaveLength(2)
  })

  test('a visitor whose handshake a renewal overtakes still gets a certificate', async () => {
    const { issuer, certificates, there, settle, start, serve } = await makeStage()
    there.set('a.test', await issue(issuer, 'a.test'))
    start()
    serve('a.test')
    await settle()
    certificates.prepare('a.test')
    there.set('a.test', await issue(issuer, 'a.test', { version: 2 }))
    certificates.hear({ host: 'a.test', version: 2 })
    await settle()
    expect(certificates.contextOf('a.test')).toBeDefined()
  })

  test('few contexts are kept, those of the names that were requested last', async () => {
    const { issuer, certificates, there, settle, start, serve } = await makeStage({ contextsMax: 2 })
    for (const name of ['a.test', 'b.test', 'c.test']) there.set(name, await issue(issuer, name))
    start()
    serve('a.test', 'b.test', 'c.test')
    await settle()
    const [a, b] = ['a.test', 'b.test'].map((name) => certificates.contextOf(name))
    expect(certificates.contextOf('a.test')).toBe(a)
    certificates.prepare('c.test')
    expect(certificates.contextOf('a.test')).toBe(a)
    const again = certificates.contextOf('b.test')
    expect([b, again].map((one) => one !== undefined)).toEqual([true, true])
    expect(again).not.toBe(b)
  })

  test('a certificate is there after a restart, readable by nobody else, and gone when its name is', async () => {
    const first = await makeStage()
    first.there.set('a.test', await issue(first.issuer, 'a.test'))
    first.start()
    first.serve('a.test')
    await first.settle()
    await first.certificates.save()
    expect(statSync(join(first.dataDir, 'certificates.json')).mode & 0o777).toBe(0o600)
    const second = await makeStage({ dataDir: first.dataDir })
    expect(second.certificates.covers('a.test')).toBe(true)
    second.certificates.look()
    expect(second.certificates.covers('a.test')).toBe(false)
    await second.certificates.save()
    const third = await makeStage({ dataDir: first.dataDir })
    expect(third.certificates.covers('a.test')).toBe(false)
  })

  test('one in the last quarter of its life is requested every hour, and broken ones change nothing', async () => {
    const { issuer, certificates, asked, there, settle, start, serve } = await makeStage()
    const good = await issue(issuer, 'a.test')
    there.set('a.test', good)
    start()
    serve('a.test')
    await settle()
    there.set('a.test', { ...good, version: 3, chain: 'nothing' })
    await settle(70 * dayMs)
    for (let hours = 0; hours < 3; hours++) {
      certificates.look()
      await settle(3_600_000)
    }
    expect(asked.length).toBeGreaterThanOrEqual(4)
    expect(certificates.covers('a.test')).toBe(true)
  })

  test('a chain that is broken behind its leaf costs no visitor more than that certificate', async () => {
    const { issuer, certificates, there, settle, start, serve } = await makeStage()
    const good = await issue(issuer, 'a.test')
    const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
    there.set('a.test', { ...good, chain: good.chain + broken })
    start()
    serve('a.test')
    await settle()
    expect(() => certificates.prepare('a.test')).not.toThrow()
    expect(certificates.contextOf('a.test')).toBeUndefined()
  })

  test('ticket keys are the same at all relays of a cell on one day, and others on the next', () => {
    const [day, next] = [dayMs * 20_000, dayMs * 20_001]
    expect(ticketKeys('secret', day)).toEqual(ticketKeys('secret', day + dayMs - 1))
    expect(ticketKeys('secret', day)).toHaveLength(48)
    expect(ticketKeys('secret', next)).not.toEqual(ticketKeys('secret', day))
    expect(ticketKeys('other', day)).not.toEqual(ticketKeys('secret', day))
  })
})
