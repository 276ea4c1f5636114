/**
 * The audit log of an account as NDJSON, written by a job into parts of some 100 KB that are kept for a week. Each line
 * is an entry with its proof, so it can be checked without the service (export-check.ts); the last line of the last
 * part says how many there are. An account has one export; the next replaces it.
 */
import { z } from 'zod'
import { fail } from '../../base/errors.ts'
import { otherTurns } from '../../base/other-turns.ts'
import { byCaller, writeAudit } from '../audit.ts'
import {
  type AuditDoc,
  type AuditExportDoc,
  auditExportParts,
  auditExports,
  type SealDoc,
  type SealLeavesDoc,
  sealLeaves,
  seals,
} from '../audit-documents.ts'
import type { Caller } from '../caller.ts'
import type { AccountControl, Control } from '../control.ts'
import { type JobKind, look, type RunningJob } from '../jobs/jobs.ts'
import { kick } from '../jobs/kick.ts'
import { requireFeature } from '../money/features.ts'
import type { Snapshot, Store } from '../platform.ts'
import { queries } from '../query-table.ts'
import type { EntryWithPath } from './reading.ts'
import { dayMs } from './retention.ts'
import { merklePath, sealHash } from './seals.ts'

const kind = 'audit.export'
/** This makes a part 100 KB, or 600 KB with the longest entries; a document holds 1 MiB. */
const entriesPerPart = 100
const keepMs = 7 * dayMs
/** Entries are sealed within a minute or two. If that fails, the export says that they are unsealed. */
const sealWaitMs = 2 * 60_000
const sealWaitsMaxMs = 10 * 60_000

export type ExportSpan = { readonly from: number; readonly to: number }
export type ExportLine = Omit<EntryWithPath, 'path' | 'seal'> &
  Partial<Pick<EntryWithPath, 'path' | 'seal'> & { readonly hash: string }>
export type ExportEnd = ExportSpan & { readonly account: string; readonly entries: number }

/** @throws plan.feature; audit.exporting while the previous one is being written */
export async function startExport(
  { store, bus, clock, log }: AccountControl,
  caller: Caller,
  { from, to }: ExportSpan,
): Promise<AuditExportDoc> {
  const nowMs = clock.now()
  const { account } = store
  const next: AuditExportDoc = {
    actor: caller.actor,
    from,
    to: Math.min(to, nowMs),
    createdAt: nowMs,
    readyAt: 0,
    parts: 0,
    entries: 0,
    ttl: new Date(nowMs + keepMs),
  }
  const job = await store.transact(async (tx) => {
    await requireFeature(tx, account, 'auditExport')
    const before = await tx.get(auditExports.ref(account))
    if (before?.data.readyAt === 0 && before.data.ttl.getTime() > nowMs) throw fail('audit.exporting')
    const ask = await look(tx, { kind, subject: account, account }, nowMs)
    tx.set(auditExports.ref(account), next)
    const span = { from: next.from, to: next.to }
    writeAudit(tx, { ...byCaller(caller), action: 'audit.exported', target: account, details: span }, nowMs)
    return ask()
  })
  await kick({ bus, log }, [job])
  return next
}

/** @throws api.not_found */
export async function readExport({ store, clock }: Pick<AccountControl, 'store' | 'clock'>) {
  const found = await store.get(auditExports.ref(store.account))
  if (!found || found.data.ttl.getTime() <= clock.now()) throw fail('api.not_found')
  return found.data
}

/** @param number from 1. @throws api.not_found, also before all parts are written */
export async function readExportPart(control: AccountControl, number: number): Promise<string> {
  const { createdAt, readyAt } = await readExport(control)
  const { store } = control
  const found = readyAt === 0 ? undefined : await store.get(partRef(store.account, createdAt, number))
  if (!found) throw fail('api.not_found')
  return found.data.text
}

function partRef(account: string, createdAt: number, number: number) {
  return auditExportParts.ref(`${account}:${createdAt}:${number}`)
}

const progressSchema = z.object({
  parts: z.int().default(0),
  entries: z.int().default(0),
  after: z.tuple([z.number(), z.string()]).optional(),
})

export function exportAudit(control: Control): JobKind {
  return { name: kind, attemptsMax: 12, run: (job) => write(control, job) }
}

async function write({ store, clock }: Control, job: RunningJob): Promise<void> {
  const { account } = job
  const own = (await store.get(auditExports.ref(account)))?.data
  if (!own || own.readyAt > 0) return
  const { from, to, createdAt, ttl } = own
  for (;;) {
    job.signal.throwIfAborted()
    const { parts, entries, after } = progressSchema.parse(job.progress)
    const page = await store.query(queries.auditOfAccount, {
      where: { account },
      ...{ from, to, limit: entriesPerPart },
      ...(after && { after }),
    })
    const isYoung = clock.now() < createdAt + sealWaitsMaxMs
    if (isYoung && page.items.some(({ data }) => data.seal === 0))
      return job.pause(job.progress, clock.now() + sealWaitMs)
    const lines: object[] = await linesOf(store, page.items)
    const done = { parts: parts + 1, entries: entries + page.items.length }
    if (!page.next) lines.push({ account, from, to, entries: done.entries } satisfies ExportEnd)
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
    const part = partRef(account, createdAt, done.parts)
    const { next } = page
    if (!next)
      return job.finish(async (tx) => {
        tx.set(part, { account, text, ttl })
        tx.set(auditExports.ref(account), { ...own, ...done, readyAt: clock.now() })
      })
    await job.advance({ ...done, after: [...next] }, async (tx) => {
      tx.set(part, { account, text, ttl })
    })
  }
}

type Sealed = { readonly seal: SealDoc; readonly leaves: SealLeavesDoc }

/** Entries with their proofs; all seals of `items` are in memory at once. */
export async function linesOf(
  store: Pick<Store, 'getAll'>,
  items: readonly Snapshot<AuditDoc>[],
): Promise<ExportLine[]> {
  const numbers = [...new Set(items.map(({ data }) => data.seal))].filter((number) => number > 0)
  const [found, kept] = await Promise.all([
    store.getAll(numbers.map((number) => seals.ref(`${number}`))),
    store.getAll(numbers.map((number) => sealLeaves.ref(`${number}`))),
  ])
  const sealed = new Map<number, Sealed>()
  for (const [index, number] of numbers.entries()) {
    const [seal, leaves] = [found[index]?.data, kept[index]?.data]
    if (seal && leaves) sealed.set(number, { seal, leaves })
  }
  const lines: ExportLine[] = []
  for (const item of items) {
    lines.push(lineOf(item, sealed.get(item.data.seal)))
    // A path can be up to a thousand hashes.
    await otherTurns()
  }
  return lines
}

/** Leaves the proof out when the entry is not sealed or its seal is missing. */
function lineOf({ ref, data }: Snapshot<AuditDoc>, sealed: Sealed | undefined): ExportLine {
  const { salt = '', body = '' } = data
  const line = { id: ref.id, entry: { salt, body } }
  const index = sealed?.leaves.ids.indexOf(ref.id) ?? -1
  if (!sealed || index < 0) return line
  const { seal, leaves } = sealed
  return { ...line, path: merklePath(leaves.ids, leaves.leaves, index), seal, hash: sealHash(seal) }
}
