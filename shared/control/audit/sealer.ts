/**
 * Seals what was written to the audit log, each minute if there is something. One seal is a step of the job, created
 * together with its leaves; then its entries are marked, and only after that the next seal is made. So a worker that
 * continues after a crash marks first, and no entry is ever sealed twice. Sealing also sets how long an entry is kept.
 */
import { isFailure } from '../../base/errors.ts'
import {
  type AuditDoc,
  audit,
  type SealDoc,
  type SealLeavesDoc,
  sealLeaves,
  seals,
} from '../audit-documents.ts'
import type { Control } from '../control.ts'
import { type AccountDoc, accounts } from '../documents.ts'
import type { JobKind, RunningJob } from '../jobs/jobs.ts'
import type { Snapshot, Store } from '../platform.ts'
import { queries } from '../query-table.ts'
import { auditDaysOf, dayMs, leavesDays } from './retention.ts'
import { merkleRoot, sealHash } from './seals.ts'

/** How many are read, sealed and marked together. */
const entriesMax = 500
/** A store takes 400 writes at once. */
const marksAtOnce = 400
/** One run makes at most this many seals; the next run continues. */
const sealsMax = 50
/** Entries may expire or be erased while they are marked. */
const triesMax = 5

export function sealAudit(control: Control): JobKind {
  return {
    name: 'audit.seal',
    attemptsMax: Number.MAX_SAFE_INTEGER,
    everyMs: 60_000,
    run: (job) => seal(control, job),
  }
}

async function seal(control: Control, job: RunningJob): Promise<void> {
  const { store, log } = control
  for (let made = 0; made < sealsMax; made++) {
    // Read this before the entries: if another worker seals them meanwhile, the number below is taken.
    const last = await lastSeal(store)
    await finishMarking(control, last)
    job.signal.throwIfAborted()
    const { items } = await store.query(queries.auditBySeal, { where: { seal: 0 }, limit: entriesMax })
    if (items.length === 0) return
    const next = await createSeal(control, job, { last, items })
    await finishMarking(control, next)
    log.info({ seal: next.number, entries: next.count, hash: sealHash(next) }, 'audit entries were sealed')
    if (items.length < entriesMax) return
  }
}

export async function lastSeal(store: Pick<Store, 'query'>): Promise<SealDoc | undefined> {
  const { items } = await store.query(queries.sealsByNumber, { where: {}, limit: 1 })
  return items[0]?.data
}

async function createSeal(
  { clock }: Control,
  job: RunningJob,
  { last, items }: { readonly last: SealDoc | undefined; readonly items: readonly Snapshot<AuditDoc>[] },
): Promise<SealDoc> {
  const nowMs = clock.now()
  const number = (last?.number ?? 0) + 1
  const ids = items.map(({ ref }) => ref.id)
  const leaves = items.map(({ data }) => data.leaf)
  const next: SealDoc = {
    number,
    prev: last ? sealHash(last) : '',
    root: merkleRoot(ids, leaves),
    count: ids.length,
    at: nowMs,
  }
  const kept: SealLeavesDoc = { ids, leaves, marked: false, ttl: new Date(nowMs + leavesDays * dayMs) }
  await job.advance({ seal: number }, async (tx) => {
    tx.create(seals.ref(`${number}`), next)
    tx.create(sealLeaves.ref(`${number}`), kept)
  })
  return next
}

/** Gives the entries of a seal its number, wherever an earlier worker stopped. */
async function finishMarking({ store }: Control, of: SealDoc | undefined): Promise<void> {
  if (!of) return
  const ref = sealLeaves.ref(`${of.number}`)
  const found = await store.get(ref)
  if (!found || found.data.marked) return
  const { ids } = found.data
  for (let start = 0; start < ids.length; start += marksAtOnce)
    await mark(store, ids.slice(start, start + marksAtOnce), of)
  await store.update(ref, { marked: true })
}

async function mark(store: Store, ids: readonly string[], { number, at }: SealDoc): Promise<void> {
  for (let tries = 1; ; tries++) {
    const found = await store.getAll(ids.map((id) => audit.ref(id)))
    const open = found.flatMap((entry) => (entry?.data.seal === 0 ? [entry] : []))
    if (open.length === 0) return
    const plans = await plansOf(store, open)
    try {
      await store.batch(
        open.map(({ ref, data }) => {
          const ttl = new Date(Math.max(at, data.at) + auditDaysOf(plans.get(data.account)) * dayMs)
          return { op: 'update', ref, fields: { seal: number, ttl } }
        }),
      )
      return
    } catch (error) {
      if (!isFailure(error, 'store.missing') || tries >= triesMax) throw error
    }
  }
}

async function plansOf(
  store: Store,
  entries: readonly Snapshot<AuditDoc>[],
): Promise<ReadonlyMap<string, AccountDoc>> {
  const ids = [...new Set(entries.map(({ data }) => data.account))].filter((id) => id !== '')
  const found = await store.getAll(ids.map((id) => accounts.ref(id)))
  return new Map(found.flatMap((account) => (account ? [[account.ref.id, account.data]] : [])))
}
