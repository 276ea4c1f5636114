/** Cells: how they are made, with a document for each port; how claims see their relays; and their addresses. */
import { createHash } from 'node:crypto'
import { syncMax } from '../api/schemas/relays.ts'
import type { Endpoint, RelayAddress } from '../api/schemas/tunnels.ts'
import { fail } from '../base/errors.ts'
import type { TunnelKind } from '../protocol/endpoint.ts'
import type { Control } from './control.ts'
import { isPortDenied } from './deny-lists.ts'
import {
  type BoundDoc,
  bound,
  type CellDoc,
  cells,
  type EndpointDoc,
  endpoints,
  type RelayDoc,
} from './documents.ts'
import type { CellView } from './lease-rules.ts'
import type { Page, Query, QueryOptions, Snapshot, Store, Transaction, Write } from './platform.ts'
import type { Bound, Witness } from './presence.ts'

/** A silent relay stays in the agents' directory this long: perhaps only the control plane is cut off. */
const directoryMs = 10 * 60_000
/** Far below what a batch takes; each batch is one round trip. */
const portsPerBatch = 200

export type CellSettings = Omit<CellDoc, 'state' | 'createdAt'> & { readonly id: string }

export function tcpEndpointId(cell: string, port: number): string {
  return `tcp:${cell}:${port}`
}

/**
 * Makes the cell, or adapts it to changed settings: new ports get documents, free ones outside the range are withheld.
 */
export async function ensureCell(control: Control, { id, ...settings }: CellSettings): Promise<void> {
  const nowMs = control.clock.now()
  const before = await control.store.get(cells.ref(id))
  const createdAt = before?.data.createdAt ?? nowMs
  // A closed cell stays closed, though its ports may change.
  const state = before?.data.state ?? 'open'
  // A starting server does not know them, and so keeps them.
  const addresses = settings.addresses ?? before?.data.addresses
  await control.store.set(cells.ref(id), { ...settings, state, createdAt, ...(addresses && { addresses }) })
  const { portFrom, portTo } = settings
  const [oldFrom, oldTo] = [before?.data.portFrom ?? portFrom, before?.data.portTo ?? portTo]
  const ports = Array.from(
    { length: Math.max(portTo, oldTo) - Math.min(portFrom, oldFrom) + 1 },
    (_, index) => Math.min(portFrom, oldFrom) + index,
  )
  for (let start = 0; start < ports.length; start += portsPerBatch)
    await ensurePorts(control, { id, portFrom, portTo }, ports.slice(start, start + portsPerBatch))
  control.cells.forget(id)
}

/** A closed cell takes no new tunnels; it keeps those it has. @param note writes more into the same transaction */
export async function setCellState(
  control: Control,
  { id, state }: Pick<CellDoc, 'state'> & { readonly id: string },
  note: (tx: Transaction, nowMs: number) => void,
): Promise<void> {
  await control.store.transact(async (tx) => {
    const found = await tx.get(cells.ref(id))
    if (!found) throw fail('operator.missing', `There is no cell "${id}".`)
    tx.update(found.ref, { state })
    note(tx, control.clock.now())
  })
  control.cells.forget(id)
}

async function ensurePorts(
  control: Control,
  { id, portFrom, portTo }: { id: string; portFrom: number; portTo: number },
  ports: readonly number[],
): Promise<void> {
  const found = await control.store.getAll(ports.map((port) => endpoints.ref(tcpEndpointId(id, port))))
  const writes = ports.flatMap((port, index): Write[] => {
    const ref = endpoints.ref(tcpEndpointId(id, port))
    const state = port < portFrom || port > portTo || isPortDenied(port) ? 'denied' : 'free'
    const snapshot = found[index]
    if (!snapshot)
      return [{ op: 'create', ref, data: { ...blankEndpoint(id, 'tcp', control.random()), state } }]
    const { data, version } = snapshot
    if (data.state === state || (data.state !== 'free' && data.state !== 'denied')) return []
    return [{ op: 'update', ref, fields: { state }, if: { version } }]
  })
  if (writes.length > 0) await control.store.batch(writes)
}

export function blankEndpoint(cell: string, kind: EndpointDoc['kind'], pick: number): EndpointDoc {
  const nobody = { account: '', tunnel: '', holders: {} }
  const times = { leasedAt: 0, expiresAt: 0, releasedAt: 0, restUntil: 0, keepUntil: 0 }
  return { cell, kind, state: 'free', pick, ...nobody, epoch: 0, ...times }
}

export type KnownRelay = Pick<Snapshot<RelayDoc>, 'ref' | 'data'>
export type Cell = CellDoc & { readonly id: string; readonly relays: readonly KnownRelay[] }

export function readyRelays(control: Pick<Control, 'clock'>, { relays }: Cell): readonly RelayDoc[] {
  const since = control.clock.now() - directoryMs
  return relays.map(({ data }) => data).filter(({ state, seenAt }) => state === 'ready' && seenAt >= since)
}

/**
 * Where agents dial. A restarting relay stays in the list: it was there a moment ago, and its agents should not leave.
 * When no relay has reported lately, the list keeps the former ones, for the same reason.
 */
export function directoryOf(control: Control, cell: Cell): RelayAddress[] {
  const ready = readyRelays(control, cell)
  const all = cell.relays.map(({ data }) => data)
  const known = ready.length > 0 ? [...ready, ...all.filter(isStartingAnew)] : all
  return known.map(({ instance, agentAddress: { certificate, ...address } }) => ({
    instance,
    ...address,
    ...(certificate && { certificate }),
  }))
}

function isStartingAnew({ state, bootAt, heardSince = bootAt }: RelayDoc): boolean {
  return state === 'starting' && heardSince < bootAt
}

/** Changes when agents should dial other relays. It does not matter which of two relays that take turns is running. */
export function directoryMark(control: Control, cell: Cell): string {
  const addresses = directoryOf(control, cell).map(({ instance: _, ...address }) => JSON.stringify(address))
  const text = [...new Set(addresses)].toSorted().join()
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/** Where browsers read live figures. */
export function watchUrlsOf(control: Pick<Control, 'clock'>, cell: Cell): string[] {
  return readyRelays(control, cell).map(({ watchUrl }) => watchUrl)
}

/**
 * What the relays have said, for rules that give an endpoint to somebody else. It reads what relays have bound only
 * when a rule needs it: most claims get back what they had, or something free.
 */
export class Views {
  readonly #control: Control
  readonly #cell: Cell
  #current: CellView

  constructor(control: Control, cell: Cell) {
    this.#control = control
    this.#cell = cell
    const nowMs = control.clock.now()
    this.#current = {
      witnesses: cell.relays.map(({ data }) => witnessOf(data, undefined)),
      ready: readyRelays(control, cell),
      appliedAt: Math.min(nowMs, ...cell.relays.map(({ data }) => data.appliedAt)),
      seenAt: Math.min(nowMs, ...cell.relays.map(({ data }) => data.seenAt)),
      hasBound: false,
      isBound: () => true,
    }
  }

  get current(): CellView {
    return this.#current
  }

  /** With what the relays have bound, read once. */
  async withBound(): Promise<CellView> {
    if (this.#current.hasBound) return this.#current
    const places = this.#cell.relays.flatMap(({ ref, data }) =>
      Array.from({ length: data.boundChunks }, (_, chunk) => ({ relay: ref.id, chunk })),
    )
    const refs = places.map(({ relay, chunk }) => bound.ref(`${relay}:${chunk}`))
    const chunks: readonly (Snapshot<BoundDoc> | undefined)[] = await this.#control.store.getAll(refs)
    const witnesses = this.#cell.relays.map(({ ref, data }) =>
      witnessOf(data, boundIn(chunks.filter((_, index) => places[index]?.relay === ref.id))),
    )
    const isBound = (endpoint: string) => witnesses.some((witness) => witness.serves(endpoint) !== undefined)
    this.#current = { ...this.#current, witnesses, hasBound: true, isBound }
    return this.#current
  }
}

function witnessOf(
  { instance, bootAt, seenAt, heardSince = seenAt }: RelayDoc,
  served: ReadonlyMap<string, Bound> | undefined,
): Witness {
  return {
    instance,
    bootAt,
    seenAt,
    heardSince,
    isWhole: (served?.size ?? 0) < syncMax.bound,
    serves: (endpoint) => served?.get(endpoint),
  }
}

function boundIn(chunks: readonly (Snapshot<BoundDoc> | undefined)[]): ReadonlyMap<string, Bound> {
  const served = new Map<string, Bound>()
  for (const chunk of chunks) {
    const { endpoints: ids = [], epochs = [], detached = [] } = chunk?.data ?? {}
    const without = new Set(detached)
    for (const [at, id] of ids.entries()) served.set(id, { epoch: epochs[at], isDetached: without.has(id) })
  }
  return served
}

/** The public address of an endpoint, which people copy. */
export function describeEndpoint(id: string, kind: TunnelKind, cell: CellDoc): Endpoint {
  if (id.startsWith('tcp:')) {
    const port = Number(id.slice(id.lastIndexOf(':') + 1))
    return { id, url: `tcp://${cell.host}:${port}`, host: cell.host, port }
  }
  const host = id.slice('host:'.length)
  if (kind === 'tls') return { id, url: `tls://${host}:${cell.tlsPort}`, host, port: cell.tlsPort }
  const usual = cell.httpScheme === 'https' ? 443 : 80
  const suffix = cell.httpPort === usual ? '' : `:${cell.httpPort}`
  return { id, url: `${cell.httpScheme}://${host}${suffix}`, host, port: cell.httpPort }
}

/** All pages of a query whose result is known to be short. */
export async function queryAll<T extends NonNullable<Query['doc']>>(
  store: Pick<Store, 'query'>,
  query: Query<T>,
  options: Omit<QueryOptions, 'limit' | 'after'>,
): Promise<readonly Snapshot<T>[]> {
  const all: Snapshot<T>[] = []
  let page: Page<T> | undefined
  do {
    page = await store.query(query, { ...options, limit: 500, ...(page?.next && { after: page.next }) })
    all.push(...page.items)
  } while (page.next)
  return all
}
