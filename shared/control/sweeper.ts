/**
 * Ends leases that lapsed without a release, and frees endpoints whose rest and waiting are over. It runs every 15 min;
 * nothing needs it sooner, since claims reclaim lazily. It leaves alone what a relay reports as bound: only the agent's
 * way to the control plane may be cut.
 */
import { lookToWatch } from './alerts/raising.ts'
import { type Cell, Views } from './cells.ts'
import { makeCommand, publishCommands, writeCommand } from './commands.ts'
import type { Control } from './control.ts'
import { isPortDenied } from './deny-lists.ts'
import { type EndpointDoc, endpoints } from './documents.ts'
import { type CellView, endLapsed, free, isReserved, mayReuse } from './lease-rules.ts'
import type { Page, QueryOptions, Snapshot } from './platform.ts'
import { queries } from './query-table.ts'
import { lookToTake } from './quota.ts'
import { writeRelease } from './tunnels.ts'

/** A deleted host document could no longer say its old epoch; a day is many tickets long. */
const hostKeepMs = 24 * 3_600_000
/** Done within seconds, so that a worker's lease is renewed in time. */
const pageMax = 200
/** Each waits for the store most of its time: 4,000 lapsed leases took nine minutes one by one. */
const atOnce = 16

export type Swept = { readonly expired: number; readonly freed: number }
type Place = { readonly cell: Cell; readonly view: CellView }

/** How far a sweep has come, and what it did. */
export type SweepProgress = Swept & {
  readonly part: keyof typeof parts
  /** After the last finished page. */
  readonly after?: QueryOptions['after']
}

/**
 * Goes over everything that is due, from where `start` says.
 * @param save called after every page; after a crash the sweep continues from the last one
 */
export async function sweep(
  control: Control,
  start: SweepProgress = { part: 'lapsed', expired: 0, freed: 0 },
  save: (progress: SweepProgress) => Promise<void> = async () => {},
): Promise<Swept> {
  const placeOf = rememberPlaces(control)
  let progress = start
  for (;;) {
    const { part, after } = progress
    const { query, state, work } = parts[part]
    const page: Page<EndpointDoc> = await control.store.query(query, {
      where: { state },
      to: control.clock.now(),
      limit: pageMax,
      ...(after && { after }),
    })
    const done = await eachOfPage(page.items, async (found) =>
      work(control, found, await placeOf(found.data.cell)),
    )
    const sums = { expired: progress.expired, freed: progress.freed }
    sums[part === 'lapsed' ? 'expired' : 'freed'] += done
    if (page.next) progress = { part, ...sums, after: page.next }
    else if (part === 'lapsed') progress = { part: 'kept', ...sums }
    else return sums
    await save(progress)
  }
}

const parts = {
  lapsed: { query: queries.expiredLeases, state: 'leased', work: expire },
  kept: { query: queries.keptEndpoints, state: 'resting', work: giveBack },
} as const

/** Cells and their relays' reports, read once in each sweep. */
function rememberPlaces(control: Control): (cell: string) => Promise<Place> {
  const places = new Map<string, Promise<Place>>()
  const read = async (id: string): Promise<Place> => {
    const cell = await control.cells.now(id)
    return { cell, view: await new Views(control, cell).withBound() }
  }
  return (id) => {
    const place = places.get(id) ?? read(id)
    places.set(id, place)
    return place
  }
}

/**
 * Runs many at once, but each account's one after the other, since they share its quota.
 * @returns how many of them `work` did something with
 */
async function eachOfPage(
  items: readonly Snapshot<EndpointDoc>[],
  work: (found: Snapshot<EndpointDoc>) => Promise<boolean>,
): Promise<number> {
  const byAccount = [...Map.groupBy(items, ({ data }) => data.account).values()]
  let done = 0
  const lane = async () => {
    for (let group = byAccount.pop(); group; group = byAccount.pop())
      for (const found of group) if (await work(found)) done++
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
  return done
}

/** Ends the lease: its tunnel keeps the address for its return, and nobody else gets it before the rest is over. */
async function expire(control: Control, found: Snapshot<EndpointDoc>, { view }: Place): Promise<boolean> {
  if (view.isBound(found.ref.id)) return false
  const nowMs = control.clock.now()
  const outgoing = await control.store.transact(async (tx) => {
    const latest = await tx.get(endpoints.ref(found.ref.id))
    if (latest?.data.state !== 'leased' || latest.data.expiresAt > nowMs) return []
    const { account, tunnel } = latest.data
    const take = await lookToTake(tx, account)
    const watch = await lookToWatch(tx, { account, tunnel }, nowMs)
    const written = writeRelease(tx, latest, { nowMs, forget: false })
    take({ online: -1 })
    watch()
    return written
  })
  // Not for the bus: nothing is bound there, and relays that were away get it by `sync`.
  return outgoing.length > 0
}

/**
 * Frees a tcp endpoint for a stranger when its lease lapsed without a release and no ticket can bind it any more. It
 * happens here, so that a claim touches no other account's quota.
 */
export async function freeLapsed(control: Control, id: string, { cell, view }: Place): Promise<void> {
  const nowMs = control.clock.now()
  const outgoing = await control.store.transact(async (tx) => {
    const latest = await tx.get(endpoints.ref(id))
    const ended = latest && endLapsed(id, latest.data, { cell: view, nowMs })
    if (!ended) return []
    const take = await lookToTake(tx, latest.data.account)
    tx.set(latest.ref, offered(id, ended, cell))
    const body = { kind: 'revoke', endpoint: id, epoch: ended.epoch, reason: 'released' } as const
    const command = makeCommand(ended.cell, body, nowMs)
    writeCommand(tx, command)
    take({ online: -1 })
    return [command]
  })
  await publishCommands(control, outgoing)
}

function offered(id: string, freed: EndpointDoc, cell: Cell): EndpointDoc {
  if (freed.state === 'reserved') return freed
  return { ...freed, state: isOffered(id, cell) ? 'free' : 'denied' }
}

async function giveBack(
  control: Control,
  found: Snapshot<EndpointDoc>,
  { cell, view }: Place,
): Promise<boolean> {
  const nowMs = control.clock.now()
  const { ref } = found
  let isDone = false
  await control.store.change(endpoints.ref(ref.id), (latest): EndpointDoc | 'keep' | 'delete' => {
    isDone = false
    if (latest?.state !== 'resting' || latest.keepUntil > nowMs) return 'keep'
    const account = isReserved(latest) ? latest.account : ''
    if (!mayReuse(ref.id, latest, { account, cell: view, nowMs })) return 'keep'
    if (latest.kind === 'host' && !isReserved(latest) && latest.restUntil + hostKeepMs > nowMs) return 'keep'
    isDone = true
    if (latest.kind === 'host' && !isReserved(latest)) return 'delete'
    return offered(ref.id, free(latest), cell)
  })
  return isDone
}

/** The range may have shrunk while the port was leased. */
function isOffered(id: string, { portFrom, portTo }: Cell): boolean {
  const port = Number(id.slice(id.lastIndexOf(':') + 1))
  return port >= portFrom && port <= portTo && !isPortDenied(port)
}
