/**
 * The name of a tunnel follows its claim: a host leads to the tunnel that its claim names as long as the host is the
 * claim's, which is checked in the transaction that changes the name.
 */
import { fail, isFailure } from '../../base/errors.ts'
import type { Control } from '../control.ts'
import { tunnels } from '../documents.ts'
import { names } from '../name-documents.ts'
import type { Transaction } from '../platform.ts'
import { addName, removeName } from '../tunnel-names.ts'
import { type DomainDoc, domains, verified } from './domain-documents.ts'

/** @returns false when it must be tried again: the name rests, or another tunnel has just lost it */
export async function bindName(control: Control, id: string): Promise<boolean> {
  const found = await control.store.get(domains.ref(id))
  if (!found) return true
  const { account, host, tunnel } = found.data
  const by = { account, actor: 'system', from: '' }
  const name = (await control.store.get(names.ref(host)))?.data
  const led = name?.state === 'active' && name.account === account ? name.tunnel : ''
  if (led !== '' && led !== tunnel && (tunnel === '' || !(await isSameCell(control, led, tunnel)))) {
    await removeName(control, by, { tunnel: led, host })
    if (tunnel === '') return true
  }
  if (tunnel === '' || led === tunnel) return true
  try {
    await addName(control, by, { tunnel, host }, (tx) => requireRight(tx, id, tunnel))
    return true
  } catch (error) {
    // It is not the claim's, or the tunnel is gone: the name leads nowhere, and nobody waits.
    if (isFailure(error, 'api.conflict') || isFailure(error, 'api.not_found')) return true
    if (isFailure(error, 'name.resting') || isFailure(error, 'name.held')) return false
    throw error
  }
}

/** A name moves at once between tunnels of one cell. */
async function isSameCell({ store }: Control, one: string, other: string): Promise<boolean> {
  const [from, to] = await store.getAll([tunnels.ref(one), tunnels.ref(other)])
  return from !== undefined && from.data.cell === to?.data.cell
}

/** @throws api.conflict unless the host is the claim's, and the claim still names this tunnel */
async function requireRight(tx: Transaction, id: string, tunnel: string): Promise<void> {
  const claim: DomainDoc | undefined = (await tx.get(domains.ref(id)))?.data
  const right = claim && (await tx.get(verified.ref(claim.host)))?.data
  if (claim?.tunnel !== tunnel || right?.claim !== claim.claim) throw fail('api.conflict')
}
