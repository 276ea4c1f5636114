/** A verified own domain in a store, without the look that finds its record: for tests of certificates. */
import type { Control } from '../control/control.ts'
import { type AccountDoc, accounts, type TunnelDoc, tunnels } from '../control/documents.ts'
import { verified } from '../control/domains/domain-documents.ts'
import { names } from '../control/name-documents.ts'

/** An own domain that leads to a tunnel of the cell `home`. */
export async function giveOwnDomain(
  { store }: Control,
  host: string,
  state: 'verified' | 'suspended',
): Promise<void> {
  const common = { account: 'acc_1', since: 0, goneAt: 0, claim: 'c', domain: 'd' }
  await store.set(verified.ref(host), { ...common, state })
  const times = { version: 1, ticketsUntil: 0, removedAt: 0 }
  await store.set(names.ref(host), {
    account: 'acc_1',
    tunnel: 'tun_1',
    state: 'active',
    cells: [],
    ...times,
  })
  await store.set(tunnels.ref('tun_1'), { account: 'acc_1', cell: 'home' } as TunnelDoc)
  await store.set(accounts.ref('acc_1'), { status: 'active' } as AccountDoc)
}
