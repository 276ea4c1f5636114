/** The keys that sign tickets: put the next one to use now, or have relays refuse one that somebody else may know. */
import { z } from 'zod'
import { fail } from '../../base/errors.ts'
import { everyCell, makeCommand, publishCommands, writeCommand } from '../commands.ts'
import type { Control } from '../control.ts'
import { declareAct, reasonSchema, recordAct } from './act.ts'

export const keyActs = {
  'keys.list': declareAct(z.strictObject({}), ({ control }) => control.signer.describe()),
  'keys.rotate': declareAct(z.strictObject({}), async ({ control }, _, by) => {
    await recordAct(control, by, { action: 'signing.rotated', target: 'tickets' })
    const version = await control.signer.rotate({ isNow: true })
    if (version === undefined) throw fail('operator.busy')
    await tellRelays(control, version)
    return control.signer.describe()
  }),
  'keys.leaked': declareAct(
    z.strictObject({ kid: z.string().max(64).optional(), reason: reasonSchema }),
    async ({ control }, { kid, reason }, by) => {
      const known = await control.signer.describe()
      const target = kid ?? known.find(({ state }) => state === 'active')?.kid
      if (target === undefined || !known.some((key) => key.kid === target))
        throw fail('operator.missing', `No signing key has the id "${kid}".`)
      await recordAct(control, { ...by, reason }, { action: 'signing.leaked', target })
      const version = await control.signer.withdraw(target)
      if (version === undefined) throw fail('operator.busy')
      await tellRelays(control, version, target)
      return control.signer.describe()
    },
  ),
}

/** Older releases skip the second command, and obey the first. */
export async function tellRelays(control: Control, version: number, leaked?: string): Promise<void> {
  const nowMs = control.clock.now()
  const fetchAgain = makeCommand(everyCell, { kind: 'keys', version }, nowMs)
  const refuse = leaked === undefined ? [] : [makeCommand(everyCell, { kind: 'leaked', kid: leaked }, nowMs)]
  const outgoing = [...refuse, fetchAgain]
  await control.store.transact(async (tx) => {
    for (const each of outgoing) writeCommand(tx, each)
  })
  await publishCommands(control, outgoing)
}
