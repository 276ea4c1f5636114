/**
 * A cell of which all relays are gone at once: its tunnels go to another one, when an operator says that it is lost.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestControl, quietSync, type TestControl } from '../../standalone/testing/control.ts'
import type { ClaimResult, Lease } from '../api/schemas/tunnels.ts'
import { keyOfCode } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import { ensureCell, setCellState } from './cells.ts'
import { claimLeases, renewLeases } from './claims.ts'
import { silentMs } from './presence.ts'
import { syncRelay } from './relays.ts'

const agent = newId('agt', 1)
const second = 1_000
let t: TestControl

beforeEach(async () => {
  t = makeTestControl()
  await open('north')
})
afterEach(() => t.close())

async function open(id: string): Promise<void> {
  const face = { httpScheme: 'http', httpPort: 8080, tlsPort: 8443 } as const
  const domain = `${id}.example.com`
  await ensureCell(t.control, { id, host: domain, domain, portFrom: 20_000, portTo: 20_009, ...face })
  await report(id)
}
const relays = new Map<string, string>()
async function report(cell: string): Promise<void> {
  const relay = relays.get(cell) ?? newId('rel', t.clock.now())
  relays.set(cell, relay)
  const boot = { ...quietSync.boot, instance: `r-${cell}` }
  await syncRelay(t.control, { relay, cell }, { ...quietSync, boot })
}
/** Time passes, and the relays of these cells report as usual. */
async function pass(ms: number, cells: readonly string[]): Promise<void> {
  for (let passed = 0; passed < ms; passed += 30 * second) {
    t.clock.advance(30 * second)
    for (const cell of cells) await report(cell)
  }
}
const close = (id: string) => setCellState(t.control, { id, state: 'closed' }, () => {})
const claim = async () =>
  claimLeases(t.control, await t.caller(), {
    agent,
    tunnels: [{ name: 'web', kind: 'http' }],
    takeover: false,
  })
const renew = async ({ tunnel, epoch }: Lease) =>
  keyOf(await renewLeases(t.control, await t.caller(), { agent, leases: [{ tunnel, epoch }] }))

function keyOf({ results: [first] }: ClaimResult) {
  return first && 'problem' in first ? keyOfCode(first.problem.code) : 'leased'
}
function leaseOf({ results: [first] }: ClaimResult): Lease {
  if (!first || !('lease' in first)) throw new Error(`no lease: ${JSON.stringify(first)}`)
  return first.lease
}

test('once it is closed its tunnels are told to claim again, and are served by another cell', async () => {
  const lease = leaseOf(await claim())
  await open('south')
  await pass(silentMs + 60 * second, ['south'])
  expect(await renew(lease), 'its relays may be back').toBe('leased')
  await close('north')
  expect(await renew(lease)).toBe('lease.gone')
  expect(leaseOf(await claim())).toMatchObject({ cell: 'south', endpoint: { host: 'web.south.example.com' } })
})

test('a closed cell whose relays report keeps its tunnels', async () => {
  const lease = leaseOf(await claim())
  await open('south')
  await close('north')
  await pass(silentMs + 60 * second, ['north', 'south'])
  expect(await renew(lease)).toBe('leased')
})

test('a control plane that was away itself takes no cell for lost', async () => {
  const lease = leaseOf(await claim())
  await open('south')
  await close('north')
  t.clock.advance(10 * 60 * second)
  expect(await renew(lease), 'no relay was heard').toBe('leased')
  await report('south')
  expect(await renew(lease), 'others are back first').toBe('leased')
  await pass(silentMs + 30 * second, ['south'])
  expect(await renew(lease)).toBe('lease.gone')
})
