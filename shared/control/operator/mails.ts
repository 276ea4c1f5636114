/**
 * What an operator does about mail addresses. Servers that accept a mail first and return it later (a bounce) tell the
 * operator's mail server: `mails.bounced` passes that on, by hand or from a script of that server.
 */
import { z } from 'zod'
import type { Control } from '../control.ts'
import { addressId, addressRef, clearBounce, hasBounced, lookToBounce } from '../mail/addresses.ts'
import { declareAct, recordAct, writeAct } from './act.ts'

const addressSchema = z.strictObject({ address: z.email().max(254) })

export const mailActs = {
  'mails.show': declareAct(addressSchema, ({ control }, { address }) => show(control, address)),
  'mails.bounced': declareAct(addressSchema, async ({ control }, { address }, by) => {
    const nowMs = control.clock.now()
    await control.store.transact(async (tx) => {
      const write = await lookToBounce(tx, address, { reply: 'said by an operator', nowMs })
      write()
      writeAct(tx, by, { action: 'mail.bounced', target: addressId(address) }, nowMs)
    })
    return show(control, address)
  }),
  'mails.allow': declareAct(addressSchema, async ({ control }, { address }, by) => {
    await recordAct(control, by, { action: 'mail.allowed', target: addressId(address) })
    await clearBounce(control.store, address)
    return show(control, address)
  }),
}

async function show({ store, clock }: Control, address: string) {
  const found = (await store.get(addressRef(address)))?.data
  const isRefused = hasBounced(found, clock.now())
  return {
    address,
    state: isRefused ? 'refused' : 'takes mail',
    ...(isRefused && found && { since: found.bouncedAt, reply: found.reply }),
    turnedOff: found?.off ?? [],
  }
}
