/**
 * A host keeps leading to its tunnel when that moves to another cell. Its record leads to a name under the cell that
 * was told when the claim was made; where the service keeps its own records, that name gets the addresses of the
 * tunnel's present cell (own-records.ts). Elsewhere the owner is told the new record.
 */
import type { Control } from '../control.ts'
import { tunnels } from '../documents.ts'
import { asFailure } from '../failures.ts'
import { requestJob } from '../jobs/kick.ts'
import { checkWish } from './checking.ts'
import { type DomainDoc, domains } from './domain-documents.ts'
import { domainId } from './proof.ts'

/**
 * Call it when a tunnel got its address in another cell than before: the claims of its hosts are looked at now. It
 * fails nobody's claim, and a lost call is made up for by the next daily look.
 */
export async function followTunnel(
  control: Control,
  account: string,
  hosts: readonly string[],
): Promise<void> {
  try {
    for (const host of hosts) {
      const id = domainId(account, host)
      if (await control.store.get(domains.ref(id))) await requestJob(control, checkWish(id, account))
    }
  } catch (error) {
    control.log.warn({ code: asFailure(error).code, error }, 'hosts follow their tunnel at the next look')
  }
}

/** The cell of the claim's tunnel, if that is another than the told one; '' = it is there, or was never online. */
export async function cellAway({ store }: Control, { tunnel, cell, account }: DomainDoc): Promise<string> {
  const found = tunnel === '' ? undefined : await store.get(tunnels.ref(tunnel))
  if (found?.data.account !== account) return ''
  return found.data.cell === cell ? '' : found.data.cell
}
