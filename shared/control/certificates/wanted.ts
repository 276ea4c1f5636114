/** Which certificates we order, for whom and by which proof: names of cells, of their relays, and of tunnels. */
import { isFailure } from '../../base/errors.ts'
import { isWildcard } from '../../base/wildcards.ts'
import { type Cell, queryAll, readyRelays } from '../cells.ts'
import { type CertificateDoc, certificates } from '../certificate-documents.ts'
import type { Control } from '../control.ts'
import { accounts, type CellDoc, endpoints } from '../documents.ts'
import { isServable } from '../domains/servable.ts'
import { isE2eHost } from '../e2e-names.ts'
import type { Snapshot } from '../platform.ts'
import { queries } from '../query-table.ts'
import { isOfAgent, requireHost } from './agent-hosts.ts'

export type Wanted = {
  /** '' = the service's own. */
  readonly account: string
  readonly hosts: readonly string[]
  /** Whose relays serve these names. */
  readonly cells: readonly string[]
  /** Own domains stand in zones that we cannot write to, but their owners may delegate the proof (delegating.ts). */
  readonly proof: 'http-01' | 'dns-01'
  /** Present where an agent has the key. */
  readonly ofAgent?: {
    /** DER. */
    readonly csr: Buffer
    /** The certificate that this one follows. */
    readonly before: CertificateDoc | undefined
  }
}

/** @returns undefined for a name that we have no business with, or no longer */
export async function wantedCertificate(control: Control, id: string): Promise<Wanted | undefined> {
  if (isOfAgent(id)) return ofAgent(control, id)
  if (!isCertifiable(control, id)) return undefined
  const cells = await allCells(control)
  const proof = isWriting(control) ? 'dns-01' : 'http-01'
  const own = cells.filter(({ data }) => data.domain === id || data.host === id)
  if (own.length > 0) {
    const isParent = own.some(({ data }) => data.domain === id)
    const hosts = isParent ? [id, ...besides(control, id)] : [id]
    return { account: '', hosts, cells: own.map(({ ref }) => ref.id), proof }
  }
  const parent = cells.find(({ data }) => liesBelow(id, data.domain) || liesBelow(id, data.host))
  if (!parent) return ofDomain(control, id)
  if (isWildcard(id)) return undefined
  const common = { hosts: [id], cells: [parent.ref.id], proof } as const
  if (relayHosts(await control.cells.now(parent.ref.id)).has(id)) return { account: '', ...common }
  if (isCovered(control, parent.data, id) || isE2eHost(id, parent.data.domain)) return undefined
  const lease = (await control.store.get(endpoints.ref(`host:${id}`)))?.data
  return lease?.state === 'leased' ? { ...common, account: lease.account, cells: [lease.cell] } : undefined
}

/** What the certificate of a cell's domain has beside it: all names below, or the other names of this machine. */
function besides(control: Control, domain: string): readonly string[] {
  const { local } = control.certificates
  if (local) return local.filter((name) => name !== domain)
  return isWriting(control) ? [`*.${domain}`] : []
}

async function ofDomain(control: Control, host: string): Promise<Wanted | undefined> {
  const right = await isServable(control, host)
  // The TLS of a tls tunnel ends at its agent, so no relay gets a key for it.
  if (!right?.mayOrder || right.kind === 'tls') return undefined
  const { account, cell } = right
  return { account, hosts: [host], cells: cell === '' ? [] : [cell], proof: 'http-01' }
}

/** For as long as the host leads to a tunnel of that account. Relays get nothing, so no cell is told. */
async function ofAgent(control: Control, id: string): Promise<Wanted | undefined> {
  const doc = (await control.store.get(certificates.ref(id)))?.data
  const { account = '', csr, hosts: [host = ''] = [], replaces = '' } = doc ?? {}
  const isActive = (await control.store.get(accounts.ref(account)))?.data.status === 'active'
  if (csr === undefined || !isActive) return undefined
  try {
    await requireHost(control, account, host)
  } catch (error) {
    if (isFailure(error, 'certificate.name') || isFailure(error, 'certificate.unreserved')) return undefined
    throw error
  }
  const before = isOfAgent(replaces) ? (await control.store.get(certificates.ref(replaces)))?.data : undefined
  const isBefore = before?.account === account && before.hosts[0] === host && before.version > 0
  const ofAgent = { csr: Buffer.from(csr, 'base64'), before: isBefore ? before : undefined }
  return { account, hosts: [host], cells: [], proof: 'http-01', ofAgent }
}

/** Whether the wildcard of the cell has this name. */
export function isCovered(control: Control, { domain }: Pick<CellDoc, 'domain'>, host: string): boolean {
  return isWriting(control) && host.slice(host.indexOf('.') + 1) === domain
}

/** Whether we write the zone that the cells stand in. */
function isWriting({ dns }: Control): boolean {
  return dns.kind !== 'none'
}

/** Names under those of the cell by which its relays answer themselves: live figures. */
export function relayHosts({ domain, host, relays }: Cell): ReadonlySet<string> {
  const names = relays.flatMap(({ data }) => [
    URL.parse(data.watchUrl)?.hostname ?? '',
    data.agentAddress.sni,
  ])
  return new Set(names.filter((name) => liesBelow(name, domain) || liesBelow(name, host)))
}

function liesBelow(name: string, parent: string): boolean {
  return name.endsWith(`.${parent}`)
}

/**
 * The names of cells themselves, for which certificates are ordered before anybody asks, but only once a relay is
 * there, because public issuers look there for the proof.
 */
export async function namesOfCells(control: Control): Promise<readonly string[]> {
  const names: string[] = []
  for (const { ref, data } of await allCells(control)) {
    const cell = await control.cells.now(ref.id)
    if (control.certificates.local || readyRelays(control, cell).length > 0)
      names.push(data.domain, data.host)
  }
  return [...new Set(names)].filter((name) => isCertifiable(control, name))
}

/** Closed ones still serve the tunnels that they have. */
async function allCells({ store }: Control): Promise<readonly Snapshot<CellDoc>[]> {
  const lists = ['open', 'closed'].map((state) => queryAll(store, queries.cellsByState, { where: { state } }))
  return (await Promise.all(lists)).flat()
}

/** No public issuer certifies addresses or names that mean this very machine; a local one certifies only its own. */
function isCertifiable({ certificates: { local } }: Control, name: string): boolean {
  if (/(^|\.)\d+$/.test(name)) return false
  if (local) return local.some((own) => name === own || liesBelow(name, own))
  return name.includes('.') && !/(^|\.)localhost$/.test(name)
}
