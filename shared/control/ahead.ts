/**
 * Corrects stored times that no right clock has set: leases, rests, reports of relays, commands and jobs that lie
 * further ahead than they may (stored-times.ts). Each begins anew from now, so nothing is given away too early and
 * nothing waits for a year. Workers do this before their rounds, because they find due work by these times.
 */
import { limits } from '../protocol/limits.ts'
import { commandsKeptMs, everyCell } from './commands.ts'
import type { Control } from './control.ts'
import {
  type CommandDoc,
  commands,
  type EndpointDoc,
  endpoints,
  type JobDoc,
  jobs,
  type RelayDoc,
  relays,
} from './documents.ts'
import { leaseMs as claimMs, type JobKind } from './jobs/jobs.ts'
import { retryMaxMs } from './jobs/running.ts'
import type { Doc, Page, Query, QueryOptions, Ref } from './platform.ts'
import { putBackLease, putBackRest, restMs } from './put-back.ts'
import { queries } from './query-table.ts'
import { believed, isAhead, type Span } from './stored-times.ts'

type Search<T extends Doc> = {
  readonly query: Query<T>
  readonly where: QueryOptions['where']
  /** The shortest time that one of these lasts; times further ahead than that are looked at. */
  readonly lastsMs: number
  readonly ref: (id: string) => Ref<T>
  readonly putRight: (current: T, nowMs: number, id: string) => T | 'keep'
}

/** @returns how many times were corrected */
export async function putRightAhead(control: Control, kinds: ReadonlyMap<string, JobKind>): Promise<number> {
  const { store, log } = control
  const cells: string[] = []
  for (const state of ['open', 'closed'])
    cells.push(...(await store.query(queries.cellsByState, { where: { state }, limit: 500 })).items.map(idOf))
  let count = await putRight(control, waitingJobs(kinds))
  count += await putRight(control, leases)
  for (const cell of cells) {
    for (const kind of ['tcp', 'host'] as const) count += await putRight(control, rests(cell, kind))
    count += await putRight(control, reports(cell))
  }
  for (const cell of [...cells, everyCell]) count += await putRight(control, commandsOf(cell))
  if (count > 0) log.warn({ count }, 'times that a clock which was ahead had stored were put right')
  return count
}

async function putRight<T extends Doc>(
  { store, clock }: Pick<Control, 'store' | 'clock'>,
  { query, where, lastsMs, ref, putRight: next }: Search<T>,
): Promise<number> {
  const nowMs = clock.now()
  let count = 0
  let after: QueryOptions['after']
  do {
    const from = nowMs + lastsMs + limits.skewMs + 1
    const page: Page<T> = await store.query(query, { where, from, limit: 200, ...(after && { after }) })
    for (const { ref: found } of page.items) {
      let isChanged = false
      await store.change(ref(found.id), (current) => {
        const changed = current ? next(current, nowMs, found.id) : 'keep'
        isChanged = changed !== 'keep'
        return changed
      })
      if (isChanged) count++
    }
    after = page.next
  } while (after)
  return count
}

const leases: Search<EndpointDoc> = {
  query: queries.expiredLeases,
  where: { state: 'leased' },
  lastsMs: limits.leaseMs,
  ref: endpoints.ref,
  putRight: (current, nowMs) => (current.state === 'leased' ? putBackLease(current, nowMs) : 'keep'),
}

const rests = (cell: string, kind: string): Search<EndpointDoc> => ({
  query: queries.restedInCell,
  where: { cell, kind, state: 'resting' },
  lastsMs: restMs,
  ref: endpoints.ref,
  putRight: (current, nowMs) => (current.state === 'resting' ? putBackRest(current, nowMs) : 'keep'),
})

/** A relay's report counts as made now: a living relay reports again soon, and a dead one soon counts as silent. */
const reports = (cell: string): Search<RelayDoc> => ({
  query: queries.relaysOfCell,
  where: { cell },
  lastsMs: 0,
  ref: relays.ref,
  putRight: (current, nowMs) => {
    if (!isAhead(current.seenAt, { nowMs, lastsMs: 0 })) return 'keep'
    const past = (atMs: number) => Math.min(atMs, nowMs)
    const { bootAt, heardSince, appliedAt } = current
    return {
      ...current,
      seenAt: nowMs,
      bootAt: past(bootAt),
      appliedAt: past(appliedAt),
      ...(heardSince !== undefined && { heardSince: past(heardSince) }),
    }
  },
})

/** Relays read commands by their time, so these would be read only in a year. */
const commandsOf = (cell: string): Search<CommandDoc> => ({
  query: queries.commandsOfCell,
  where: { cell },
  lastsMs: 0,
  ref: commands.ref,
  putRight: (current, nowMs) =>
    isAhead(current.createdAt, { nowMs, lastsMs: 0 })
      ? { ...current, createdAt: nowMs, ttl: new Date(nowMs + commandsKeptMs) }
      : 'keep',
})

const waitingJobs = (kinds: ReadonlyMap<string, JobKind>): Search<JobDoc> => ({
  query: queries.jobsByState,
  where: { state: 'live' },
  lastsMs: claimMs,
  ref: jobs.ref,
  putRight: (current, nowMs, id) => {
    const kind = kinds.get(id.slice(0, id.indexOf(':')))
    // A newer release knows how long this kind may wait.
    if (!kind || current.state !== 'live') return 'keep'
    const waitsMs = Math.max(retryMaxMs, kind.everyMs ?? 0, kind.waitsMs ?? 0)
    const span: Span = { nowMs, lastsMs: current.claim === '' ? waitsMs : claimMs }
    return isAhead(current.dueAt, span) ? { ...current, dueAt: believed(current.dueAt, span) } : 'keep'
  },
})

function idOf({ ref }: { readonly ref: Ref }): string {
  return ref.id
}
