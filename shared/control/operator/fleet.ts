/**
 * Cells and their relays as the operator's page shows them: what each relay last reported, how old that is, and what an
 * operator can do about it. Nothing is asked of the relays; the figures ride on their reports (control/relays.ts).
 */
import { z } from 'zod'
import { fail } from '../../base/errors.ts'
import { queryAll, setCellState } from '../cells.ts'
import { makeCommand, publishCommands, writeCommand } from '../commands.ts'
import type { Control } from '../control.ts'
import type { CellDoc, RelayDoc } from '../documents.ts'
import type { QueryOptions, Snapshot } from '../platform.ts'
import { silentMs } from '../presence.ts'
import { queries } from '../query-table.ts'
import { type By, writeAct } from './act.ts'

export type Standing = RelayDoc['state'] | 'silent' | 'left'

/** Cells of a state, the oldest first. */
export function pageCells(
  { store }: Pick<Control, 'store'>,
  state: CellDoc['state'],
  page: Pick<QueryOptions, 'limit' | 'after'>,
) {
  return store.query(queries.cellsByState, { where: { state }, ...page })
}

/** @returns each cell with its relays, those that need somebody first */
export async function describeCells(control: Control, found: readonly Snapshot<CellDoc>[]) {
  return Promise.all(
    found.map(async ({ ref: { id }, data: { state, host, domain, createdAt } }) => {
      const relays = await queryAll(control.store, queries.relaysOfCell, { where: { cell: id } })
      return {
        id,
        state,
        host,
        domain,
        createdAt,
        relays: relays.map(({ data }) => describeRelay(control, data)).toSorted(byTrouble),
      }
    }),
  )
}

function describeRelay(control: Control, relay: RelayDoc) {
  const { relay: id, instance, version, load, seenAt, bootAt, agentAddress } = relay
  const { host, port } = agentAddress
  return {
    relay: id,
    instance,
    state: standingOf(control, relay),
    version,
    address: `${host}:${port}`,
    bootAt,
    // Its last report says that it has left, and when that was is not kept.
    ...(seenAt > 0 && { seenAt }),
    load: { ...load },
  }
}

function standingOf({ clock }: Pick<Control, 'clock'>, { state, seenAt }: RelayDoc): Standing {
  if (seenAt === 0) return 'left'
  return clock.now() - seenAt > silentMs ? 'silent' : state
}

const troubleFirst: readonly Standing[] = ['silent', 'draining', 'starting', 'ready', 'left']

type Described = ReturnType<typeof describeRelay>

function byTrouble(a: Described, b: Described): number {
  return (
    troubleFirst.indexOf(a.state) - troubleFirst.indexOf(b.state) ||
    `${a.relay}${a.instance}`.localeCompare(`${b.relay}${b.instance}`)
  )
}

/** Which relay is to drain. */
export const drainSchema = z.strictObject({ relay: z.string().max(64) })

/**
 * Orders every process of the relay to leave: it takes no new visitors, lets open connections end within its grace
 * period, and ends. Its supervisor starts it anew. An order cannot be taken back, because the relay has told its agents
 * to go; closing the cell, which can, is for who only wants no new tunnels there.
 * @throws operator.missing
 */
export async function drainRelay(control: Control, relay: string, by: By) {
  const known = (await relaysOf(control)).filter(({ data }) => data.relay === relay)
  const [first] = known
  if (!first) throw fail('operator.missing', `No relay has the id "${relay}".`)
  const nowMs = control.clock.now()
  const { cell } = first.data
  const order = makeCommand(cell, { kind: 'drain', relay, version: nowMs }, nowMs)
  await control.store.transact(async (tx) => {
    writeCommand(tx, order)
    writeAct(tx, by, { action: 'relay.drained', target: relay, details: { cell } }, nowMs)
  })
  await publishCommands(control, [order])
  return { relay, cell, instances: known.map(({ data }) => data.instance) }
}

/** A closed cell serves its tunnels and takes no new ones. @throws operator.missing */
export async function switchCell(
  control: Control,
  { id, state }: { readonly id: string; readonly state: CellDoc['state'] },
  by: By,
): Promise<void> {
  const action = state === 'open' ? 'cell.opened' : 'cell.closed'
  await setCellState(control, { id, state }, (tx, nowMs) => writeAct(tx, by, { action, target: id }, nowMs))
}

/** @param cell of one cell; undefined: of all. @throws operator.missing */
export async function relaysOf(
  { store }: Pick<Control, 'store'>,
  cell?: string,
): Promise<readonly Snapshot<RelayDoc>[]> {
  const states: readonly CellDoc['state'][] = ['open', 'closed']
  const found = await Promise.all(
    states.map((state) => queryAll(store, queries.cellsByState, { where: { state } })),
  )
  const ids = found.flat().map(({ ref }) => ref.id)
  const asked = cell === undefined ? ids : ids.filter((id) => id === cell)
  if (cell !== undefined && asked.length === 0) throw fail('operator.missing', `There is no cell "${cell}".`)
  const relays = await Promise.all(
    asked.map((id) => queryAll(store, queries.relaysOfCell, { where: { cell: id } })),
  )
  return relays.flat()
}
