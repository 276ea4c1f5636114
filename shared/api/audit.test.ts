/** The audit log through the API: what is read, by which filter, and the proof that it stands as it was written. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestApi, type TestApi } from '../../standalone/testing/api.ts'
import { verifyProof } from '../control/audit/seals.ts'
import { verifyAudit } from '../control/audit/verify.ts'
import { makeClient } from './client.ts'

let t: TestApi
beforeEach(async () => {
  t = await makeTestApi()
})
afterEach(() => t.close())

const clientOf = (token: string) =>
  makeClient({
    baseUrl: 'https://tunnel.example.com',
    token: () => token,
    fetch: async (url, init) => t.app.request(url, init),
  })

describe('api: audit', () => {
  test('an entry says who did what, to what, from where and with which program', async () => {
    const headers = { 'user-agent': 'curl/8.1' }
    const json = { name: 'ci', scopes: ['read'] }
    const made = await t.call('POST', '/v1/keys', { token: t.ada, json, headers })
    const { id } = (await made.json()) as { id: string }
    const { items } = await clientOf(t.readKey).audit({ target: id })
    expect(items).toMatchObject([
      {
        actor: t.owner.actor,
        action: 'key.created',
        target: id,
        from: '192.0.2.1',
        userAgent: 'curl/8.1',
        details: { name: 'ci' },
        seal: 0,
      },
    ])
  })

  test('lists narrow by time and by one of action, actor and target; cursors stay with their list', async () => {
    const client = clientOf(t.ada)
    for (const name of ['one', 'two', 'three']) {
      t.clock.advance(1_000)
      await client.createTunnel({ name, kind: 'tcp' })
    }
    const now = t.clock.now()
    const namesOf = async (filter: Parameters<typeof client.audit>[0]) =>
      (await client.audit(filter)).items.map(({ details }) => details.name)
    const action = 'tunnel.created'
    expect(await namesOf({ action })).toEqual(['three', 'two', 'one'])
    expect(await namesOf({ action, to: now - 1_000 })).toEqual(['two', 'one'])
    expect(await namesOf({ actor: t.owner.actor, from: now })).toEqual(['three'])
    expect(await namesOf({ actor: 'usr_nobody' })).toEqual([])
    const first = await client.audit({ action, limit: 2 })
    expect((await client.audit({ action, limit: 2, cursor: first.next })).items).toMatchObject([
      { details: { name: 'one' } },
    ])
    await expect(client.audit({ limit: 2, cursor: first.next })).rejects.toMatchObject({ key: 'api.cursor' })
    await expect(client.audit({ action, actor: 'a' })).rejects.toMatchObject({ key: 'api.invalid' })
    expect((await clientOf(t.eve).audit({ action })).items).toEqual([])
  })

  test('an entry is proved once it is sealed, to nobody but its account', async () => {
    const client = clientOf(t.ada)
    const [entry] = (await client.audit()).items
    const id = entry?.id ?? ''
    await expect(client.auditProof(id)).rejects.toMatchObject({ key: 'audit.unsealed' })
    await t.runJobs()
    const proof = await client.auditProof(id)
    expect(verifyProof(proof)).toBeUndefined()
    expect(verifyProof({ ...proof, entry: { ...proof.entry, body: `${proof.entry.body} ` } })).toBeDefined()
    const { hash, problems } = await verifyAudit(t.control.store, { nowMs: t.clock.now() })
    expect([hash, problems]).toEqual([proof.hash, []])
    await expect(clientOf(t.eve).auditProof(id)).rejects.toMatchObject({ key: 'api.not_found' })
  })
})
