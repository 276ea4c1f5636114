/** Which records the job keeps for cells: by their relays, or by the balancer that stands in front of them. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, quietSync, type TestControl } from '../../standalone/testing/control.ts'
import { fail } from '../base/errors.ts'
import { ensureCell } from './cells.ts'
import { runAct } from './operator/acts.ts'
import { noDns } from './own-records.ts'
import type { ZoneRecord } from './platform.ts'
import { syncRelay } from './relays.ts'

const balancer = '9.9.9.9'
const host = 'eu.example.net'
const settings = {
  id: 'eu',
  host,
  domain: host,
  portFrom: 20_000,
  portTo: 20_001,
  httpScheme: 'https',
  httpPort: 443,
  tlsPort: 443,
} as const

let t: TestControl
let kept: readonly ZoneRecord[] | undefined
let isAway = false

beforeEach(() => {
  kept = undefined
  isAway = false
  t = makeTestControl({
    dns: {
      ...noDns,
      kind: 'cloudflare',
      keep: async (wanted) => {
        if (isAway) throw fail('dns.refused', 'not now')
        kept = wanted
        return { made: 0, removed: 0, foreign: [] }
      },
    },
  })
})
afterEach(() => t.close())

async function report(instance: string, address: string, sni = `${instance}.${host}`) {
  const agentAddress = { host: address, port: 8444, sni }
  const boot = { ...quietSync.boot, instance, agentAddress }
  await syncRelay(
    t.control,
    { relay: `rel_${instance.padStart(26, '0')}`, cell: 'eu' },
    { ...quietSync, boot },
  )
}

/** What the job wants, in lines. */
async function records(): Promise<readonly string[] | undefined> {
  await t.runJobs()
  return kept?.map(({ type, name, value }) => `${type} ${name} ${value}`)
}

describe('records of a cell', () => {
  test('lead to the one address of its relays, and the wildcard covers the relays’ own names', async () => {
    await ensureCell(t.control, settings)
    await report('r1-7', '8.8.8.8')
    await report('r2-7', '8.8.8.8')
    expect(await records()).toEqual([`A ${host} 8.8.8.8`, `A *.${host} 8.8.8.8`])
  })

  test('lead to the balancer where the cell has one, and each relay’s own name to the relay', async () => {
    await ensureCell(t.control, { ...settings, addresses: [balancer, '2606:4700::1'] })
    await report('r1-7', '8.8.8.8')
    await report('r1-8', '1.1.1.1')
    expect(await records()).toEqual([
      `A ${host} ${balancer}`,
      `AAAA ${host} 2606:4700::1`,
      `A *.${host} ${balancer}`,
      `AAAA *.${host} 2606:4700::1`,
      `A r1-7.${host} 8.8.8.8`,
      `A r1-8.${host} 1.1.1.1`,
    ])
  })

  test('lead to all relays where no balancer stands in front, and each relay’s own name to that one alone', async () => {
    await ensureCell(t.control, settings)
    await report('r1-7', '8.8.8.8')
    await report('r1-8', '1.1.1.1')
    expect(await records()).toEqual(
      expect.arrayContaining([`A r1-7.${host} 8.8.8.8`, `A r1-8.${host} 1.1.1.1`]),
    )
  })

  test('a relay gets no name beyond its cell, and none that a zone refuses', async () => {
    await ensureCell(t.control, { ...settings, addresses: [balancer] })
    for (const [n, name] of ['x.example.net', `a.b.${host}`, host, `*.${host}`, `-a.${host}`].entries())
      await report(`r${n}`, '8.8.8.8', name)
    expect(await records()).toEqual([`A ${host} ${balancer}`, `A *.${host} ${balancer}`])
  })

  test('are made at once for a new relay, and change at once with its address or that of the balancer', async () => {
    await ensureCell(t.control, settings)
    await report('r1-7', '8.8.8.8')
    await records()
    await report('r2-7', '1.1.1.1')
    expect(await records()).toContain(`A ${host} 1.1.1.1`)
    await report('r2-7', '1.0.0.1')
    expect(await records()).toContain(`A ${host} 1.0.0.1`)
    kept = undefined
    await report('r2-7', '1.0.0.1')
    expect(await records(), 'nothing new, nothing to do').toBeUndefined()
    const office = { control: t.control, enrolment: t.relayIdentity }
    await runAct(office, {
      act: 'cells.change',
      input: { id: 'eu', addresses: [balancer] },
      operator: 'grace',
    })
    expect(await records()).toContain(`A ${host} ${balancer}`)
  })

  test('are put right within ten minutes of the provider’s return, however long it was away', async () => {
    await ensureCell(t.control, settings)
    isAway = true
    for (let minute = 0; minute < 60; minute += 1) {
      await report('r1-7', '8.8.8.8')
      expect(await records()).toBeUndefined()
      t.clock.advance(60_000)
    }
    isAway = false
    t.clock.advance(9 * 60_000)
    await report('r1-7', '8.8.8.8')
    expect(await records()).toContain(`A ${host} 8.8.8.8`)
  })

  test('stay as they are while no relay reports', async () => {
    await ensureCell(t.control, { ...settings, addresses: [balancer] })
    expect(await records()).toBeUndefined()
  })

  test('keep the balancer when a starting server, which does not know it, applies its settings', async () => {
    await ensureCell(t.control, { ...settings, addresses: [balancer] })
    await ensureCell(t.control, settings)
    await report('r1-7', '8.8.8.8')
    expect(await records()).toContain(`A ${host} ${balancer}`)
    await ensureCell(t.control, { ...settings, addresses: [] })
    t.clock.advance(600_000)
    await report('r1-7', '8.8.8.8')
    expect(await records()).toContain(`A ${host} 8.8.8.8`)
  })
})
