/**
 * Finds tunnels of an account: by words, state and kind, in an order, page by page. The order `trouble` is what people
 * look at all day, so it costs little: which tunnels work or fail follows from the leases of the account, and only
 * those of the page are read themselves; the others follow, newest first. docs/decisions/0095
 */
import { type TunnelState, tunnelStates } from '../api/schemas/tunnel-words.ts'
import type { Tunnel, TunnelCounts, TunnelQuery } from '../api/schemas/tunnels.ts'
import { type Caller, mayTouch } from './caller.ts'
import { type Cell, describeEndpoint, queryAll, readyRelays } from './cells.ts'
import type { AccountControl } from './control.ts'
import { type TunnelDoc, tunnels } from './documents.ts'
import type { Page, Query, Snapshot } from './platform.ts'
import { queries } from './query-table.ts'
import { quotas } from './quota-documents.ts'
import { refusalLastsMs } from './refusals.ts'
import { stateOfLease } from './tunnel-state.ts'
import { describeTunnels } from './tunnels.ts'

type Position = NonNullable<Page<TunnelDoc>['next']>
export type TunnelFilter = Pick<TunnelQuery, 'search' | 'state' | 'kind' | 'tag' | 'sort'>
type PageWish = { readonly limit: number; readonly after?: Position }
type Found = { readonly items: readonly Tunnel[]; readonly next?: Position }

/** One call reads no more tunnels than this that it may leave out; the cursor goes on from there. */
const lookedAtMax = 500
const batchMax = 100
/** Where the others begin. Positions of active ones sort before it, and those of the others are a number. */
const othersBegin: Position = ['others', '']

/**
 * A page may be short, or empty, and still have a next one: a call reads a bounded number of tunnels.
 * `counts` comes with the first page, unless the caller sees only some of the tunnels.
 */
export async function findTunnels(
  control: AccountControl,
  caller: Caller,
  { filter, ...wish }: PageWish & { readonly filter: TunnelFilter },
): Promise<Found & { readonly counts?: TunnelCounts }> {
  const search = new TunnelSearch(control, caller, filter)
  const isFirst = wish.after === undefined
  const needsActive = filter.sort === 'trouble' && typeof wish.after?.[0] !== 'number'
  const active = isFirst || needsActive ? await readActive(control) : []
  const [found, counts] = await Promise.all([
    filter.sort === 'trouble'
      ? search.troubleFirst(active, wish)
      : filter.sort === 'name'
        ? search.scan(queries.tunnelsByName, ({ name }) => name, wish)
        : search.scan(queries.tunnelsOfAccount, ({ createdAt }) => createdAt, wish),
    isFirst && caller.tunnels === undefined ? countTunnels(control, active) : undefined,
  ])
  return { ...found, ...(counts && { counts }) }
}

/** A tunnel that some agent serves, or asked for in vain. */
type Active = { readonly id: string; readonly state: TunnelState }

/** The worst first, then the newest. Those that only seem leased, with all agents gone, are among the others. */
async function readActive(control: AccountControl): Promise<readonly Active[]> {
  const nowMs = control.clock.now()
  const [leases, refused] = await Promise.all([
    queryAll(control.store, queries.leasesOfAccount, { where: { state: 'leased' }, from: nowMs + 1 }),
    queryAll(control.store, queries.refusedTunnels, { where: {}, from: nowMs - refusalLastsMs + 1 }),
  ])
  const cells = await control.cells.latelyAll(leases.map(({ data }) => data.cell))
  const states = new Map<string, TunnelState>(refused.map(({ ref }) => [ref.id, 'refused']))
  for (const { data } of leases) {
    const cell = cells.get(data.cell)
    const ready = cell ? readyRelays(control, cell) : []
    states.set(data.tunnel, stateOfLease(data, { ready, nowMs }))
  }
  return [...states]
    .map(([id, state]) => ({ id, state }))
    .filter(({ state }) => !isOther(state))
    .toSorted((a, b) => rankOf(a.state) - rankOf(b.state) || (a.id < b.id ? 1 : -1))
}

async function countTunnels(control: AccountControl, active: readonly Active[]): Promise<TunnelCounts> {
  const quota = await control.store.get(quotas.ref(control.store.account))
  const count = (state: TunnelState) => active.filter((one) => one.state === state).length
  return {
    total: Math.max(active.length, quota?.data.tunnels ?? 0),
    upstream_failing: count('upstream_failing'),
    refused: count('refused'),
    degraded: count('degraded'),
    connecting: count('connecting'),
    healthy: count('healthy'),
  }
}

class TunnelSearch {
  readonly #control: AccountControl
  readonly #caller: Caller
  readonly #filter: TunnelFilter
  readonly #words: string

  constructor(control: AccountControl, caller: Caller, filter: TunnelFilter) {
    this.#control = control
    this.#caller = caller
    this.#filter = filter
    this.#words = filter.search?.trim().toLowerCase() ?? ''
  }

  /** The active ones, and then the others as far as the page has room. */
  async troubleFirst(active: readonly Active[], { limit, after }: PageWish): Promise<Found> {
    if (after && (typeof after[0] === 'number' || after[0] === othersBegin[0]))
      return this.#others({ limit, after })
    const wanted = active.filter(({ state }) => this.#wants(state))
    const left = after ? wanted.filter((one) => isAfter(one, after)) : wanted
    const items: Tunnel[] = []
    for (let from = 0; from < left.length; ) {
      const batch = left.slice(from, from + (this.#readsOnlyWanted() ? limit - items.length : batchMax))
      const read = await this.#control.store.getAll(batch.map(({ id }) => tunnels.ref(id)))
      const kept = await this.#describe(read.flatMap((snapshot) => snapshot ?? []))
      const byId = new Map(kept.map((tunnel) => [tunnel.id, tunnel]))
      for (const [index, one] of batch.entries()) {
        const tunnel = byId.get(one.id)
        if (tunnel) items.push(tunnel)
        const isLast = from + index === left.length - 1
        if (items.length === limit) return { items, next: isLast ? othersBegin : positionOf(one) }
      }
      from += batch.length
      const last = batch.at(-1)
      if (last && from < left.length && from >= lookedAtMax) return { items, next: positionOf(last) }
    }
    const others = await this.#others({ limit: limit - items.length })
    return { ...others, items: [...items, ...others.items] }
  }

  /** Nobody serves them: the newest first, and within a page those that have been used before. */
  async #others({ limit, after }: PageWish): Promise<Found> {
    if (!this.#wants('offline') && !this.#wants('never_used')) return { items: [] }
    const wish = { limit, ...(typeof after?.[0] === 'number' && { after }) }
    const belongs = (state: TunnelState, { refusedAt }: TunnelDoc) =>
      // Releases up to 0.1 recorded a refusal without `refusedAt`, so that no query finds it.
      isOther(state) || (state === 'refused' && refusedAt === undefined)
    const found = await this.scan(queries.tunnelsOfAccount, ({ createdAt }) => createdAt, wish, belongs)
    return { ...found, items: found.items.toSorted((a, b) => rankOf(a.state) - rankOf(b.state)) }
  }

  /** In the order of a query, without what the filter leaves out. */
  async scan(
    query: Query<TunnelDoc>,
    orderOf: (tunnel: TunnelDoc) => string | number,
    { limit, after }: PageWish,
    belongs?: (state: TunnelState, tunnel: TunnelDoc) => boolean,
  ): Promise<Found> {
    const items: Tunnel[] = []
    // Active ones stand among the others.
    const spare = belongs ? 20 : 0
    let position = after
    for (let lookedAt = 0; lookedAt < lookedAtMax; ) {
      const page = await this.#control.store.query(query, {
        where: {},
        limit: this.#isOpen() ? limit - items.length + spare : batchMax,
        ...(position && { after: position }),
      })
      const byId = new Map((await this.#describe(page.items)).map((tunnel) => [tunnel.id, tunnel]))
      for (const [index, { ref, data }] of page.items.entries()) {
        const tunnel = byId.get(ref.id)
        if (tunnel && belongs?.(tunnel.state, data) !== false) items.push(tunnel)
        position = [orderOf(data), ref.id]
        const isLast = index === page.items.length - 1 && !page.next
        if (items.length >= limit) return { items, ...(!isLast && { next: position }) }
      }
      if (!page.next) return { items }
      lookedAt += page.items.length
    }
    return { items, ...(position && { next: position }) }
  }

  /** Those that the caller may see and the filter lets through. */
  async #describe(found: readonly Snapshot<TunnelDoc>[]): Promise<readonly Tunnel[]> {
    const { kind, tag } = this.#filter
    const own = found.filter(
      ({ data }) =>
        mayTouch(this.#caller, data.name) &&
        (kind === undefined || kind === data.kind) &&
        (tag === undefined || data.tags?.includes(tag)),
    )
    const cells =
      this.#words === ''
        ? new Map<string, Cell>()
        : await this.#control.cells.latelyAll(own.map(({ data }) => data.cell))
    const named = own.filter(({ ref, data }) => this.#isNamed(ref.id, data, cells.get(data.cell)))
    const described = await describeTunnels(this.#control, named)
    return described.filter(({ state }) => this.#wants(state))
  }

  #wants(state: TunnelState): boolean {
    return this.#filter.state === undefined || this.#filter.state.includes(state)
  }

  /** Nothing is left out, so that a query reads exactly what it returns. */
  #isOpen(): boolean {
    return this.#filter.state === undefined && this.#readsOnlyWanted()
  }

  /** Nothing is left out of tunnels whose states are known. */
  #readsOnlyWanted(): boolean {
    const { kind, tag } = this.#filter
    const isNarrowed = kind !== undefined || tag !== undefined || this.#words !== ''
    return !isNarrowed && this.#caller.tunnels === undefined
  }

  /** Whether its name, a tag, id or address has the words: the address that it has or had last, or another host. */
  #isNamed(id: string, tunnel: TunnelDoc, cell: Cell | undefined): boolean {
    if (this.#words === '') return true
    const { name, names = [], tags = [], endpoint, kind } = tunnel
    const address = endpoint === '' || !cell ? '' : describeEndpoint(endpoint, kind, cell).url
    const texts = [name, ...tags, id, address, ...names.map(({ host }) => host)]
    return texts.some((text) => text.includes(this.#words))
  }
}

function rankOf(state: TunnelState): number {
  return tunnelStates.indexOf(state)
}

/** Nobody serves it, and nobody asked for it in vain. */
function isOther(state: TunnelState): boolean {
  return state === 'offline' || state === 'never_used'
}

/** By the state's word and not by its rank, which a newer release may move. */
function positionOf({ id, state }: Active): Position {
  return [state, id]
}

function isAfter({ id, state }: Active, [from, last]: Position): boolean {
  const rank = tunnelStates.indexOf(from as TunnelState)
  return rankOf(state) > rank || (rankOf(state) === rank && id < last)
}
