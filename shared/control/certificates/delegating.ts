/**
 * DNS-01 for own domains, where HTTP-01 cannot work: their owner leads `_acme-challenge.<host>` by a CNAME to a name of
 * ours, where we put the proof. The name has the token of the claim (domains/proof.ts), so a record left behind helps
 * no other account.
 */
import { fail } from '../../base/errors.ts'
import { isWildcard, withoutStar } from '../../base/wildcards.ts'
import type { Control } from '../control.ts'
import { domains, verified } from '../domains/domain-documents.ts'
import { toldCell } from '../domains/places.ts'
import { proofOf } from '../domains/proof.ts'

/** Where the CNAME stands. */
export function challengeName(host: string): string {
  return `_acme-challenge.${withoutStar(host)}`
}

/** Where it leads; the zone of the cell's domain must be one that we write. */
export function delegationUnder(token: string, cellDomain: string): string {
  return `${token}.acme.${cellDomain}`
}

/** Whether proofs of own domains can be put where their owners lead us. */
export function isDelegating({ dns, certificates }: Pick<Control, 'dns' | 'certificates'>): boolean {
  return dns.kind !== 'none' && certificates.alias !== undefined && certificates.issuers.length > 0
}

/** @returns the name for the TXT record of this host's proof; '' where its owner has not delegated it */
export async function delegatedName(control: Control, host: string): Promise<string> {
  if (!isDelegating(control)) return ''
  const right = (await control.store.get(verified.ref(host)))?.data
  const alias = right && (await control.certificates.alias?.(challengeName(host)))
  if (right === undefined || alias === undefined) return ''
  const { token } = await proofOf(control, { ...right, host }, [])
  const cells = await control.cells.open()
  return cells.map(({ domain }) => delegationUnder(token, domain)).find((name) => name === alias) ?? ''
}

/**
 * Authorities prove wildcards in the DNS alone, so the owner of a wildcard must have delegated its proof.
 * @throws certificate.undelegated with the record that is missing
 */
export async function requireDelegation(control: Control, host: string): Promise<void> {
  if (!isWildcard(host) || (await delegatedName(control, host)) !== '') return
  const right = (await control.store.get(verified.ref(host)))?.data
  const claim = right && (await control.store.get(domains.ref(right.domain)))?.data
  const cell = claim && toldCell(control, claim, await control.cells.open())
  if (!isDelegating(control) || !cell)
    throw fail('certificate.undelegated', 'This server writes no DNS records, so it can prove no wildcard.')
  const { token } = await proofOf(control, claim, [])
  const record = `${challengeName(host)} CNAME ${delegationUnder(token, cell.domain)}`
  throw fail('certificate.undelegated', `This record is missing or leads elsewhere: ${record}`)
}
