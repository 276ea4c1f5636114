/** Reports of abuse as operators see them: the queue, one case with its evidence, and ptunctl's acts. */
import { z } from 'zod'
import { decisions, shortKinds } from '../../api/schemas/report-words.ts'
import { fail } from '../../base/errors.ts'
import { type AbuseCaseDoc, abuseCases } from '../abuse/abuse-documents.ts'
import { decideCase } from '../abuse/deciding.ts'
import { type Control, controlOf } from '../control.ts'
import { accounts, tunnels, users } from '../documents.ts'
import { listMembers } from '../members.ts'
import { limitsOf } from '../plans.ts'
import type { Page, QueryOptions, Snapshot } from '../platform.ts'
import { queries } from '../query-table.ts'
import { quotas } from '../quota-documents.ts'
import { readTransferNow } from '../transfer.ts'
import { declareAct, reasonSchema } from './act.ts'
import { showFound } from './takedowns.ts'

/** How many other cases of an account stand beside one: who does it again shows in fewer. */
const earlierMax = 50

const idSchema = z.string().max(64)

export const reportActs = {
  'reports.list': declareAct(
    z.strictObject({
      state: z.enum(['open', ...decisions]).default('open'),
      account: z.string().max(64).optional(),
      limit: z.int().min(1).max(500).default(50),
    }),
    async ({ control }, { limit, ...filter }) => {
      const { items } = await pageReports(control, filter, { limit })
      return items.map(describeReport).map(({ kinds, ...row }) => ({
        ...row,
        kinds: kinds.map((kind) => shortKinds[kind]),
      }))
    },
  ),
  'reports.show': declareAct(z.strictObject({ id: idSchema }), ({ control }, { id }) =>
    showReport(control, id),
  ),
  'reports.decide': declareAct(
    z.strictObject({ id: idSchema, decision: z.enum(decisions), reason: reasonSchema }),
    async ({ control }, { id, decision, reason }, by) => {
      await decideCase(control, { ...by, reason }, { id, decision })
      return { id, state: decision }
    },
  ),
}

export type ReportFilter = {
  readonly state?: AbuseCaseDoc['state'] | undefined
  /** Only cases of this account, in whatever state. */
  readonly account?: string | undefined
}

/** Those reported last come first. */
export function pageReports(
  { store }: Pick<Control, 'store'>,
  { state = 'open', account }: ReportFilter,
  page: Pick<QueryOptions, 'limit' | 'after'>,
): Promise<Page<AbuseCaseDoc>> {
  return account === undefined
    ? store.query(queries.abuseByState, { where: { state }, ...page })
    : store.query(queries.abuseOfAccount, { where: { account }, ...page })
}

export function describeReport({ ref: { id }, data }: Snapshot<AbuseCaseDoc>) {
  const { address, account, tunnel, state, count, firstAt, lastAt, reports } = data
  const kinds = [...new Set(reports.map(({ kind }) => kind))]
  return { id, address, kinds, count, firstAt, lastAt, state, account, tunnel }
}

/** One case with all that helps to decide it. @throws operator.missing */
export async function showReport(control: Control, id: string) {
  const found = await control.store.get(abuseCases.ref(id))
  if (!found) throw fail('operator.missing', `There is no report "${id}".`)
  const { account, tunnel, reports, decidedBy, decidedAt, reason } = found.data
  const [served, owner, earlier] = await Promise.all([
    tunnel === '' ? undefined : control.store.get(tunnels.ref(tunnel)),
    account === '' ? undefined : accountFacts(control, account),
    account === '' ? [] : earlierOf(control, account, id),
  ])
  return {
    ...describeReport(found),
    reports: reports.map(({ at, kind, text, email }) => ({ at, kind, text, wantsAnswer: email !== '' })),
    ...(decidedBy !== undefined && { decidedBy, decidedAt, reason }),
    ...(served && { tunnelNow: await showFound(control, served) }),
    ...(owner && { owner }),
    earlier,
  }
}

async function accountFacts(control: Control, id: string) {
  const found = await control.store.get(accounts.ref(id))
  if (!found) return undefined
  const { name, plan, status, createdAt, periodAnchor } = found.data
  const who = {
    account: id,
    limits: limitsOf(found.data),
    ...(periodAnchor !== undefined && { periodAnchor }),
  }
  const own = controlOf(control, id)
  const [people, quota, transfer] = await Promise.all([
    listMembers(control, id),
    control.store.get(quotas.ref(id)),
    readTransferNow(own, who),
  ])
  const { tunnels: defined = 0, online = 0 } = quota?.data ?? {}
  const owners = people.filter(({ role }) => role === 'owner').map(({ email }) => email ?? '')
  return {
    id,
    name,
    plan,
    status,
    createdAt,
    owners,
    mailProven: await isProven(control, people),
    tunnels: defined,
    online,
    ...(transfer && { usedBytes: transfer.usedBytes }),
  }
}

/** Whether every owner has shown that the mail address is theirs. */
async function isProven(control: Control, people: Awaited<ReturnType<typeof listMembers>>): Promise<boolean> {
  const owners = people.filter(({ role }) => role === 'owner')
  const found = await control.store.getAll(owners.map(({ id }) => users.ref(id)))
  return found.every((one) => one?.data.emailVerified === true)
}

async function earlierOf(control: Control, account: string, but: string) {
  const where = { account }
  const { items } = await control.store.query(queries.abuseOfAccount, { where, limit: earlierMax })
  return items
    .filter(({ ref }) => ref.id !== but)
    .map((one) => ({
      ...describeReport(one),
      ...(one.data.reason !== undefined && { reason: one.data.reason }),
    }))
}
