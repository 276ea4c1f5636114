/** The last factor stays while an account that its owner belongs to asks for one. */
import { fail } from '../../base/errors.ts'
import type { Control } from '../control.ts'
import { accounts } from '../documents.ts'
import { queries } from '../query-table.ts'
import { type FactorsNow, hasFactor } from './changing.ts'
import type { FactorsDoc } from './factor-documents.ts'
import { asksForFactor } from './policy.ts'

/** As in members.ts: a person has no more. */
const membershipsMax = 200

/**
 * Reads the accounts outside the transaction of the removal, since they may be more than one reads. A policy that comes
 * between the two refuses the person until they add a factor again.
 * @returns `demand` checks what would be left, and returns it without codes that stand in for nothing.
 * @throws factor.last from `demand`
 */
export async function requireNotLast(
  { store }: Pick<Control, 'store'>,
  user: string,
): Promise<{ readonly demand: (left: FactorsNow) => FactorsDoc }> {
  const { items } = await store.query(queries.membersOfUser, { where: { user }, limit: membershipsMax })
  const found = await store.getAll(items.map(({ data }) => accounts.ref(data.account)))
  const asking = found.find((account) => asksForFactor(account?.data.factorPolicy))
  return {
    demand(left) {
      if (hasFactor(left)) return left.doc
      if (asking)
        throw fail('factor.last', `The account "${asking.data.name}" asks its members for a second factor.`)
      return { ...left.doc, codes: [], codesAt: 0 }
    },
  }
}
