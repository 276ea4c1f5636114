/** Relays for an operator: their enrolment keys, their last reports, and the order to drain. */
import { z } from 'zod'
import { fail } from '../../base/errors.ts'
import { queryAll } from '../cells.ts'
import { makeCommand, publishCommands, writeCommand } from '../commands.ts'
import type { Control } from '../control.ts'
import type { CellDoc, RelayDoc } from '../documents.ts'
import type { Snapshot } from '../platform.ts'
import { queries } from '../query-table.ts'
import { cellIdSchema, declareAct, recordAct, writeAct } from './act.ts'
import { find } from './cells.ts'

const hourMs = 3_600_000
/** A year: a key that was put aside for longer has been forgotten. */
const hoursMax = 8_760

export const relayActs = {
  'enrolment.create': declareAct(
    z.strictObject({ cell: cellIdSchema, hours: z.number().positive().max(hoursMax).default(24) }),
    async ({ control, enrolment }, { cell, hours }, by) => {
      await find(control, cell)
      await recordAct(control, by, { action: 'enrolment.created', target: cell, details: { hours } })
      const lifeMs = hours * hourMs
      const key = await enrolment.makeKey(cell, { lifeMs })
      return { cell, key, expiresAt: control.clock.now() + lifeMs }
    },
  ),
  'relays.list': declareAct(
    z.strictObject({ cell: cellIdSchema.optional() }),
    async ({ control }, { cell }) => {
      const known = await relaysOf(control, cell)
      return known.map(({ data }) => ({
        relay: data.relay,
        instance: data.instance,
        cell: data.cell,
        state: data.state,
        version: data.version,
        sessions: data.load.sessions,
        address: `${data.agentAddress.host}:${data.agentAddress.port}`,
        seenAt: data.seenAt,
      }))
    },
  ),
  'relays.drain': declareAct(
    z.strictObject({ relay: z.string().max(64) }),
    async ({ control }, { relay }, by) => {
      const known = (await relaysOf(control, undefined)).filter(({ data }) => data.relay === relay)
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
    },
  ),
}

async function relaysOf(
  { store }: Pick<Control, 'store'>,
  cell: string | undefined,
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
