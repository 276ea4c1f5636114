/**
 * Who tries stolen cards needs many payment pages. So they are few for each account and source, and fewest for an
 * account that is new, since those cost nothing (docs/plans.md).
 */
import { isAddress, plainAddress, sourceNetwork } from '../../base/addresses.ts'
import type { Caller } from '../caller.ts'
import type { Control } from '../control.ts'
import { accounts } from '../documents.ts'
import { countEvent } from '../rates.ts'

const dayMs = 24 * 3_600_000
const ofOne = { scope: 'checkout', max: 5, windowMs: dayMs }
/** An account's first day. */
const ofNew = { scope: 'checkout-new', max: 3, windowMs: dayMs }
/** Offices share one, and so do the customers of small providers. */
const ofNetwork = { scope: 'checkout-net', max: 20, windowMs: dayMs }

/** @throws billing.limit */
export async function countCheckout(control: Control, { account, from }: Caller): Promise<void> {
  const key = 'billing.limit'
  const found = await control.store.get(accounts.ref(account))
  const isNew = found !== undefined && control.clock.now() - found.data.createdAt < dayMs
  if (isNew) await countEvent(control, ofNew, { subject: account, key })
  await countEvent(control, ofOne, { subject: account, key })
  const address = plainAddress(from)
  if (!isAddress(address)) return
  await countEvent(control, ofOne, { subject: address, key })
  await countEvent(control, ofNetwork, { subject: sourceNetwork(address), key })
}
