/** The audit log through the API: reading, filters, and the proof that an entry is as it was written. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestApi, type TestApi } from '../../standalone/testing/api.ts'
import { exportAudit } from '../control/audit/export.ts'
import { checkExport } from '../control/audit/export-check.ts'
import { verifyProof } from '../control/audit/seals.ts'
import { verifyAudit } from '../control/audit/verify.ts'
import { type AuditEntry, auditWrite } from '../control/audit.ts'
import { Worker } from '../control/jobs/worker.ts'
import { makeClient } from './client.ts'

let t: TestApi
beforeEach(async () => {
  t = await makeTestApi({}, { plan: 'unlimited' })
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
    await expect(client.audit({ action, actor: 'a' })).rejects.toMatchObject({ key: 'api.combination' })
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

describe('api: an export of the audit log', () => {
  const exportOf = async (token: string, json: object = {}) => {
    const answer = await t.call('POST', '/v1/audit/export', { token, json })
    return { status: answer.status, body: await answer.json() }
  }
  const partOf = (token: string, number: number) => t.call('GET', `/v1/audit/export/${number}`, { token })
  const state = async (token: string) => (await t.call('GET', '/v1/audit/export', { token })).json()
  async function write() {
    // Once to seal the last entries, once more to export them.
    for (let round = 0; round < 3; round++) {
      t.clock.advance(121_000)
      await t.runJobs()
    }
  }
  async function load(parts: number): Promise<string[]> {
    const texts = await Promise.all(
      Array.from({ length: parts }, async (_, index) => (await partOf(t.readKey, index + 1)).text()),
    )
    return texts.join('').split('\n')
  }

  test('holds each entry once with its proof, in parts, and can be checked without the service', async () => {
    for (let n = 0; n < 230; n++) await t.control.store.batch([auditWrite(entryOf(n), t.clock.now())])
    expect(await exportOf(t.readKey)).toMatchObject({ status: 202, body: { state: 'writing', parts: 0 } })
    expect(await exportOf(t.readKey)).toMatchObject({ status: 409, body: { code: 'PT-1112' } })
    expect((await partOf(t.readKey, 1)).status).toBe(404)
    await write()
    const { parts, entries } = (await state(t.readKey)) as { parts: number; entries: number }
    expect([parts, entries > 230]).toEqual([3, true])
    expect((await partOf(t.readKey, 1)).headers.get('content-type')).toBe('application/x-ndjson')
    const lines = await load(parts)
    const { seals, hash } = await verifyAudit(t.control.store, { nowMs: t.clock.now() })
    const fine = { entries, intact: entries, unsealed: 0, noted: 1, problems: [] }
    expect(await checkExport(lines, new Map([[1, JSON.parse(lines[0] ?? '').hash]]))).toMatchObject(fine)
    // Another account cannot see it.
    expect((await partOf(t.eve, 1)).status).toBe(404)
    expect([seals > 0, hash]).toEqual([true, expect.stringMatching(/^[0-9a-f]{64}$/)])
    // The next one replaces it, and all of it is deleted after a week.
    expect((await exportOf(t.readKey, { from: t.clock.now() })).status).toBe(202)
    await write()
    expect(await state(t.readKey)).toMatchObject({ state: 'ready', parts: 1, entries: 1 })
    t.clock.advance(8 * 24 * 3_600_000)
    expect((await t.call('GET', '/v1/audit/export', { token: t.readKey })).status).toBe(404)
  })

  test('changed and cut exports are detected', async () => {
    await exportOf(t.readKey)
    await write()
    const { parts } = (await state(t.readKey)) as { parts: number }
    const lines = await load(parts)
    const problemsOf = async (changed: readonly string[], noted = new Map<number, string>()) =>
      (await checkExport(changed, noted)).problems
    const [first = ''] = lines
    const line = JSON.parse(first)
    const { entry, seal } = line
    expect(await problemsOf(lines)).toEqual([])
    const changes: readonly (readonly [object, RegExp])[] = [
      [{ ...line, entry: { ...entry, body: `${entry.body} ` } }, /line 1: aud_.* not what was sealed/],
      [{ ...line, id: lines[1]?.slice(7, 37) }, /line 1: aud_.* not what was sealed/],
      [{ ...line, seal: { ...seal, at: 0 } }, /the seal is not what its hash says/],
      [{ ...line, path: [] }, /not what was sealed/],
      [{ id: 5 }, /line 1: it is not a line/],
    ]
    for (const [changed, said] of changes)
      expect((await problemsOf([JSON.stringify(changed), ...lines.slice(1)])).join('; ')).toMatch(said)
    expect(await problemsOf(lines.slice(1))).toEqual([expect.stringContaining('but there are')])
    expect(await problemsOf([first, ...lines])).toEqual([expect.stringContaining('a second time')])
    expect(await problemsOf(lines.slice(0, 2))).toContain('the end is missing: the file was cut')
    const other = new Map([[seal.number, '0'.repeat(64)]])
    expect(await problemsOf(lines, other)).toEqual([expect.stringContaining('noted')])
  })

  test('entries that are never sealed are exported after ten minutes, marked as unsealed', async () => {
    await exportOf(t.readKey)
    // The sealer does not run, only the export.
    const control = t.control
    const worker = new Worker({ control, kinds: [exportAudit(control)], atOnce: 1 })
    for (let round = 0; round < 6; round++) {
      await worker.take([`audit.export:${t.owner.account}`])
      t.clock.advance(121_000)
    }
    const { parts, entries } = (await state(t.readKey)) as { parts: number; entries: number }
    const report = await checkExport(await load(parts), new Map())
    expect(report).toMatchObject({ entries, unsealed: entries, intact: 0, problems: [] })
  })

  function entryOf(n: number): AuditEntry {
    return {
      account: t.owner.account,
      actor: 'usr',
      action: 'key.created',
      target: 'k',
      from: '',
      details: { n },
    }
  }
})
