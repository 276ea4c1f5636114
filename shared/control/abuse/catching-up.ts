/** What a relay has to hear that commands do not tell it: it is new, or was away for longer than they are kept. */
import type { Command } from '../../api/schemas/relays.ts'
import { makeCommand } from '../commands.ts'
import type { Control } from '../control.ts'
import { queries } from '../query-table.ts'
import { takedownMs } from './takedown.ts'

/** As many as a relay remembers (relay-vm/taken-down.ts); the newest. */
const takedownsMax = 500

/** As commands, which a relay that knows them already passes over. */
export async function takedownsIn(control: Control, cell: string): Promise<readonly Command[]> {
  const nowMs = control.clock.now()
  const options = { where: { cell }, from: nowMs - takedownMs, limit: takedownsMax }
  const { items } = await control.store.query(queries.takenDownInCell, options)
  return items.map(({ ref, data: { endpoint, takenDownAt = nowMs, takedownVersion = takenDownAt } }) => {
    const body = { tunnel: ref.id, endpoint, until: takenDownAt + takedownMs, version: takedownVersion }
    return makeCommand(cell, { kind: 'takedown', ...body }, nowMs).command
  })
}
