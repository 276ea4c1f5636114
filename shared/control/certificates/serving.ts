/**
 * Gives relays the certificates and keys of names that their cell serves, and no others. A name without a certificate
 * is ordered when a relay asks for it: on demand, and never before.
 */
import type { RelayCertificate } from '../../api/schemas/relays.ts'
import { isWildcard } from '../../base/wildcards.ts'
import type { Cell } from '../cells.ts'
import { type CertificateDoc, certificates } from '../certificate-documents.ts'
import type { Control } from '../control.ts'
import { endpoints } from '../documents.ts'
import { isServable } from '../domains/servable.ts'
import { isE2eHost } from '../e2e-names.ts'
import type { RelayClaims } from '../platform.ts'
import { ensureCertificate, orderAgain } from './ordering.ts'
import { isOfFormerAuthority } from './rules.ts'
import { isCovered, relayHosts, wantedCertificate } from './wanted.ts'

/** @throws cell.none */
export async function relayCertificates(
  control: Control,
  claims: RelayClaims,
  hosts: readonly string[],
): Promise<readonly RelayCertificate[]> {
  if (control.certificates.issuers.length === 0) return []
  const cell = await control.cells.now(claims.cell)
  const ids = new Set<string>()
  for (const host of new Set(hosts))
    if (await mayServe(control, cell, host)) ids.add(isCovered(control, cell, host) ? cell.domain : host)
  const found: Found[] = []
  for (const id of ids) {
    const doc = (await control.store.get(certificates.ref(id)))?.data
    const isFormer = doc !== undefined && isOfFormerAuthority(control, doc)
    if (doc && doc.version > 0 && !isFormer) found.push({ id, doc })
    else if (await wantedCertificate(control, id))
      await (isFormer ? orderAgain(control, id) : ensureCertificate(control, id))
  }
  const opened = await Promise.allSettled(found.map((each) => open(control, each)))
  const failed = opened.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []))
  // One key that cannot be opened keeps no other certificate from its relay.
  if (failed.length > 0 && failed.length === opened.length) throw failed[0]
  for (const error of failed) control.log.error({ error }, 'the key of a certificate cannot be opened')
  return opened.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
}

type Found = { readonly id: string; readonly doc: CertificateDoc }

async function open({ vault }: Pick<Control, 'vault'>, { id, doc }: Found): Promise<RelayCertificate> {
  const { hosts, version, chain, wrappedKey } = doc
  return { host: id, hosts: [...hosts], version, chain, key: (await vault.unwrap(wrappedKey)).reveal() }
}

async function mayServe(control: Control, cell: Cell, host: string): Promise<boolean> {
  if (host === cell.domain || host === cell.host || relayHosts(cell).has(host)) return true
  if (isE2eHost(host, cell.domain)) return false
  if (!isWildcard(host)) {
    const lease = (await control.store.get(endpoints.ref(`host:${host}`)))?.data
    if (lease?.state === 'leased') return lease.cell === cell.id
  }
  const right = await isServable(control, host)
  return right?.cell === cell.id && right.kind !== 'tls'
}
