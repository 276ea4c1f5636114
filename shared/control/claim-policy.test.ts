import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../standalone/testing/control.ts'
import type { Lease } from '../api/schemas/tunnels.ts'
import { keyOfCode } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import { checkTicket } from '../protocol/ticket.ts'
import type { Caller } from './caller.ts'
import { claimLeases } from './claims.ts'
import type { LoosePolicy } from './policies.ts'
import { readTunnel, updateTunnel } from './tunnels.ts'

const agent = newId('agt', 1)
let t: TestControl
let ada: Caller
let server: Caller

beforeEach(async () => {
  t = makeTestControl()
  await t.openCell()
  ada = await t.caller('ada@example.com')
  const permissions = new Set([...ada.permissions].filter((one) => one !== 'tunnels.write'))
  server = { ...ada, permissions }
})
afterEach(() => t.close())

type Wanted = { name?: string; kind?: 'http' | 'tcp'; policy?: LoosePolicy; tags?: string[] }

async function claim(caller: Caller, { name, kind = 'http', policy, tags }: Wanted) {
  const tunnels = [
    { kind, ...(name !== undefined && { name }), ...(policy && { policy }), ...(tags && { tags }) },
  ]
  const { results } = await claimLeases(t.control, caller, { agent, tunnels, takeover: false })
  const [result] = results
  if (!result) throw new Error('no result')
  return result
}

async function claimLease(wanted: Wanted, caller = ada): Promise<Lease> {
  const result = await claim(caller, wanted)
  if (!('lease' in result)) throw new Error(JSON.stringify(result))
  return result.lease
}

async function ticketOf({ ticket }: Lease) {
  const { jwks } = await t.control.signer.publicKeys()
  return checkTicket(ticket, { keys: jwks, cell: 'home', nowMs: t.clock.now() })
}

const policyIn = async (lease: Lease) => (await ticketOf(lease)).policy

describe('edits of requests and answers', () => {
  const edits = { redirects: [{ from: '/a', to: '/b' }], requestHeaders: { remove: ['Cookie'] } }

  test.each([
    [{ redirects: [{ from: '', to: '/b' }] }, 'edits.redirects.0.from: "" is no place'],
    [{ redirects: [{ from: '/a', to: 'ü' }] }, 'edits.redirects.0.to: the target'],
    [{ requestHeaders: { set: { Host: 'x' } } }, 'edits.requestHeaders.set.Host'],
    [{ responseHeaders: { add: { 'x-a': ['a\r\nb'] } } }, 'edits.responseHeaders.add.x-a'],
    [{ requestHeaders: { remove: ['Content-Length'] } }, 'edits.requestHeaders.remove.0: Content-Length'],
  ])('%j is refused with its place', async (wrong, detail) => {
    const { tunnel: id } = await claimLease({ name: 'web' })
    const change = updateTunnel(t.of(ada), ada, { id, change: { edits: wrong } })
    await expect(change).rejects.toMatchObject({
      key: 'policy.edits',
      detail: expect.stringContaining(detail),
    })
  })

  test('travel with the lease to the agent and not in the ticket to relays', async () => {
    const { tunnel: id } = await claimLease({ name: 'web' })
    await updateTunnel(t.of(ada), ada, { id, change: { edits } })
    const lease = await claimLease({ name: 'web' })
    expect(lease.edits).toEqual(edits)
    expect(JSON.stringify(await ticketOf(lease))).not.toContain('Cookie')
    await updateTunnel(t.of(ada), ada, { id, change: { policy: {} } })
    expect((await claimLease({ name: 'web' })).edits).toEqual(edits)
    await updateTunnel(t.of(ada), ada, { id, change: { edits: {} } })
    expect(await claimLease({ name: 'web' })).not.toHaveProperty('edits')
  })

  test('are refused for a tunnel that passes bytes', async () => {
    const { tunnel: id } = await claimLease({ name: 'db', kind: 'tcp' })
    const change = updateTunnel(t.of(ada), ada, { id, change: { edits } })
    await expect(change).rejects.toMatchObject({ key: 'policy.needs_http' })
  })
})

describe('a claim that names tags', () => {
  const tagsOf = async ({ tunnel }: Lease) => (await readTunnel(t.of(ada), ada, tunnel)).data.tags

  test.each(['web', undefined])(
    'a new tunnel (%s) has them, and keeps them when none are named',
    async (name) => {
      const lease = await claimLease({ ...(name && { name }), tags: ['prod', 'team:web'] })
      expect(await tagsOf(lease)).toEqual(['prod', 'team:web'])
      expect(await tagsOf(await claimLease({ name: lease.name }))).toEqual(['prod', 'team:web'])
    },
  )

  test('an existing tunnel gets them in place of its own, and loses them by an empty list', async () => {
    await claimLease({ name: 'web', tags: ['old'] })
    expect(await tagsOf(await claimLease({ name: 'web', tags: ['new'] }))).toEqual(['new'])
    const lease = await claimLease({ name: 'web', tags: [] })
    expect((await readTunnel(t.of(ada), ada, lease.tunnel)).data).not.toHaveProperty('tags')
  })

  test('the same ones change nothing and need no right; others are refused to a key that may only serve', async () => {
    const first = await claimLease({ name: 'web', tags: ['prod'] })
    const { revision } = (await readTunnel(t.of(ada), ada, first.tunnel)).data
    await claimLease({ name: 'web', tags: ['prod'] }, server)
    expect((await readTunnel(t.of(ada), ada, first.tunnel)).data.revision).toBe(revision)
    const result = await claim(server, { name: 'web', tags: ['mine'] })
    expect('problem' in result && keyOfCode(result.problem.code)).toBe('auth.scope')
  })
})

describe('a claim that names parts of the policy', () => {
  test.each(['web', undefined])('a new tunnel (%s) has them in its first ticket', async (name) => {
    const policy = { httpsOnly: true, allow: ['10.0.0.0/8'] }
    const lease = await claimLease({ ...(name && { name }), policy })
    expect(lease.policySet).toEqual(['httpsOnly', 'allow'])
    expect(await policyIn(lease)).toMatchObject(policy)
    expect((await readTunnel(t.of(ada), ada, lease.tunnel)).data.policy).toEqual(policy)
  })

  test('an existing tunnel keeps the parts that are not named, and other relays hear of it', async () => {
    const { tunnel: id } = await claimLease({ name: 'web' })
    await updateTunnel(t.of(ada), ada, { id, change: { policy: { deny: ['192.0.2.1'], httpsOnly: false } } })
    const lease = await claimLease({ name: 'web', policy: { httpsOnly: true } })
    expect(lease.policySet).toEqual(['httpsOnly'])
    expect(await policyIn(lease)).toMatchObject({ deny: ['192.0.2.1'], httpsOnly: true })
    const { commands } = await t.sync()
    const policy = expect.objectContaining({ deny: ['192.0.2.1'], httpsOnly: true })
    expect(commands).toContainEqual(expect.objectContaining({ kind: 'policy', tunnel: id, policy }))
  })

  test('what already holds is not set again, and needs no right to change tunnels', async () => {
    const wanted = { name: 'web', policy: { allow: ['192.0.2.0/24'], requestsPerMinute: 60 } }
    const { tunnel } = await claimLease(wanted)
    const before = await readTunnel(t.of(ada), ada, tunnel)
    for (const caller of [ada, server])
      expect(await claimLease(wanted, caller)).not.toHaveProperty('policySet')
    expect((await readTunnel(t.of(ada), ada, tunnel)).data.revision).toBe(before.data.revision)
  })

  test('a key that may only serve gets no lease with another policy, and changes nothing', async () => {
    await claimLease({ name: 'web' })
    const result = await claim(server, { name: 'web', policy: { httpsOnly: true } })
    expect('problem' in result && keyOfCode(result.problem.code)).toBe('auth.scope')
    expect(await policyIn(await claimLease({ name: 'web' }))).not.toHaveProperty('httpsOnly')
  })

  test('a rule about requests is refused for a tunnel that passes bytes', async () => {
    const result = await claim(ada, { name: 'db', kind: 'tcp', policy: { httpsOnly: true } })
    expect('problem' in result && keyOfCode(result.problem.code)).toBe('policy.needs_http')
    const lease = await claimLease({ name: 'db', kind: 'tcp', policy: { deny: ['192.0.2.1'] } })
    expect(await policyIn(lease)).toMatchObject({ deny: ['192.0.2.1'] })
  })
})
