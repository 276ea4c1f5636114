/** Relays for an operator: their enrolment keys, their last reports, and the order to drain. */
import { z } from 'zod'
import { cellIdSchema, declareAct, recordAct } from './act.ts'
import { find } from './cells.ts'
import { drainRelay, drainSchema, relaysOf } from './fleet.ts'

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
  'relays.drain': declareAct(drainSchema, ({ control }, { relay }, by) => drainRelay(control, relay, by)),
}
