/**
 * A server that goes on from an earlier state, among agents and relays that know the later one: whatever they know,
 * nobody keeps what the store gives to somebody else, nobody who has a right to a lease is sent away for good, and
 * nothing is counted twice.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ClaimResult, Lease } from '@porttunneler/shared/api/schemas/tunnels'
import { systemClock } from '@porttunneler/shared/base/clock'
import { keyOfCode } from '@porttunneler/shared/base/errors'
import { newId } from '@porttunneler/shared/base/ids'
import { silentLog } from '@porttunneler/shared/base/log'
import { ensureAccount, readAccount, setAccountStatus } from '@porttunneler/shared/control/accounts'
import { claimLeases, renewLeases } from '@porttunneler/shared/control/claims'
import { type Control, controlOf } from '@porttunneler/shared/control/control'
import { accounts, endpoints, tunnels } from '@porttunneler/shared/control/documents'
import { createKey, revokeKey } from '@porttunneler/shared/control/keys'
import { Principals, personCaller } from '@porttunneler/shared/control/principals'
import { syncRelay } from '@porttunneler/shared/control/relays'
import { updateTunnel } from '@porttunneler/shared/control/tunnels'
import { usageHours } from '@porttunneler/shared/control/usage-documents'
import { ticketOrigin } from '@porttunneler/shared/protocol/ticket'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ControlPlane, openControlPlane } from '../control-plane.ts'
import { openDataFolder } from '../data-folder.ts'
import { runOnFolder } from '../office.ts'
import { quietSync } from '../testing/control.ts'
import { createBackup } from './create.ts'
import { restoreBackup } from './restore.ts'

const laptop = newId('agt', 1)
const desktop = newId('agt', 2)
const relay = { relay: newId('rel', 1), cell: 'home' }
const cell = { host: 'localhost', domain: 'localhost', portFrom: 20_000, portTo: 20_009 }
const face = { httpScheme: 'http', httpPort: 8480, tlsPort: 8443 } as const

let root: string
let plane: ControlPlane
let close: () => Promise<void>

async function open(name: string): Promise<void> {
  const folder = openDataFolder(join(root, name))
  const settings = {
    consoleUrl: 'http://localhost',
    registration: 'open',
    plan: 'pro',
    version: '0.0.0',
  } as const
  const around = { clock: systemClock, random: Math.random, log: silentLog, proxies: [] }
  plane = openControlPlane({ folder, ...settings, ...around })
  close = async () => {
    await plane.close()
    folder.close()
  }
  await plane.ensureCell({ ...cell, ...face })
  await syncRelay(control(), relay, quietSync)
}

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'pt-restored-'))
  await open('data')
})
afterEach(async () => {
  await close()
  rmSync(root, { recursive: true, force: true })
})

const control = (): Control => plane.office.control
const backUp = () => createBackup({ data: join(root, 'data'), file: join(root, 'backup'), nowMs: Date.now() })

/** The server is lost, and goes on from the backup. */
async function restore(): Promise<unknown> {
  await close()
  const { settled } = await restoreBackup({
    data: join(root, 'again'),
    file: join(root, 'backup'),
    operator: 'grace',
  })
  await open('again')
  return settled
}

async function caller(email = 'ada@example.com') {
  const claims = {
    subject: `test:${email.replace('@', '.')}`,
    email,
    emailVerified: true,
    authTimeMs: Date.now(),
  }
  const { user, members } = await ensureAccount(control(), claims, { plan: 'pro' })
  const [member] = members
  if (!member) throw new Error('an account without a member')
  const { data } = await readAccount(control(), member.account)
  return personCaller(data, { person: { id: user, email, emailVerified: true }, member, from: '192.0.2.1' })
}

const claim = async (name: string, { agent = laptop, takeover = false, email = 'ada@example.com' } = {}) =>
  claimLeases(control(), await caller(email), { agent, tunnels: [{ name, kind: 'tcp' }], takeover })
const renew = async ({ tunnel, epoch }: Lease, agent = laptop) =>
  keyOf(await renewLeases(control(), await caller(), { agent, leases: [{ tunnel, epoch }] }))

function leaseOf({ results: [first] }: ClaimResult): Lease {
  if (!first || !('lease' in first)) throw new Error(`no lease: ${JSON.stringify(first)}`)
  return first.lease
}
function keyOf({ results: [first] }: ClaimResult) {
  return first && 'problem' in first ? keyOfCode(first.problem.code) : 'leased'
}

test('an agent that took a lease after the backup gets it again, above every epoch that relays know', async () => {
  leaseOf(await claim('db'))
  await backUp()
  const later = leaseOf(await claim('db', { agent: desktop, takeover: true }))
  expect(await restore()).toMatchObject({ leases: 1 })
  expect(await renew(later, desktop), 'not lost for good').toBe('lease.gone')
  const again = leaseOf(await claim('db', { agent: desktop }))
  expect(again.epoch).toBeGreaterThan(later.epoch)
})

test('the agent of the backup does not go on with the epoch of then', async () => {
  const before = leaseOf(await claim('db'))
  await backUp()
  const later = leaseOf(await claim('db', { takeover: true, agent: desktop }))
  await restore()
  expect(await renew(before)).toBe('lease.gone')
  expect(leaseOf(await claim('db')).epoch).toBeGreaterThan(later.epoch)
})

test('a tunnel that was made after the backup is made again by its agent', async () => {
  await caller()
  await backUp()
  const lease = leaseOf(await claim('new'))
  await restore()
  expect(await renew(lease), 'its agent claims again').toBe('lease.gone')
  expect(leaseOf(await claim('new')).tunnel).not.toBe(lease.tunnel)
})

test('no ticket of before can bind what is somebody else’s now', async () => {
  await caller('eve@example.com')
  await backUp()
  const forgotten = leaseOf(await claim('db'))
  const { kid } = ticketOrigin(forgotten.ticket) ?? {}
  const known = await control().signer.describe()
  expect(known.map((key) => key.kid)).toContain(kid)
  await restore()
  const { keys } = await syncRelay(control(), relay, quietSync)
  const kids = keys.jwks.keys.map((key) => key.kid)
  expect(kids.length).toBeGreaterThan(0)
  for (const { kid: old } of known) expect(kids).not.toContain(old)
  expect(keys.version, 'relays that are told of a change look').toBeGreaterThan(1)
})

test('a policy or suspension that is set afterwards counts more than any that relays know', async () => {
  const { tunnel } = leaseOf(await claim('db'))
  const { account } = await caller()
  await backUp()
  const versions = async () => ({
    policy: (await control().store.get(tunnels.ref(tunnel)))?.data.policyVersion ?? 0,
    status: (await control().store.get(accounts.ref(account)))?.data.statusVersion ?? 0,
  })
  const change = async () => {
    const policyParts = { allow: ['192.0.2.0/24'] }
    await updateTunnel(controlOf(control(), account), await caller(), { id: tunnel, change: {}, policyParts })
    await setAccountStatus(control(), account, 'suspended')
    await setAccountStatus(control(), account, 'active')
  }
  for (let times = 0; times < 3; times++) await change()
  const known = await versions()
  await restore()
  await change()
  const now = await versions()
  expect(now.policy).toBeGreaterThan(known.policy)
  expect(now.status).toBeGreaterThan(known.status)
})

test('usage that relays report again is counted once', async () => {
  const { tunnel } = leaseOf(await claim('db'))
  const { account } = await caller()
  const hour = Math.floor(Date.now() / 3_600_000) * 3_600_000
  const { boot } = quietSync.boot
  const row = { tunnel, account, hour, boot, in: 100, out: 200, opened: 3, refused: 0 }
  const report = (more: Partial<typeof row> = {}) =>
    syncRelay(control(), relay, { ...quietSync, usage: [{ ...row, ...more }] })
  const counted = async () =>
    (await control().store.get(usageHours.ref(`${tunnel}:${hour}:${boot}`)))?.data.in
  await report()
  await backUp()
  await report({ in: 150 })
  await restore()
  expect(await counted()).toBe(100)
  await report({ in: 150 })
  await report({ in: 150 })
  await report()
  expect(await counted()).toBe(150)
})

test('a key that was revoked after the backup is back, so the restore says from when it is, and so does the audit', async () => {
  const ada = await caller()
  const { secret, key } = await createKey(controlOf(control(), ada.account), ada, {
    name: 'k',
    scopes: ['tunnels'],
  })
  const { at } = await backUp()
  await revokeKey(controlOf(control(), ada.account), ada, key.id)
  await restore()
  const { account } = await new Principals(control()).authenticate(secret, '192.0.2.1')
  expect(account).toBe(ada.account)
  await close()
  const list = await runOnFolder(join(root, 'again'), { act: 'audit.list', input: {}, operator: 'grace' })
  expect(list).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        action: 'store.restored',
        details: { restoredTo: new Date(at).toISOString() },
      }),
    ]),
  )
  await open('again')
})

test('a free address whose lease was forgotten is served by whoever claims it, at a higher epoch', async () => {
  await caller('eve@example.com')
  await backUp()
  const forgotten = leaseOf(await claim('db'))
  await restore()
  const ada = await caller()
  const id = `tcp:home:${forgotten.endpoint.port}`
  expect((await control().store.get(endpoints.ref(id)))?.data.state).toBe('free')
  const tunnelsOf = [{ name: 'web', kind: 'tcp' as const, port: forgotten.endpoint.port }]
  const eve = await caller('eve@example.com')
  const lease = leaseOf(
    await claimLeases(control(), eve, { agent: desktop, tunnels: tunnelsOf, takeover: false }),
  )
  expect(lease.epoch).toBeGreaterThan(forgotten.epoch)
  expect(ada.account).not.toBe(eve.account)
})
