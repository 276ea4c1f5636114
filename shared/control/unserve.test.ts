/** Agents that may no longer serve stop serving within the time that a job takes. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../standalone/testing/control.ts'
import type { Lease } from '../api/schemas/tunnels.ts'
import { keyOfCode } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import type { Caller } from './caller.ts'
import { claimLeases, renewLeases } from './claims.ts'
import { keys } from './documents.ts'
import { createKey, revokeKey } from './keys.ts'
import { changeLimits } from './limits.ts'
import { addMember, changeRole, removeMember } from './members.ts'
import { builtInCatalogue } from './money/built-in.ts'
import { grantOf } from './money/grants.ts'
import { queries } from './query-table.ts'
import { quotas } from './quota-documents.ts'
import { describeTunnels, listTunnels } from './tunnels.ts'

const laptop = newId('agt', 1)
const desktop = newId('agt', 2)

let t: TestControl
let ada: Caller
beforeEach(async () => {
  t = makeTestControl()
  await t.openCell()
  ada = await t.caller('ada@example.com')
})
afterEach(() => t.close())

type Wanted = { name: string; kind: 'tcp'; agents?: 'many' }

async function claim(caller: Caller, tunnels: readonly Wanted[], agent = laptop): Promise<readonly Lease[]> {
  const { results } = await claimLeases(t.control, caller, { agent, tunnels: [...tunnels], takeover: false })
  return results.map((result) => {
    if ('problem' in result) throw new Error(result.problem.code)
    return result.lease
  })
}

const db: Wanted = { name: 'db', kind: 'tcp' }
const pool: Wanted = { ...db, agents: 'many' }

/** The caller with a new key of `owner`. */
async function byKey(owner: Caller): Promise<Caller & { readonly secret: string }> {
  const { secret } = await createKey(t.of(owner), owner, { name: 'ci', scopes: ['tunnels'] })
  return { ...(await t.principals.authenticate(secret, '192.0.2.1')), secret }
}

/** A colleague of Ada's. */
async function colleague(role: 'admin' | 'developer'): Promise<Caller> {
  const bob = await t.caller('bob@example.com')
  await addMember(t.of(ada), { user: bob.member, role, actor: ada.actor })
  return { ...bob, account: ada.account, role }
}

async function states(): Promise<readonly string[]> {
  const { items } = await listTunnels(t.of(ada), ada, { limit: 10 })
  const described = await describeTunnels(t.of(ada), items)
  return described.map(({ name, state, holders }) => `${name} ${state} ${holders.length}`).toSorted()
}

const reasons = async () =>
  (await t.sync()).commands.flatMap((command) => (command.kind === 'revoke' ? [command.reason] : []))

const counted = async () => (await t.control.store.get(quotas.ref(ada.account)))?.data

describe('unserve', () => {
  test('a revoked key ends what its agents serve, and nothing else', async () => {
    const ci = await byKey(ada)
    await claim(ci, [db])
    await claim(ada, [{ name: 'web', kind: 'tcp' }], desktop)
    await revokeKey(t.of(ada), ada, ci.actor)
    await t.runJobs()
    expect(await states()).toEqual(['db offline 0', 'web connecting 1'])
    expect(await reasons()).toEqual(['released'])
    expect(await counted()).toMatchObject({ online: 1, keys: 0 })
  })

  test('in a pool only its part ends, and the others claim again at a new epoch', async () => {
    const ci = await byKey(ada)
    const [first] = await claim(ci, [pool])
    await claim(ada, [pool], desktop)
    await revokeKey(t.of(ada), ada, ci.actor)
    await t.runJobs()
    expect(await states()).toEqual(['db connecting 1'])
    expect(await reasons()).toEqual(['moved'])
    const [again] = await claim(ada, [pool], desktop)
    expect(again?.epoch).toBeGreaterThan(first?.epoch ?? 0)
    expect(await counted()).toMatchObject({ online: 1 })
  })

  test('a removed member has no valid key and no tunnel left, and no longer counts', async () => {
    const bob = await colleague('developer')
    const key = await byKey(bob)
    await claim(key, [db])
    await claim(bob, [{ name: 'web', kind: 'tcp' }], desktop)
    expect(await counted()).toMatchObject({ members: 2, keys: 1, online: 2 })
    await removeMember(t.of(ada), ada, { id: bob.member, email: 'bob@example.com' })
    await t.runJobs()
    expect(await states()).toEqual(['db offline 0', 'web offline 0'])
    expect(await counted()).toMatchObject({ members: 1, keys: 0, online: 0 })
    const { items } = await t.control.store.query(queries.keyById, {
      where: { account: ada.account, key: key.actor },
      limit: 1,
    })
    expect(items[0] && (await t.control.store.get(keys.ref(items[0].ref.id)))?.data.revokedAt).not.toBe(0)
  })

  test('a role that may not serve ends it, and one that may changes nothing', async () => {
    const bob = await colleague('admin')
    await claim(await byKey(bob), [db])
    await changeRole(t.of(ada), ada, { member: bob.member, role: 'developer' })
    await t.runJobs()
    expect(await states()).toEqual(['db connecting 1'])
    await changeRole(t.of(ada), ada, { member: bob.member, role: 'viewer' })
    await t.runJobs()
    expect(await states()).toEqual(['db offline 0'])
    expect((await counted())?.keys, 'the key may become valid again').toBe(1)
  })

  test('an agent that has the right back before the job runs keeps what it serves', async () => {
    const bob = await colleague('developer')
    await claim(await byKey(bob), [db])
    for (const role of ['viewer', 'developer'] as const)
      await changeRole(t.of(ada), ada, { member: bob.member, role })
    await t.runJobs()
    expect(await states()).toEqual(['db connecting 1'])
  })
})

describe('limits', () => {
  test('a smaller plan ends the newest leases above its limit, for good', async () => {
    const leases: Lease[] = []
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      leases.push(...(await claim(ada, [{ name, kind: 'tcp' }])))
      t.clock.advance(1)
    }
    await changeLimits(t.of(ada), (_, before) => ({ ...before, ...grantOf(builtInCatalogue, 'free') }))
    await t.runJobs()
    const held = leases.map(({ tunnel, epoch }) => ({ tunnel, epoch }))
    const { results } = await renewLeases(t.control, ada, { agent: laptop, leases: held })
    expect(results.map((one) => ('problem' in one ? keyOfCode(one.problem.code) : 'leased'))).toEqual([
      'leased',
      'leased',
      'leased',
      'quota.displaced',
      'quota.displaced',
    ])
    expect(await reasons()).toEqual(['displaced', 'displaced'])
    expect((await counted())?.online).toBe(3)
  })

  test('a larger plan ends nothing', async () => {
    await claim(ada, [db])
    const overrides = { tunnelsOnline: 1 }
    await changeLimits(t.of(ada), (_, before) => ({
      ...before,
      ...grantOf(builtInCatalogue, 'team'),
      overrides,
    }))
    await t.runJobs()
    expect(await states()).toEqual(['db connecting 1'])
  })
})
