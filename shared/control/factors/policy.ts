/**
 * An account that asks its members for a second factor. People without one are refused at once, and can add one within
 * a minute. Their API keys get 14 days: stopping the agents of a whole team at the moment of a click would be an outage
 * that nobody announced. After that a key works only while its maker has had a factor; keys of services belong to the
 * account and go on (docs/decisions/0084-factors.md).
 */
import { fail } from '../../base/errors.ts'
import { byCaller, writeAudit } from '../audit.ts'
import { type Caller, requirePerson } from '../caller.ts'
import type { AccountControl } from '../control.ts'
import { type AccountDoc, accounts } from '../documents.ts'
import { kick } from '../jobs/kick.ts'
import { requireFeature } from '../money/features.ts'
import { requireStill } from '../still.ts'
import { lookToTellTeam } from '../team/letters.ts'
import type { FactorPolicy } from './factor-documents.ts'

const keysGraceMs = 14 * 24 * 3_600_000

/** @throws auth.scope, plan.feature; factor.none when the caller has no factor and would be locked out first */
export async function setFactorPolicy(
  { store, clock, bus, log }: AccountControl,
  caller: Caller,
  isRequired: boolean,
): Promise<AccountDoc> {
  const { account } = caller
  const person = requirePerson(caller)
  if (isRequired && !person.hasFactor) throw fail('factor.none', 'Add a second factor yourself first.')
  const nowMs = clock.now()
  const [after, jobs] = await store.transact(async (tx) => {
    await requireStill(tx, caller, { needs: 'account.update', nowMs })
    if (isRequired) await requireFeature(tx, account, 'teamPolicies')
    const before = await tx.get(accounts.ref(account))
    if (!before) throw fail('api.not_found')
    if (asksForFactor(before.data.factorPolicy) === isRequired) return [before.data, []]
    const tell = await lookToTellTeam(tx, { event: 'factor', account, user: '' }, nowMs)
    const factorPolicy = isRequired
      ? { since: nowMs, keysFrom: nowMs + keysGraceMs }
      : { since: 0, keysFrom: 0 }
    const next = { ...before.data, factorPolicy }
    tx.set(before.ref, next)
    const details = { required: isRequired }
    writeAudit(tx, { ...byCaller(caller), target: account, action: 'account.factor_policy', details }, nowMs)
    return [next, isRequired ? [tell()] : []]
  })
  await kick({ bus, log }, jobs)
  return after
}

export function asksForFactor(policy: FactorPolicy | undefined): boolean {
  return policy !== undefined && policy.since > 0
}
