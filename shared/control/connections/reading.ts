/**
 * Reads a tunnel's kept connections, those that ended last first. Reports of several relays overlap in time, so a page
 * reads every report that may have something of its span; it reads a bounded number of them, and says how far it came.
 */
import {
  batchSpanMsMax,
  type ConnectionPage,
  type ConnectionsQuery,
  type EndedConnection,
} from '../../api/schemas/connections.ts'
import { endingOf } from '../../base/ending-words.ts'
import { compileMatcher, type NetworkMatcher } from '../../base/networks.ts'
import { type AuditCaller, byCaller, writeAudit } from '../audit.ts'
import type { Caller } from '../caller.ts'
import type { AccountControl } from '../control.ts'
import type { Page, QueryOptions, Snapshot } from '../platform.ts'
import { queries } from '../query-table.ts'
import { readTunnel } from '../tunnels.ts'
import { type ConnectionsDoc, connections } from './documents.ts'
import { unpackRows } from './packing.ts'
import { connectionDaysOf } from './storing.ts'

/**
 * Reports that one page reads. More than 16 relays can have for `batchSpanMsMax`, so that each page gets further back:
 * the busiest report every four minutes.
 */
const reportsMax = 150
const reportsAtOnce = 20
const dayMs = 24 * 3_600_000
/** Documents of one call that erases; more are for the next. */
const eraseMax = 2_000
const eraseAtOnce = 400

/** Where a page goes on: at this time, after that many of those that ended then. */
export type ConnectionPosition = readonly [beforeMs: number, passed: number]

type Found = EndedConnection & { readonly id: string }
type Wish = Omit<ConnectionsQuery, 'cursor'> & { readonly after?: ConnectionPosition | undefined }

/** @throws api.not_found */
export async function readConnections(
  control: AccountControl,
  caller: Caller,
  id: string,
  wish: Wish,
): Promise<Omit<ConnectionPage, 'next'> & { readonly next?: ConnectionPosition }> {
  const tunnel = await readTunnel(control, caller, id)
  const days = connectionDaysOf(caller.limits)
  const nowMs = control.clock.now()
  const oldest = Math.max(wish.from ?? 0, nowMs - days * dayMs)
  const [newest, passed] = wish.after ?? [wish.to ?? nowMs + batchSpanMsMax, 0]
  const span = { oldest, newest, enough: wish.limit + passed }
  const { found, searchedTo, counted, kept } = await search(control.store, id, span, filterOf(wish))
  const shown = found.filter(({ endedAt }, index) => endedAt < newest || index >= passed)
  const items = shown.slice(0, wish.limit)
  const next = nextOf(items, { isFull: shown.length > wish.limit, searchedTo, oldest, newest, passed })
  return {
    keeps: tunnel.data.policy.keepConnections ?? 'off',
    days,
    items: items.map(({ id: _, ...item }) => item),
    counted,
    kept,
    searchedTo: next ? next[0] : oldest,
    ...(next && { next }),
  }
}

type Search = {
  /** Matches, the newest first. */
  readonly found: readonly Found[]
  /** No connection that ended at or after this time is missing. */
  readonly searchedTo: number
  readonly counted: number
  readonly kept: number
}

/** Reads reports until there are more than `enough` matches before which nothing can be missing. */
async function search(
  store: AccountControl['store'],
  tunnel: string,
  { oldest, newest, enough }: { oldest: number; newest: number; enough: number },
  isWanted: (found: EndedConnection) => boolean,
): Promise<Search> {
  let found: Found[] = []
  let [counted, kept, reports] = [0, 0, 0]
  let after: QueryOptions['after']
  do {
    if (newest < oldest) break
    const options = { where: { tunnel }, from: oldest, to: newest + batchSpanMsMax, limit: reportsAtOnce }
    const page: Page<ConnectionsDoc> = await store.query(queries.connectionsOfTunnel, {
      ...options,
      ...(after && { after }),
    })
    after = page.next
    reports += page.items.length
    for (const [index, report] of page.items.entries()) {
      counted += report.data.counted
      kept += report.data.kept
      for (const row of rowsOf(report))
        if (row.endedAt <= newest && row.endedAt >= oldest && isWanted(row)) found.push(row)
      // What was not read yet ended at that time or before.
      const unread = page.items[index + 1]?.data.until ?? (page.next ? report.data.until : undefined)
      const isLast = unread !== undefined && (isEnough(found, unread, enough) || reports >= reportsMax)
      if (!isLast) continue
      found = found.filter(({ endedAt }) => endedAt > unread)
      return { found: found.sort(newestFirst), searchedTo: unread + 1, counted, kept }
    }
  } while (after)
  return { found: found.sort(newestFirst), searchedTo: oldest, counted, kept }
}

function isEnough(found: readonly Found[], unread: number, enough: number): boolean {
  return found.length > enough && found.filter(({ endedAt }) => endedAt > unread).length > enough
}

function newestFirst(a: Found, b: Found): number {
  return b.endedAt - a.endedAt || (a.id < b.id ? -1 : 1)
}

/** Where the next page begins; undefined after the last. */
function nextOf(
  items: readonly Found[],
  at: {
    readonly isFull: boolean
    readonly searchedTo: number
    readonly oldest: number
    readonly newest: number
    readonly passed: number
  },
): ConnectionPosition | undefined {
  const last = items.at(-1)
  if (at.isFull && last) {
    const ofLast = items.filter(({ endedAt }) => endedAt === last.endedAt).length
    return [last.endedAt, ofLast + (last.endedAt === at.newest ? at.passed : 0)]
  }
  if (at.searchedTo <= at.oldest) return undefined
  // More reports of one moment than a page reads: what of it was not seen is passed over, or no page would get further.
  return [Math.min(at.searchedTo, at.newest) - 1, 0]
}

function* rowsOf({ ref, data }: Snapshot<ConnectionsDoc>): Generator<Found> {
  for (const [index, row] of unpackRows(data.packed).entries()) {
    const [after, ms, from, bytesIn, out, code] = row
    const endedAt = data.from + after
    yield {
      id: `${ref.id}:${index}`,
      from,
      startedAt: Math.max(0, endedAt - ms),
      endedAt,
      ms,
      in: bytesIn,
      out,
      ...endingOf(code),
    }
  }
}

function filterOf({ address, code, failed }: Wish): (found: EndedConnection) => boolean {
  const isFrom = address === undefined ? () => true : matcherOf(address)
  return (found) =>
    isFrom(found.from) &&
    (code === undefined || found.code === code) &&
    (failed === undefined || failed === (found.code !== undefined))
}

/** A visitor who is known as a network matches an address in it, and each network around it. */
function matcherOf(asked: string): NetworkMatcher {
  const isIn = compileMatcher([asked])
  const [askedAddress = ''] = asked.split('/', 1)
  return (from) => {
    const [address = '', prefix] = from.split('/', 2)
    return isIn(address) || (prefix !== undefined && compileMatcher([from])(askedAddress))
  }
}

/** Every plan lets its owner do this at any time. @returns whether there is more @throws api.not_found */
export async function eraseConnections(
  control: AccountControl,
  caller: Caller & AuditCaller,
  id: string,
): Promise<{ readonly more: boolean }> {
  await readTunnel(control, caller, id)
  const more = await eraseOfTunnel(control, id)
  const entry = { ...byCaller(caller), target: id, action: 'connections.erased' } as const
  await control.store.transact(async (tx) => writeAudit(tx, entry, control.clock.now()))
  return { more }
}

/** @returns whether there is more */
export async function eraseOfTunnel({ store }: Pick<AccountControl, 'store'>, id: string): Promise<boolean> {
  for (let erased = 0; erased < eraseMax; erased += eraseAtOnce) {
    const { items } = await store.query(queries.connectionsOfTunnel, {
      where: { tunnel: id },
      limit: eraseAtOnce,
    })
    if (items.length === 0) return false
    await store.batch(items.map(({ ref }) => ({ op: 'delete', ref: connections.ref(ref.id) })))
  }
  return true
}
