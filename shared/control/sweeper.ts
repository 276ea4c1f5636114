/**
 * Ends leases that lapsed without a word, and gives back endpoints whose rest and waiting are over. Runs every
 * 15 min; nothing depends on it at once, since claims reclaim lazily. What a relay reports as bound is left
 * alone: its agent may be cut off from the control plane only.
 */
import { type Cell, readCell, Views } from './cells.ts'
import type { Control } from './control.ts'
import { isPortDenied } from './deny-lists.ts'
import { type EndpointDoc, endpoints } from './documents.ts'
import { type CellView, free, mayReuse } from './lease-rules.ts'
import { strikeOff } from './online.ts'
import type { Page, Query, QueryOptions, Snapshot } from './platform.ts'
import { queries } from './query-table.ts'
import { writeRelease } from './tunnels.ts'

/** A deleted host document could not tell its old epoch any more; a day is many tickets long. */
const hostKeepMs = 24 * 3_600_000
/** One run does no more than this, and the next goes on. */
const pagesMax = 20

export type Swept = { readonly expired: number; readonly freed: number }
type Place = { readonly cell: Cell; readonly view: CellView }

export async function sweep(control: Control): Promise<Swept> {
  const places = new Map<string, Place>()
  const placeOf = async (id: string): Promise<Place> => {
    const known = places.get(id)
    if (known) return known
    const cell = await readCell(control, id)
    const place = { cell, view: await new Views(control, cell).full() }
    places.set(id, place)
    return place
  }
  const nowMs = control.clock.now()
  let expired = 0
  for await (const found of eachDue(control, queries.expiredLeases, {
    where: { state: 'leased' },
    to: nowMs,
  }))
    if (await expire(control, found, await placeOf(found.data.cell))) expired++
  let freed = 0
  for await (const found of eachDue(control, queries.keptEndpoints, {
    where: { state: 'resting' },
    to: nowMs,
  }))
    if (await giveBack(control, found, await placeOf(found.data.cell))) freed++
  return { expired, freed }
}

async function* eachDue(
  control: Control,
  query: Query<EndpointDoc>,
  options: Pick<QueryOptions, 'where' | 'to'>,
): AsyncGenerator<Snapshot<EndpointDoc>> {
  let after: QueryOptions['after']
  for (let pages = 0; pages < pagesMax; pages++) {
    const page: Page<EndpointDoc> = await control.store.query(query, {
      ...options,
      limit: 200,
      ...(after && { after }),
    })
    yield* page.items
    after = page.next
    if (!after) return
  }
}

/** The lease is over: its tunnel keeps the address for its return, and nobody else has it before the rest is over. */
async function expire(control: Control, found: Snapshot<EndpointDoc>, { view }: Place): Promise<boolean> {
  if (view.isBound(found.ref.id)) return false
  const nowMs = control.clock.now()
  const outgoing = await control.store.transact(async (tx) => {
    const latest = await tx.get(endpoints.ref(found.ref.id))
    if (latest?.data.state !== 'leased' || latest.data.expiresAt > nowMs) return []
    return writeRelease(tx, latest, { nowMs, forget: false })
  })
  // Not for the bus: nothing is bound there, and `sync` brings it to relays that were away.
  const { account, tunnel, epoch } = found.data
  if (outgoing.length > 0) await strikeOff(control, account, { [tunnel]: { endpoint: found.ref.id, epoch } })
  return outgoing.length > 0
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
    if (!mayReuse(ref.id, latest, { account: '', cell: view, nowMs })) return 'keep'
    if (latest.kind === 'host' && latest.restUntil + hostKeepMs > nowMs) return 'keep'
    isDone = true
    if (latest.kind === 'host') return 'delete'
    return { ...free(latest), state: isOffered(ref.id, cell) ? 'free' : 'denied' }
  })
  return isDone
}

/** The range may have shrunk while the port was leased. */
function isOffered(id: string, { portFrom, portTo }: Cell): boolean {
  const port = Number(id.slice(id.lastIndexOf(':') + 1))
  return port >= portFrom && port <= portTo && !isPortDenied(port)
}
