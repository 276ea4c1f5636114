/** The caller, their account, its usage. Operators belong to no account, so it needs the whole control. */
import { readAccount, renameAccount } from '../../control/accounts.ts'
import type { Caller } from '../../control/caller.ts'
import type { AccountDoc } from '../../control/documents.ts'
import { asksForFactor, setFactorPolicy } from '../../control/factors/policy.ts'
import { leaveAccount } from '../../control/leaving/accounts.ts'
import { isOperator } from '../../control/operator/kept-mails.ts'
import { readTransferNow } from '../../control/transfer.ts'
import { readUsage } from '../../control/usage-sums.ts'
import { requireNoRevision } from '../etags.ts'
import { type ApiDeps, emptyAnswer, jsonAnswer, jsonBody, RouteGroup, route } from '../kit.ts'
import { type Me, meSchema } from '../schemas/accounts.ts'
import {
  type Account,
  accountSchema,
  accountUpdateSchema,
  factorPolicySchema,
  usageAnswerSchema,
  usageQuerySchema,
} from '../schemas/service.ts'

const tags = ['Account']

const routes = {
  me: route({
    method: 'get',
    path: '/v1/me',
    viewable: true,
    operationId: 'readMe',
    summary: 'Who the bearer speaks for, and what they may do',
    tags,
    access: { permission: 'account.read' },
    responses: { 200: jsonAnswer(meSchema, 'The caller') },
  }),
  read: route({
    method: 'get',
    path: '/v1/account',
    viewable: true,
    operationId: 'readAccount',
    summary: 'The account',
    tags,
    access: { permission: 'account.read' },
    responses: { 200: jsonAnswer(accountSchema, 'The account') },
  }),
  rename: route({
    method: 'patch',
    path: '/v1/account',
    operationId: 'renameAccount',
    summary: 'Rename the account',
    tags,
    access: { permission: 'account.update' },
    request: jsonBody(accountUpdateSchema),
    responses: { 200: jsonAnswer(accountSchema, 'The account') },
  }),
  close: route({
    method: 'delete',
    path: '/v1/account',
    operationId: 'closeAccount',
    summary: 'Delete the account',
    description:
      'Its tunnels stop at once and its keys no longer work. For 14 days an owner can undo it or export the data; then ' +
      'it is closed for good and erased.',
    tags,
    access: { permission: 'account.close', by: 'person', evenStopped: true },
    fresh: true,
    responses: emptyAnswer('It is being deleted'),
  }),
  factorPolicy: route({
    method: 'post',
    path: '/v1/account/factor-policy',
    operationId: 'setFactorPolicy',
    summary: 'Ask every member for a second factor, or no longer',
    description:
      'People without one are refused in this account until they add one. After 14 days the keys of those who ' +
      'never had one are refused too; keys of service members go on.',
    tags,
    access: { permission: 'account.update', by: 'person' },
    fresh: true,
    request: jsonBody(factorPolicySchema),
    responses: { 200: jsonAnswer(accountSchema, 'The account') },
  }),
  usage: route({
    method: 'get',
    path: '/v1/usage',
    viewable: true,
    operationId: 'readUsage',
    summary: 'Bytes and connections by hour and by tunnel',
    description:
      'Without `step`: sums by hour and by tunnel, of at most 31 days. With it: one series, of at most a day by minute, ' +
      '93 days by hour, 400 days by day. Figures lag by a minute or so; live ones come from /v1/watch.',
    tags,
    access: { permission: 'usage.read' },
    rate: 'costly',
    request: { query: usageQuerySchema },
    responses: { 200: jsonAnswer(usageAnswerSchema, 'Sums') },
  }),
}

export function accountRoutes({ control }: ApiDeps): RouteGroup {
  return new RouteGroup()
    .add(routes.me, async (c, { caller }) => {
      const operator = caller.user !== undefined && (await isOperator(control, caller.user))
      const termsDue = await control.terms.dueAt(caller.member)
      const open = termsDue !== undefined && { termsDue }
      return c.json({ ...describeCaller(caller), ...(operator && { operator }), ...open }, 200)
    })
    .add(routes.read, async (c, { caller, control: own }) => {
      const { data } = await readAccount(own, caller.account)
      const transfer = await readTransferNow(own, caller)
      const flags = await own.flags.of(caller.account)
      return c.json({ ...describeAccount(caller.account, data), flags, ...(transfer && { transfer }) }, 200)
    })
    .add(routes.rename, async (c, { caller, control: own }) => {
      requireNoRevision(c.req.header('if-match'))
      const renamed = await renameAccount(own, caller, c.req.valid('json').name)
      return c.json(describeAccount(caller.account, renamed), 200)
    })
    .add(routes.close, async (c, { caller, control: own }) => {
      requireNoRevision(c.req.header('if-match'))
      await leaveAccount(own, caller)
      return c.body(null, 204)
    })
    .add(routes.factorPolicy, async (c, { caller, control: own }) => {
      const changed = await setFactorPolicy(own, caller, c.req.valid('json').required)
      return c.json(describeAccount(caller.account, changed), 200)
    })
    .add(routes.usage, async (c, { caller, control: own }) =>
      c.json(await readUsage(own, caller, c.req.valid('query')), 200),
    )
}

function describeCaller(caller: Caller): Me {
  const { account, accountName, role, scopes, permissions, tunnels, plan, limits, user, member, view } =
    caller
  const { tunnelsOnline, reservedHosts, reservedPorts, domains, transferBytesMonth, connectionsPerMinute } =
    limits
  return {
    ...(user && { user: user.id, email: user.email, emailVerified: user.emailVerified }),
    account,
    ...(member !== '' && { member }),
    accountName,
    role,
    scopes: [...scopes],
    permissions: [...permissions],
    ...(tunnels && { tunnels: [...tunnels] }),
    ...(view && { view }),
    plan,
    limits: {
      tunnelsOnline,
      reservedHosts,
      reservedPorts,
      domains,
      transferBytesMonth,
      connectionsPerMinute,
    },
  }
}

function describeAccount(id: string, doc: AccountDoc): Account {
  const { name, plan, status, createdAt, factorPolicy } = doc
  return { id, name, plan, status, createdAt, ...(asksForFactor(factorPolicy) && { factorPolicy }) }
}
