/**
 * The promises of the audit log, for any Store: with any writers, wherever a sealer dies, and whatever expires or is
 * erased, every entry is sealed once and every seal verifies; and every change of an entry, a leaf or a seal is
 * detected.
 */
import { describe, expect } from 'vitest'
import { newId } from '../base/ids.ts'
import { silentLog } from '../base/log.ts'
import { exportAudit, readExport, readExportPart, startExport } from '../control/audit/export.ts'
import { checkExport } from '../control/audit/export-check.ts'
import { proveEntry } from '../control/audit/reading.ts'
import { sealAudit } from '../control/audit/sealer.ts'
import { sealHash, verifyProof } from '../control/audit/seals.ts'
import { verifyAudit } from '../control/audit/verify.ts'
import { auditWrite } from '../control/audit.ts'
import { audit, sealLeaves, seals } from '../control/audit-documents.ts'
import type { Caller } from '../control/caller.ts'
import type { AccountControl, Control } from '../control/control.ts'
import { accounts } from '../control/documents.ts'
import { leaseMs } from '../control/jobs/jobs.ts'
import { Worker } from '../control/jobs/worker.ts'
import type { Store } from '../control/platform.ts'
import { queries } from '../control/query-table.ts'
import { scopedStore } from '../control/scoped-store.ts'
import { type Cases, casesOn } from './cases.ts'
import { bound, dyingAt } from './dying-store.ts'
import { FakeClock } from './fake-clock.ts'
import type { MakeStore } from './store.contract.ts'

const account = 'acc_01k0000000000000000000test'
const dayMs = 24 * 3_600_000

function makeStage(store: Store) {
  const clock = new FakeClock()
  const over = (other: Store) =>
    ({ store: other, clock, random: Math.random, log: silentLog }) as unknown as Control
  const workerOf = (other: Store) => {
    const control = over(other)
    return new Worker({ control, kinds: [sealAudit(control)], atOnce: 4 })
  }
  return {
    store,
    clock,
    /** @returns the ids of new entries */
    async write(count: number): Promise<readonly string[]> {
      const entry = { account, actor: 'usr', action: 'key.created', target: 'key', from: '' } as const
      const writes = Array.from({ length: count }, (_, n) =>
        auditWrite({ ...entry, details: { n } }, clock.now()),
      )
      for (let start = 0; start < count; start += 400) await store.batch(writes.slice(start, start + 400))
      return writes.map(({ ref }) => ref.id)
    },
    async seal(by: Store = store): Promise<void> {
      const worker = workerOf(by)
      await worker.begin()
      clock.advance(leaseMs + 1)
      await worker.take(['audit.seal:all'])
    },
    verify: () => verifyAudit(store, { nowMs: clock.now() }),
    unsealed: async () =>
      (await store.query(queries.auditBySeal, { where: { seal: 0 }, limit: 500 })).items.length,
  }
}

export function describeAudit(name: string, make: MakeStore, cases: Cases = 'all'): void {
  const { race, rule } = casesOn(make, makeStage, cases)

  describe(`audit: ${name}`, () => {
    race('many entries are sealed, each once, and the chain verifies', async (stage) => {
      await stage.write(1_203)
      await stage.seal()
      expect(await stage.unsealed()).toBe(0)
      expect(await stage.verify()).toMatchObject({ seals: 3, intact: 1_203, gone: 0, problems: [] })
      await stage.seal()
      expect((await stage.verify()).seals).toBe(3)
    })

    rule(
      'a sealer that dies at any write leaves nothing unsealed and nothing sealed twice',
      async (stage) => {
        let written = 0
        for (const when of ['before', 'after'] as const)
          for (let n = 1; n <= 6; n++) {
            written += (await stage.write(3)).length
            await stage.seal(dyingAt(stage.store, n, when)).catch(() => undefined)
            written += (await stage.write(2)).length
            // Nothing is wrong even where it died between a seal and its marks.
            expect((await stage.verify()).problems).toEqual([])
            if (n % 2 === 0) await stage.seal()
          }
        await stage.seal()
        expect(await stage.unsealed()).toBe(0)
        expect(await stage.verify()).toMatchObject({ intact: written, gone: 0, problems: [] })
      },
    )

    race('two sealers at once, one of which stalled, seal nothing twice', async (stage) => {
      await stage.write(30)
      const held = Promise.withResolvers<void>()
      const reached = Promise.withResolvers<void>()
      const slow: Store = {
        ...bound(stage.store),
        query: async (query, options) => {
          const page = await stage.store.query(query, options)
          if (query.name === queries.auditBySeal.name) {
            reached.resolve()
            await held.promise
          }
          return page
        },
      }
      const stalled = stage.seal(slow)
      await reached.promise
      await stage.seal()
      await stage.write(1)
      await stage.seal()
      held.resolve()
      await stalled
      await stage.seal()
      expect(await stage.verify()).toMatchObject({ intact: 31, problems: [] })
    })

    rule('plans decide how long entries stay; deleted ones leave every seal valid', async (stage) => {
      const fresh = { name: 'a', status: 'active', statusVersion: 1, overrides: {}, createdAt: 1 } as const
      await stage.store.create(accounts.ref(account), { ...fresh, plan: 'pro' })
      const ids = await stage.write(10)
      await stage.seal()
      const [first = '', second = ''] = ids
      const { at = 0 } = (await stage.store.get(seals.ref('1')))?.data ?? {}
      const kept = (await stage.store.get(audit.ref(first)))?.data
      expect(kept?.ttl?.getTime()).toBe(at + 90 * dayMs)
      await stage.store.batch([first, second].map((id) => ({ op: 'delete', ref: audit.ref(id) })))
      expect(await stage.verify()).toMatchObject({ intact: 8, gone: 2, goneEarly: 2, problems: [] })
      stage.clock.advance(8 * dayMs)
      expect(await stage.verify()).toMatchObject({ gone: 2, goneEarly: 0, problems: [] })
    })

    rule('an entry proves by itself that it was sealed', async (stage) => {
      const ids = await stage.write(11)
      const own = { store: scopedStore(stage.store, account) }
      await expect(proveEntry(stage, own, ids[0] ?? '')).rejects.toMatchObject({ key: 'audit.unsealed' })
      await stage.seal()
      for (const id of ids) {
        const proof = await proveEntry(stage, own, id)
        const stated = { ...proof, hash: sealHash(proof.seal) }
        expect(verifyProof(stated)).toBeUndefined()
        expect(verifyProof({ ...stated, entry: { ...proof.entry, body: '{}' } })).toBeDefined()
        expect(verifyProof({ ...stated, seal: { ...proof.seal, at: 1 } })).toBeDefined()
        expect(verifyProof({ ...stated, id: newId('aud', 1) })).toBeDefined()
      }
      const foreign = { store: scopedStore(stage.store, 'acc_other') }
      await expect(proveEntry(stage, foreign, ids[0] ?? '')).rejects.toMatchObject({ key: 'api.not_found' })
    })

    rule('an export is whole, wherever its worker dies', async (stage) => {
      await stage.write(220)
      await stage.seal()
      const bus = { publish: async () => {} }
      const { store, clock } = stage
      const own = {
        store: scopedStore(store, account),
        bus,
        clock,
        log: silentLog,
      } as unknown as AccountControl
      const caller = { account, actor: 'usr', from: '' } as unknown as Caller
      const span = { from: 0, to: clock.now() }
      clock.advance(1)
      await startExport(own, caller, span)
      for (let n = 1; n <= 8; n++)
        for (const when of ['before', 'after'] as const) {
          const control = { ...stage, store: dyingAt(store, n, when), random: Math.random, log: silentLog }
          const kinds = [exportAudit(control as unknown as Control)]
          const worker = new Worker({ control: control as unknown as Control, kinds, atOnce: 1 })
          await worker.take([`audit.export:${account}`]).catch(() => undefined)
          clock.advance(leaseMs + 3_600_001)
        }
      const { parts, entries, readyAt } = await readExport(own)
      expect([parts, entries, readyAt > 0]).toEqual([3, 220, true])
      const numbers = Array.from({ length: parts }, (_, index) => index + 1)
      const texts = await Promise.all(numbers.map((number) => readExportPart(own, number)))
      const report = await checkExport(texts.join('').split('\n'), new Map())
      expect(report).toMatchObject({ entries: 220, intact: 220, problems: [] })
    })

    rule('every change of an entry, a leaf or a seal is detected', async (stage) => {
      const ids = await stage.write(5)
      await stage.seal()
      await stage.write(5)
      await stage.seal()
      const { store } = stage
      const first = audit.ref(ids[0] ?? '')
      const found = async () => (await stage.verify()).problems.length
      expect(await found()).toBe(0)
      const noted = (await stage.verify()).hash
      const entry = (await store.get(first))?.data
      const seal = (await store.get(seals.ref('1')))?.data
      const leaves = (await store.get(sealLeaves.ref('1')))?.data
      if (!entry || !seal || !leaves) throw new Error('nothing was sealed')
      const other = { ...entry, actor: 'usr_other' }
      for (const changed of [
        other,
        { ...other, body: JSON.stringify({ ...JSON.parse(entry.body ?? ''), actor: 'usr_other' }) },
        { ...entry, leaf: '0'.repeat(64) },
        { ...entry, salt: 'x' },
        { ...entry, seal: 2 },
        { ...entry, seal: 0 },
        { ...entry, from: '192.0.2.9' },
      ]) {
        await store.set(first, changed)
        expect(await found()).toBeGreaterThan(0)
      }
      await store.set(first, entry)
      const [anId = '', ...ids2] = leaves.ids
      for (const changed of [
        { ...leaves, leaves: [...leaves.leaves].reverse() },
        { ...leaves, ids: [...leaves.ids].reverse() },
        { ...leaves, ids: ids2, leaves: leaves.leaves.slice(1) },
        { ...leaves, ids: [newId('aud', 1), ...ids2] },
        { ...leaves, ids: [anId, ...leaves.ids], leaves: [leaves.leaves[0] ?? '', ...leaves.leaves] },
      ]) {
        await store.set(sealLeaves.ref('1'), changed)
        expect(await found()).toBeGreaterThan(0)
      }
      await store.delete(sealLeaves.ref('1'))
      expect(await found()).toBeGreaterThan(0)
      await store.set(sealLeaves.ref('1'), leaves)
      for (const changed of [
        { ...seal, root: '0'.repeat(64) },
        { ...seal, at: seal.at + 1 },
        { ...seal, count: 4 },
        { ...seal, prev: '1' },
        { ...seal, number: 7 },
      ]) {
        await store.set(seals.ref('1'), changed)
        expect(await found()).toBeGreaterThan(0)
      }
      await store.set(seals.ref('1'), seal)
      await store.create(audit.ref(newId('aud', 1)), { ...entry, actor: 'usr_forged' })
      expect(await found()).toBe(1)
      // Rewriting all of it is detected by the hashes that were noted outside.
      const options = { nowMs: stage.clock.now() }
      const before = (await verifyAudit(store, options)).problems.length
      await store.delete(seals.ref('2'))
      const { problems } = await verifyAudit(store, { ...options, noted: new Map([[2, noted]]) })
      expect(problems.length).toBeGreaterThan(before)
    })
  })
}
