/** For which hosts an agent may have a certificate: reserved names that no wildcard covers, and own domains. */
import { fail } from '../../base/errors.ts'
import { isWildcard, wildcardOver, withoutStar } from '../../base/wildcards.ts'
import { queryAll } from '../cells.ts'
import { certificates } from '../certificate-documents.ts'
import type { Control } from '../control.ts'
import { endpoints, type TunnelDoc, tunnels } from '../documents.ts'
import { isServable } from '../domains/servable.ts'
import { isE2eHost } from '../e2e-names.ts'
import { isReserved } from '../lease-rules.ts'
import { queries } from '../query-table.ts'

/** Ids of agents' certificates begin with it; no host has an underscore. */
export const agentPrefix = 'crt_'

export function isOfAgent(id: string): boolean {
  return id.startsWith(agentPrefix)
}

type Place = { readonly tunnel: string; readonly name: string; readonly cell: string }

/**
 * The tunnel whose agent may have a certificate for the host.
 * @throws certificate.name, certificate.unreserved
 */
export async function requireHost(control: Control, account: string, host: string): Promise<Place> {
  const found = await tunnelAt(control, host)
  if (found?.account !== account) throw fail('certificate.name', notYours(host))
  if (found.kind !== 'tls')
    throw fail('certificate.name', `${host} leads to a tunnel whose TLS ends at the relay.`)
  if (found.isOwnDomain) {
    if (!found.mayOrder) throw fail('certificate.name', `The proof that ${host} is yours is gone.`)
    await requireNoWildcard(control, host)
    return found
  }
  const { domain } = await control.cells.lately(found.cell)
  if (!isE2eHost(host, domain))
    throw fail('certificate.unreserved', `Visitors' browsers may take ${host} for a name of the relay.`)
  if (!found.isReserved) throw fail('certificate.unreserved', `${host} is not reserved.`)
  return found
}

/** A relay with the wildcard would get requests for the host from browsers that have a connection to it. */
async function requireNoWildcard({ store, clock }: Control, host: string): Promise<void> {
  const wildcard = wildcardOver(host)
  // That of a cell has the name without the asterisk too.
  const above = await store.getAll([certificates.ref(withoutStar(wildcard)), certificates.ref(wildcard)])
  if (above.some((one) => one?.data.hosts.includes(wildcard) && one.data.notAfter > clock.now()))
    throw fail(
      'certificate.name',
      `The relay has a certificate for ${wildcard}, and browsers may send requests for ${host} there.`,
    )
}

/**
 * The other direction: while an agent has a certificate for a name, or has requested one, relays get none for a
 * wildcard that stands for the name.
 * @throws certificate.covers
 */
export async function requireNoAgent({ store, clock }: Control, host: string): Promise<void> {
  if (!isWildcard(host)) return
  const below = await queryAll(store, queries.certificatesUnder, { where: { above: host } })
  const one = below.find(({ data }) => data.version === 0 || data.notAfter > clock.now())
  if (one) throw fail('certificate.covers', `The TLS of ${one.data.hosts[0]} ends at an agent.`)
}

export function notYours(host: string): string {
  return `No tunnel of yours has the name ${host}.`
}

/** Where the host leads, and whose that is. */
export async function tunnelAt({ store }: Pick<Control, 'store'>, host: string) {
  const read = async (id: string) => (id === '' ? undefined : (await store.get(tunnels.ref(id)))?.data)
  const describeAs = (id: string, tunnel: TunnelDoc | undefined) =>
    tunnel && { tunnel: id, name: tunnel.name, kind: tunnel.kind, cell: tunnel.cell, account: tunnel.account }
  const right = await isServable({ store }, host)
  if (right) {
    const place = describeAs(right.tunnel, await read(right.tunnel))
    return place?.account === right.account
      ? { ...place, isOwnDomain: true, isReserved: false, mayOrder: right.mayOrder }
      : undefined
  }
  const lease = (await store.get(endpoints.ref(`host:${host}`)))?.data
  if (lease?.state !== 'leased') return undefined
  const place = describeAs(lease.tunnel, await read(lease.tunnel))
  return place?.account === lease.account
    ? { ...place, isOwnDomain: false, isReserved: isReserved(lease), mayOrder: true }
    : undefined
}
