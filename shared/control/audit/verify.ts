/**
 * Walks all seals and compares them with the store. Entries may be gone, because they expire and are erased with their
 * account; every seal still verifies by the leaves that stay. The operator runs it (`ptunctl audit verify`), or anybody
 * who has a copy of the collections: it only reads.
 */

import { otherTurns } from '../../base/other-turns.ts'
import {
  type AuditDoc,
  audit,
  type SealDoc,
  type SealLeavesDoc,
  sealLeaves,
  seals,
} from '../audit-documents.ts'
import type { Snapshot, Store } from '../platform.ts'
import { queries } from '../query-table.ts'
import { dayMs, leavesDays, shortestDays } from './retention.ts'
import { lastSeal } from './sealer.ts'
import { entryLeaf, merkleRoot, sealHash } from './seals.ts'

export type AuditReport = {
  /** Number of the last seal that was looked at. */
  readonly seals: number
  /** Entries that are as they were sealed. */
  readonly intact: number
  /** Sealed entries that are gone: expired or erased. */
  readonly gone: number
  /** How many of those are younger than any plan's retention: only the closing of an account explains them. */
  readonly goneEarly: number
  /** The hash of that seal, to be compared with an outside log; '' when there is none. */
  readonly hash: string
  /** Whether seals are left beyond `sealsMax`. */
  readonly isPart: boolean
  /** What was tampered with, one sentence each; empty = nothing. */
  readonly problems: readonly string[]
}

/** Far more than a person reads. */
const problemsMax = 100

export type VerifyOptions = {
  readonly nowMs: number
  /** The report that this walk continues from; default: start at the first seal. */
  readonly after?: Pick<AuditReport, 'seals' | 'hash'>
  /** How many to look at; default: all. */
  readonly sealsMax?: number
  /** Hashes from an outside log, by seal number. */
  readonly noted?: ReadonlyMap<number, string>
  readonly signal?: AbortSignal
}

type Tally = { intact: number; gone: number; goneEarly: number; readonly problems: string[] }
type Reads = Pick<Store, 'get' | 'getAll' | 'query'>

export async function verifyAudit(
  store: Reads,
  { nowMs, after = { seals: 0, hash: '' }, sealsMax = Infinity, noted = new Map(), signal }: VerifyOptions,
): Promise<AuditReport> {
  const tally: Tally = { intact: 0, gone: 0, goneEarly: 0, problems: [] }
  const last = (await lastSeal(store))?.number ?? 0
  const end = Math.min(last, after.seals + sealsMax)
  const lastNoted = Math.max(0, ...noted.keys())
  if (lastNoted > last) tally.problems.push(`seal ${lastNoted} was noted, but the last one here is ${last}`)
  let hash = after.hash
  for (let number = after.seals + 1; number <= end; number++) {
    signal?.throwIfAborted()
    await otherTurns()
    if (tally.problems.length >= problemsMax) break
    const found = (await store.get(seals.ref(`${number}`)))?.data
    if (!found) {
      tally.problems.push(`seal ${number} is missing`)
      continue
    }
    if (found.number !== number) tally.problems.push(`seal ${number} says it is ${found.number}`)
    if (found.prev !== hash) tally.problems.push(`seal ${number} does not follow the one before it`)
    hash = sealHash(found)
    const outside = noted.get(number)
    if (outside !== undefined && outside !== hash)
      tally.problems.push(`seal ${number} is not the one whose hash was noted`)
    await verifySeal(store, found, { tally, nowMs, isLast: number === last })
  }
  return { seals: end, ...tally, hash, isPart: end < last }
}

type Walk = { readonly tally: Tally; readonly nowMs: number; readonly isLast: boolean }

async function verifySeal(store: Reads, seal: SealDoc, { tally, nowMs, isLast }: Walk): Promise<void> {
  const { problems } = tally
  const name = `seal ${seal.number}`
  const kept = (await store.get(sealLeaves.ref(`${seal.number}`)))?.data
  if (!kept) {
    if (seal.at + leavesDays * dayMs > nowMs) problems.push(`the leaves of ${name} are missing`)
    return
  }
  if (!isWhole(kept, seal)) {
    problems.push(`the leaves of ${name} are not what was sealed`)
    return
  }
  const entries = await store.getAll(kept.ids.map((id) => audit.ref(id)))
  for (const [index, id] of kept.ids.entries()) {
    const entry = entries[index]
    if (!entry) {
      tally.gone++
      if (timeOfId(id) + shortestDays * dayMs > nowMs) tally.goneEarly++
      continue
    }
    // A sealer that stopped between the seal and its marks will set them later.
    const isOpen = entry.data.seal === 0 && isLast && !kept.marked
    const problem = entryProblem(entry, kept.leaves[index] ?? '')
    if (problem) problems.push(`${id} in ${name}: ${problem}`)
    else if (entry.data.seal !== seal.number && !isOpen)
      problems.push(`${id} is in ${name} and says it is in ${entry.data.seal}`)
    else tally.intact++
  }
  await findForged(store, seal, { known: new Set(kept.ids), problems })
}

function isWhole({ ids, leaves }: SealLeavesDoc, { count, root }: SealDoc): boolean {
  return ids.length === count && leaves.length === count && merkleRoot(ids, leaves) === root
}

function entryProblem({ data }: Snapshot<AuditDoc>, leaf: string): string | undefined {
  if (data.leaf !== leaf) return 'its leaf was changed'
  if (entryLeaf(data) !== leaf) return 'its text was changed'
  const told = JSON.parse(data.body ?? '{}') as Partial<AuditDoc>
  const fields = ['account', 'actor', 'action', 'target', 'at', 'from'] as const
  const changed = fields.find((field) => told[field] !== data[field])
  return changed && `its field ${changed} was changed`
}

/** Finds entries that claim to be in a seal which does not have them. */
async function findForged(
  store: Reads,
  { number }: SealDoc,
  { known, problems }: { readonly known: ReadonlySet<string>; readonly problems: string[] },
): Promise<void> {
  let after: Parameters<Reads['query']>[1]['after']
  do {
    const page = await store.query(queries.auditBySeal, {
      where: { seal: number },
      limit: 500,
      ...(after && { after }),
    })
    for (const { ref } of page.items)
      if (!known.has(ref.id)) problems.push(`${ref.id} was never sealed, and says it is in seal ${number}`)
    after = page.next
  } while (after && problems.length < problemsMax)
}

/** The first ten characters of a ULID are its time, in Crockford's base 32. */
function timeOfId(id: string): number {
  const digits = '0123456789abcdefghjkmnpqrstvwxyz'
  return [...id.slice(4, 14)].reduce((sum, digit) => sum * 32 + Math.max(0, digits.indexOf(digit)), 0)
}
