/**
 * A random play of the audit log: accounts write, sealers seal and die at any write, entries are erased. Then somebody
 * with all rights on the store changes one thing. `verifyAudit` finds nothing before the change, names the place after
 * it, and finds nothing once the change is undone.
 */
import { afterEach, expect, test } from 'vitest'
import { makeTestControl } from '../../../standalone/testing/control.ts'
import { newId } from '../../base/ids.ts'
import { isWhole } from '../../testing/breadth.ts'
import { dyingAt } from '../../testing/dying-store.ts'
import { seededRandom } from '../../testing/wire-pair.ts'
import { auditDocument } from '../audit.ts'
import { type AuditDoc, audit, sealLeaves, seals } from '../audit-documents.ts'
import { makeControl } from '../control.ts'
import { leaseMs } from '../jobs/jobs.ts'
import { Worker } from '../jobs/worker.ts'
import type { Doc, Ref, Store } from '../platform.ts'
import { sealAudit } from './sealer.ts'
import { merkleRoot } from './seals.ts'
import { verifyAudit } from './verify.ts'

/** `PT_SEEDS=50` for a long run, `PT_SEED=7` for one. */
const seeds = process.env.PT_SEED
  ? [Number(process.env.PT_SEED)]
  : Array.from({ length: Number(process.env.PT_SEEDS ?? (isWhole ? 4 : 1)) }, (_, index) => index + 1)
const steps = 60
const tampers = 40

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

function makeWorld(seed: number) {
  const random = seededRandom(seed)
  const t = makeTestControl()
  closers.push(() => t.close())
  const { clock, control } = t
  const { store } = control
  const below = (count: number) => Math.floor(random() * count)
  const pick = <T>(list: readonly T[]): T => {
    const found = list[below(list.length)]
    if (found === undefined) throw new Error('nothing to choose from')
    return found
  }
  const written: string[] = []
  const seal = async (by: Store) => {
    const dying = makeControl({ ...control, store: by }, { ...control })
    const worker = new Worker({ control: dying, kinds: [sealAudit(dying)], atOnce: 1 })
    await worker.begin()
    clock.advance(leaseMs + 1)
    await worker.take(['audit.seal:all'])
  }
  return {
    store,
    below,
    pick,
    written,
    verify: () => verifyAudit(store, { nowMs: clock.now() }),
    seal: () => seal(store),
    async step() {
      clock.advance(below(10_000))
      const kind = random()
      if (kind < 0.6)
        for (let left = 1 + below(12); left > 0; left--) {
          const id = newId('aud', clock.now())
          const by = { account: pick(['acc_one', 'acc_two', '']), actor: `usr_${below(3)}`, from: '' }
          const entry = { ...by, action: 'key.created', target: 'key', details: { left } } as const
          await store.create(audit.ref(id), auditDocument(entry, clock.now()))
          written.push(id)
        }
      else if (kind < 0.75) await seal(store)
      else if (kind < 0.95) {
        const when = random() < 0.5 ? 'before' : 'after'
        await seal(dyingAt(store, 1 + below(6), when)).catch(() => undefined)
      } else if (written.length > 0) {
        // Only sealed entries, as retention and erasure do.
        const id = pick(written)
        const found = await store.get(audit.ref(id))
        if (found && found.data.seal > 0) await store.delete(found.ref)
      }
    },
  }
}
type World = ReturnType<typeof makeWorld>

/** Changes one thing; returns what a report must name, and how to undo it. */
type Tamper = (
  w: World,
  at: { readonly entry: Ref<AuditDoc>; readonly number: number },
) => Promise<{ readonly place: string; readonly undo: () => Promise<void> }>

async function replace<T extends Doc>({ store }: World, ref: Ref<T>, change: (data: T) => T) {
  const before = await store.get(ref)
  if (!before) throw new Error(`${ref.id} is not there`)
  await store.set(ref, change(before.data))
  return () => store.set(ref, before.data)
}

const onEntry =
  (change: (data: AuditDoc, w: World) => AuditDoc): Tamper =>
  async (w, { entry }) => ({
    place: entry.id,
    undo: await replace(w, entry, (data) => change(data, w)),
  })

const kinds: Readonly<Record<string, Tamper>> = {
  'a field of an entry': onEntry((data, w) => {
    const field = w.pick(['account', 'actor', 'action', 'target', 'from'] as const)
    return { ...data, [field]: `${data[field]}x` }
  }),
  'the text of an entry': onEntry((data) => ({ ...data, body: `${data.body} ` })),
  'the whole of an entry': onEntry((data) => ({
    ...auditDocument(
      { account: data.account, actor: 'usr_x', action: 'key.created', target: '', from: '' },
      data.at,
    ),
    seal: data.seal,
  })),
  'the time of an entry': onEntry((data) => ({ ...data, at: data.at + 1 })),
  'the seal that an entry says': onEntry((data) => ({ ...data, seal: data.seal + 1 })),
  'an entry that says it is not sealed': onEntry((data) => ({ ...data, seal: 0 })),
  'a forged entry': async (w, { entry }) => {
    const real = await w.store.get(entry)
    if (!real) throw new Error('no entry')
    const ref = audit.ref(newId('aud', real.data.at))
    await w.store.create(ref, real.data)
    return { place: ref.id, undo: () => w.store.delete(ref) }
  },
  'a leaf': async (w, { number }) => ({
    place: `seal ${number}`,
    undo: await replace(w, sealLeaves.ref(`${number}`), (data) => {
      const index = w.below(data.leaves.length)
      return { ...data, leaves: data.leaves.with(index, '0'.repeat(64)) }
    }),
  }),
  'an entry out of its leaves': async (w, { number }) => ({
    place: `seal ${number}`,
    undo: await replace(w, sealLeaves.ref(`${number}`), (data) => {
      const index = w.below(data.leaves.length)
      return { ...data, ids: data.ids.toSpliced(index, 1), leaves: data.leaves.toSpliced(index, 1) }
    }),
  }),
  'leaves that are gone': async (w, { number }) => {
    const ref = sealLeaves.ref(`${number}`)
    const before = await w.store.get(ref)
    await w.store.delete(ref)
    return { place: `seal ${number}`, undo: async () => before && w.store.set(ref, before.data) }
  },
  'a field of a seal': async (w, { number }) => ({
    place: `seal ${number}`,
    undo: await replace(w, seals.ref(`${number}`), (data) => {
      const changes = [
        { root: '1'.repeat(64) },
        { prev: 'x' },
        { count: data.count + 1 },
        { number: number + 1 },
      ]
      return { ...data, ...w.pick(changes) }
    }),
  }),
  'a seal that is gone': async (w, { number }) => {
    const ref = seals.ref(`${number}`)
    const before = await w.store.get(ref)
    await w.store.delete(ref)
    return { place: `seal ${number}`, undo: async () => before && w.store.set(ref, before.data) }
  },
  /** With a new leaf and root too, only the next seal contradicts it, since that names the hash of this one. */
  'an entry with its leaf and its seal': async (w, { entry, number }) => {
    const kept = (await w.store.get(sealLeaves.ref(`${number}`)))?.data
    if (!kept) throw new Error('no leaves')
    const index = kept.ids.indexOf(entry.id)
    const found = (await w.store.get(entry))?.data
    if (!found) throw new Error('no entry')
    const forged = auditDocument({ ...found, action: 'key.revoked', actor: 'usr_x' }, found.at)
    const leaves = kept.leaves.with(index, forged.leaf)
    const undos = [
      await replace(w, entry, ({ seal }) => ({ ...forged, seal })),
      await replace(w, sealLeaves.ref(`${number}`), (data) => ({ ...data, leaves })),
      await replace(w, seals.ref(`${number}`), (data) => ({ ...data, root: merkleRoot(kept.ids, leaves) })),
    ]
    return {
      place: `seal ${number + 1} does not follow`,
      undo: async () => {
        for (const undo of undos) await undo()
      },
    }
  },
}

/** Picks an entry of a seal that is not the last one. */
async function somewhere(w: World, last: number) {
  for (;;) {
    const found = await w.store.get(audit.ref(w.pick(w.written)))
    if (found && found.data.seal > 0 && found.data.seal < last)
      return { entry: found.ref, number: found.data.seal }
  }
}

test.each(seeds)(
  'audit, seed %i: nothing goes wrong by itself, and every change is named by its place',
  async (seed) => {
    const w = makeWorld(seed)
    for (let step = 0; step < steps; step++) {
      await w.step()
      if (step % 10 === 0) expect((await w.verify()).problems).toEqual([])
    }
    await w.seal()
    const whole = await w.verify()
    expect(whole).toMatchObject({ problems: [], isPart: false })
    expect(whole.intact + whole.gone).toBe(w.written.length)
    expect(whole.seals).toBeGreaterThan(3)
    const names = Object.keys(kinds)
    for (let n = 0; n < tampers; n++) {
      const name = names[n % names.length] ?? ''
      const { place, undo } = (await kinds[name]?.(w, await somewhere(w, whole.seals))) ?? {}
      const { problems } = await w.verify()
      expect([name, place, problems.some((problem) => problem.includes(place ?? '?'))]).toEqual([
        name,
        place,
        true,
      ])
      await undo?.()
      expect([name, await w.verify()]).toEqual([name, whole])
    }
    // A walk in parts gives the same result.
    let part = await verifyAudit(w.store, { nowMs: 0, sealsMax: 1 })
    while (part.isPart) part = await verifyAudit(w.store, { nowMs: 0, sealsMax: 1, after: part })
    expect([part.seals, part.hash, part.problems]).toEqual([whole.seals, whole.hash, []])
  },
)
