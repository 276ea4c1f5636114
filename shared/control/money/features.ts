/**
 * What some plans have and others have not: the one place that asks. Each is read from the account's own document, so a
 * new plan counts at once. docs/plans.md lists them.
 */
import { fail } from '../../base/errors.ts'
import { type AccountDoc, accounts } from '../documents.ts'
import type { Store } from '../platform.ts'
import type { Feature } from './catalogue-schema.ts'

/** As a refusal names them. */
const words: Readonly<Record<Feature, string>> = {
  wildcards: 'domains with an asterisk, such as *.example.com',
  teamPolicies: 'rules for all members, such as asking for a second factor',
  auditExport: 'exports of the audit log',
}

/** Accounts of releases up to 0.1, which were granted nothing, have all that there was. */
function hasFeature({ granted }: Pick<AccountDoc, 'granted'>, feature: Feature): boolean {
  return granted === undefined || granted.features.includes(feature)
}

/** @throws plan.feature, which says which plan has it */
export async function requireFeature(store: Pick<Store, 'get'>, id: string, feature: Feature): Promise<void> {
  const account = (await store.get(accounts.ref(id)))?.data
  if (!account || hasFeature(account, feature)) return
  const detail = `The plan "${account.plan}" does not have ${words[feature]}.`
  throw fail('plan.feature', detail, { fields: { lacks: feature } })
}
