/**
 * CAA (RFC 8659): which issuers a domain's owner allows. Issuers check it themselves; this avoids orders that would
 * fail.
 */
import { fail } from '../../base/errors.ts'
import type { CaaRecord, Certificates, Issuer } from './role.ts'

const labelsMax = 10

/** Those of `issuers` that may issue for all of `hosts`. @throws certificate.caa when none may */
export async function allowedIssuers(
  { caa }: Pick<Certificates, 'caa'>,
  issuers: readonly Issuer[],
  hosts: readonly string[],
): Promise<readonly Issuer[]> {
  let allowed = issuers
  for (const host of hosts) {
    const isWild = host.startsWith('*.')
    const name = isWild ? host.slice(2) : host
    const records = await closest(caa, name)
    allowed = allowed.filter((issuer) => allows(records, issuer, isWild))
    if (allowed.length > 0) continue
    const names = issuers.flatMap((issuer) => issuer.caa)
    const ours =
      names.length > 0 ? `none of: ${names.join(' or ')}` : 'no issuer without a name in the settings'
    throw fail('certificate.caa', `The CAA records for ${name} allow ${ours}.`)
  }
  return allowed
}

/** The records of the name itself, or else of the closest parent that has any. */
async function closest(caa: Certificates['caa'], name: string): Promise<readonly CaaRecord[]> {
  const labels = name.split('.').slice(-labelsMax)
  for (let from = 0; from < labels.length; from++) {
    const records = await caa(labels.slice(from).join('.'))
    if (records.length > 0) return records
  }
  return []
}

function allows(records: readonly CaaRecord[], { caa }: Issuer, isWild: boolean): boolean {
  const wild = records.flatMap(({ issuewild }) => (issuewild === undefined ? [] : [issuewild]))
  const plain = records.flatMap(({ issue }) => (issue === undefined ? [] : [issue]))
  const values = isWild && wild.length > 0 ? wild : plain
  return values.length === 0 || values.some((value) => caa.includes(domainOf(value)))
}

/** The value without its parameters. */
function domainOf(value: string): string {
  return (value.split(';')[0] ?? '').trim().toLowerCase()
}
