/** What orders of certificates ask the DNS, as this machine's resolver knows it. */
import { Resolver } from 'node:dns/promises'
import type { CaaRecord } from '../control/certificates/role.ts'

/** Orders wait for it this long and then go on without it, because the issuer checks CAA itself. */
const timeoutMs = 3_000

export async function lookUpCaa(name: string): Promise<readonly CaaRecord[]> {
  try {
    const records = await new Resolver({ timeout: timeoutMs, tries: 1 }).resolveCaa(name)
    return records.map(({ critical, issue, issuewild }) => ({
      critical,
      ...(issue !== undefined && { issue }),
      ...(issuewild !== undefined && { issuewild }),
    }))
  } catch {
    // There is none, or it cannot be found out.
    return []
  }
}

/** Where the CNAME at this name leads. */
export async function lookUpAlias(name: string): Promise<string | undefined> {
  try {
    const [target] = await new Resolver({ timeout: timeoutMs, tries: 1 }).resolveCname(name)
    return target?.toLowerCase().replace(/\.$/, '')
  } catch {
    return undefined
  }
}
