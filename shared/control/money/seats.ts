/** Seats: people who may be members by the plan. Whoever is a member stays one when a plan has fewer. */
import { fail } from '../../base/errors.ts'
import { accounts, type MemberDoc } from '../documents.ts'
import { boundless, limitsOf } from '../plans.ts'
import type { Transaction } from '../platform.ts'
import { membersMax, queries } from '../query-table.ts'
import { beyond } from './lifting.ts'

/**
 * Whether one more person fits. Reads all members, so two who join at once cannot both take the last seat.
 * @param invited open invitations that hold a seat already
 * @throws plan.seats
 */
export async function requireSeat(tx: Transaction, id: string, invited: number): Promise<void> {
  const account = (await tx.get(accounts.ref(id)))?.data
  if (!account) return
  const { seats } = limitsOf(account)
  if (seats >= boundless) return
  const { items } = await tx.query(queries.membersOfAccount, { where: { account: id }, limit: membersMax })
  const people = peopleOf(items.map(({ data }) => data))
  if (people + invited < seats) return
  const waiting = invited > 0 ? ` and ${invited} open invitations` : ''
  const detail = `The plan "${account.plan}" has ${seats} seats, and the account has ${people} people${waiting}.`
  throw fail('plan.seats', detail, { fields: beyond('seats', people + invited) })
}

function peopleOf(members: readonly MemberDoc[]): number {
  return members.filter(({ name }) => name === undefined).length
}
