/** Which certificates we order, and for whom: the names of cells, and names under them that are leased. */
import { type Cell, queryAll, readCell, readyRelays } from '../cells.ts'
import type { Control } from '../control.ts'
import { type CellDoc, endpoints } from '../documents.ts'
import type { Snapshot } from '../platform.ts'
import { queries } from '../query-table.ts'

export type Wanted = {
  /** '' = the service's own. */
  readonly account: string
  readonly hosts: readonly string[]
  /** Whose relays serve these names. */
  readonly cells: readonly string[]
}

/** @returns undefined for a name that is not, or no longer, ours to certify */
export async function wantedCertificate(control: Control, id: string): Promise<Wanted | undefined> {
  if (!isPublic(id)) return undefined
  const cells = await allCells(control)
  const own = cells.filter(({ data }) => data.domain === id || data.host === id)
  if (own.length > 0) {
    const isParent = own.some(({ data }) => data.domain === id)
    const hosts = isParent && control.certificates.records ? [id, `*.${id}`] : [id]
    return { account: '', hosts, cells: own.map(({ ref }) => ref.id) }
  }
  // The wildcard covers it.
  if (control.certificates.records) return undefined
  const parent = cells.find(({ data }) => id.endsWith(`.${data.domain}`))
  if (!parent) return undefined
  if (relayHosts(await readCell(control, parent.ref.id)).has(id))
    return { account: '', hosts: [id], cells: [parent.ref.id] }
  const lease = (await control.store.get(endpoints.ref(`host:${id}`)))?.data
  if (lease?.state !== 'leased') return undefined
  return { account: lease.account, hosts: [id], cells: [lease.cell] }
}

/** Names under the cell's domain by which its relays answer themselves: live figures. */
export function relayHosts({ domain, relays }: Cell): ReadonlySet<string> {
  const hosts = relays.flatMap(({ data }) => {
    const url = URL.parse(data.watchUrl)
    return url ? [url.hostname] : []
  })
  return new Set(hosts.filter((host) => host.endsWith(`.${domain}`)))
}

/**
 * The names of cells themselves, for which certificates are ordered before anybody asks; once a relay is there, for
 * issuers look there for the proof.
 */
export async function namesOfCells(control: Control): Promise<readonly string[]> {
  const names: string[] = []
  for (const { ref, data } of await allCells(control)) {
    const cell = await readCell(control, ref.id)
    if (readyRelays(control, cell).length > 0) names.push(data.domain, data.host)
  }
  return [...new Set(names)].filter(isPublic)
}

/** Closed cells still serve the tunnels that they have. */
async function allCells({ store }: Control): Promise<readonly Snapshot<CellDoc>[]> {
  const lists = ['open', 'closed'].map((state) => queryAll(store, queries.cellsByState, { where: { state } }))
  return (await Promise.all(lists)).flat()
}

/** No issuer certifies addresses, or names that mean this very machine. */
function isPublic(name: string): boolean {
  return name.includes('.') && !/(^|\.)localhost$/.test(name) && !/(^|\.)\d+$/.test(name)
}
