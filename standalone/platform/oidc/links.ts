/** Which sign-ins at other services a person has. */
import type { IdentityDoc } from '@porttunneler/shared/control/documents'
import type { Snapshot, Transaction } from '@porttunneler/shared/control/platform'
import { queries } from '@porttunneler/shared/control/query-table'

/** Erasure finds at most ten ways of a person: these, and the one of our own. */
export const linksMax = 8
const waysMax = 10
const linkShape = /^oidc\.([a-z][a-z0-9-]{0,30}):[0-9a-f]{64}$/

export async function linksIn(
  reader: Pick<Transaction, 'query'>,
  user: string,
): Promise<readonly Snapshot<IdentityDoc>[]> {
  const ways = await reader.query(queries.identitiesByUser, {
    where: {},
    from: user,
    to: user,
    limit: waysMax,
  })
  return ways.items.filter(({ ref }) => linkShape.test(ref.id))
}

/** The service of a link, by the link's id. */
export function providerIn(id: string): string {
  return linkShape.exec(id)?.[1] ?? ''
}
