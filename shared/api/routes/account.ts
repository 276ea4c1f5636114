/** The caller, their account, its usage. */
import { createRoute } from '@hono/zod-openapi'
import { closeAccount, readAccount, renameAccount } from '../../control/accounts.ts'
import { type Caller, requireScope } from '../../control/caller.ts'
import type { AccountDoc } from '../../control/documents.ts'
import { readTransfer } from '../../control/transfer.ts'
import { readUsage } from '../../control/usage.ts'
import {
  type ApiDeps,
  callerOf,
  emptyAnswer,
  jsonAnswer,
  jsonBody,
  newRoutes,
  type Routes,
  signedIn,
} from '../kit.ts'
import { type Me, meSchema } from '../schemas/accounts.ts'
import {
  type Account,
  accountSchema,
  accountUpdateSchema,
  usageAnswerSchema,
  usageQuerySchema,
} from '../schemas/service.ts'

const routes = {
  me: createRoute({
    ...signedIn('Account'),
    method: 'get',
    path: '/v1/me',
    operationId: 'readMe',
    summary: 'Who the bearer speaks for, and what they may do',
    responses: { 200: jsonAnswer(meSchema, 'The caller') },
  }),
  read: createRoute({
    ...signedIn('Account'),
    method: 'get',
    path: '/v1/account',
    operationId: 'readAccount',
    summary: 'The account',
    responses: { 200: jsonAnswer(accountSchema, 'The account') },
  }),
  rename: createRoute({
    ...signedIn('Account'),
    method: 'patch',
    path: '/v1/account',
    operationId: 'renameAccount',
    summary: 'Rename the account',
    request: jsonBody(accountUpdateSchema),
    responses: { 200: jsonAnswer(accountSchema, 'The account') },
  }),
  close: createRoute({
    ...signedIn('Account'),
    method: 'delete',
    path: '/v1/account',
    operationId: 'closeAccount',
    summary: 'Close the account for good',
    description: 'Its tunnels stop at once and its keys no longer work. Only a signed-in owner can do this.',
    responses: emptyAnswer('Closed'),
  }),
  usage: createRoute({
    ...signedIn('Account'),
    method: 'get',
    path: '/v1/usage',
    operationId: 'readUsage',
    summary: 'Bytes and connections by hour and by tunnel',
    description: 'At most 31 days at once. Figures lag by a minute or so; live ones come from /v1/watch.',
    request: { query: usageQuerySchema },
    responses: { 200: jsonAnswer(usageAnswerSchema, 'Sums') },
  }),
}

export function accountRoutes({ control }: ApiDeps): Routes {
  return newRoutes()
    .openapi(routes.me, (c) => c.json(describeCaller(callerOf(c)), 200))
    .openapi(routes.read, async (c) => {
      const caller = callerOf(c)
      requireScope(caller, 'read')
      const { data } = await readAccount(control, caller.account)
      const transfer = await readTransfer(control, caller)
      return c.json({ ...describeAccount(caller.account, data), ...(transfer && { transfer }) }, 200)
    })
    .openapi(routes.rename, async (c) => {
      const caller = callerOf(c)
      requireScope(caller, 'admin')
      const renamed = await renameAccount(control, caller, c.req.valid('json').name)
      return c.json(describeAccount(caller.account, renamed), 200)
    })
    .openapi(routes.close, async (c) => {
      await closeAccount(control, callerOf(c))
      return c.body(null, 204)
    })
    .openapi(routes.usage, async (c) => {
      const caller = callerOf(c)
      requireScope(caller, 'read')
      return c.json(await readUsage(control, caller.account, c.req.valid('query')), 200)
    })
}

function describeCaller({ account, accountName, role, scopes, plan, limits, user }: Caller): Me {
  const { tunnelsOnline, reservedHosts, reservedPorts, transferBytesMonth, connectionsPerMinute } = limits
  return {
    ...(user && { user: user.id, email: user.email, emailVerified: user.emailVerified }),
    account,
    accountName,
    role,
    scopes: [...scopes],
    plan,
    limits: { tunnelsOnline, reservedHosts, reservedPorts, transferBytesMonth, connectionsPerMinute },
  }
}

function describeAccount(id: string, { name, plan, status, createdAt }: AccountDoc): Account {
  return { id, name, plan, status, createdAt }
}
