/** What the operator pages show of one account and of one person: enough to help, and no secret. */
import { fail } from '../../base/errors.ts'
import { roleOf } from '../caller.ts'
import { type Control, controlOf } from '../control.ts'
import { type AccountDoc, accounts, users } from '../documents.ts'
import { listMembers } from '../members.ts'
import { limitsOf } from '../plans.ts'
import type { Page, QueryOptions, Snapshot } from '../platform.ts'
import { queries } from '../query-table.ts'
import { quotas } from '../quota-documents.ts'
import { listOwnSignIns } from '../sign-ins/own-sign-ins.ts'
import { describeTunnels } from '../tunnels.ts'
import { flagsOf } from './flags.ts'
import { operators } from './operator-documents.ts'
import { membershipsOf } from './people.ts'

const tunnelsMax = 50

/** Every account whose name begins with the text, by name; or the account with that id. */
export async function searchAccounts(
  { store }: Control,
  who: string,
  page: Pick<QueryOptions, 'limit' | 'after'>,
): Promise<Page<AccountDoc>> {
  if (/^acc_[0-9a-z]{26}$/.test(who)) {
    const found = await store.get(accounts.ref(who))
    return { items: found ? [found] : [] }
  }
  return store.query(queries.accountsByName, { where: {}, from: who, to: `${who}\uf8ff`, ...page })
}

export function describeRow({ ref: { id }, data }: Snapshot<AccountDoc>) {
  const { name, plan, status, createdAt } = data
  return { id, name, plan, status, createdAt }
}

/** @throws operator.missing */
export async function showAccount(control: Control, id: string) {
  const { store } = control
  const found = await store.get(accounts.ref(id))
  if (!found) throw fail('operator.missing', `There is no account "${id}".`)
  const [members, quota, { items }, flags] = await Promise.all([
    listMembers(control, id),
    store.get(quotas.ref(id)),
    store.query(queries.tunnelsOfAccount, { where: { account: id }, limit: tunnelsMax }),
    flagsOf(control, id),
  ])
  const { leaving, overrides } = found.data
  const { tunnels = 0, online = 0, keys = 0, domains = 0 } = quota?.data ?? {}
  return {
    ...describeRow(found),
    ...(leaving && { leavingAt: leaving.dueAt }),
    members: [...members],
    limits: { ...limitsOf(found.data) },
    overrides: Object.keys(overrides),
    counts: { tunnels, online, keys, domains },
    tunnels: await describeTunnels(controlOf(control, id), items),
    flags,
  }
}

/** @throws operator.missing */
export async function showPerson(control: Control, id: string) {
  const { store, clock } = control
  const found = await store.get(users.ref(id))
  if (!found) throw fail('operator.missing', `There is no person "${id}".`)
  const { email, emailVerified, status, leaving, providers, hasFactor = false } = found.data
  const [of, operator, signIns] = await Promise.all([
    membershipsOf(control, id),
    store.get(operators.ref(id)),
    listOwnSignIns(control, { id, email, emailVerified }),
  ])
  const their = await store.getAll(of.map(({ data }) => accounts.ref(data.account)))
  return {
    id,
    email,
    emailVerified,
    status,
    ...(leaving && { leavingAt: leaving.dueAt }),
    operator: operator?.data.state === 'active',
    factor: hasFactor,
    ...((found.data.recoveringUntil ?? 0) > clock.now() && { recovering: true }),
    providers: [...providers],
    accounts: of.flatMap(({ data }, index) => {
      const account = their[index]
      const member = data.status ?? ('active' as const)
      return account ? [{ ...describeRow(account), role: roleOf(data), member }] : []
    }),
    signIns: signIns.map(({ doc: { method, authTime, usedAt, from, device } }) => ({
      method,
      signedInAt: authTime,
      lastUsedAt: usedAt,
      from,
      device,
    })),
  }
}
