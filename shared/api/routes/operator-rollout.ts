/** Who gets in and who gets what: feature flags, codes of a beta and its waiting list, for operators in the console. */
import { requireOperator } from '../../control/operator/desk.ts'
import { listFlags, setFlag, switchFlag } from '../../control/operator/flags.ts'
import { createInvite, describeInvite, pageInvites, revokeInvite } from '../../control/operator/invites.ts'
import { describeWaiting, inviteWaiting, pageWaiting } from '../../control/operator/wait-list.ts'
import type { Cursors } from '../cursors.ts'
import { requireNoRevision } from '../etags.ts'
import { type ApiDeps, emptyAnswer, jsonAnswer, jsonBody, RouteGroup, route } from '../kit.ts'
import { pageSchema } from '../schemas/common.ts'
import * as schemas from '../schemas/operator-service.ts'

const tags = ['Operator']
const access = { signedIn: 'person' } as const
const flag = { params: schemas.flagParamsSchema }

const flagRoutes = {
  list: route({
    method: 'get',
    path: '/v1/operator/flags',
    operationId: 'listFlags',
    summary: 'Feature flags, and who has each',
    description: 'For operators, in person.',
    tags,
    access,
    responses: { 200: jsonAnswer(schemas.flagsSchema, 'Every flag of this release') },
  }),
  share: route({
    method: 'post',
    path: '/v1/operator/flags/{flag}/share',
    operationId: 'shareFlag',
    summary: 'Give a feature to a share of the accounts',
    description:
      'For operators, in person. Raising it takes the feature from nobody. It is in force within a minute.',
    fresh: true,
    tags,
    access,
    request: { ...flag, ...jsonBody(schemas.flagShareSchema) },
    responses: emptyAnswer('Changed'),
  }),
  account: route({
    method: 'post',
    path: '/v1/operator/flags/{flag}/account',
    operationId: 'setFlagOfAccount',
    summary: 'Give a feature to one account, or keep it from it, whatever the share',
    fresh: true,
    tags,
    access,
    request: { ...flag, ...jsonBody(schemas.flagAccountSchema) },
    responses: emptyAnswer('Changed'),
  }),
  kill: route({
    method: 'post',
    path: '/v1/operator/flags/{flag}/kill',
    operationId: 'killFlag',
    summary: 'Take a feature from everybody, whatever else is set',
    fresh: true,
    tags,
    access,
    request: { ...flag, ...jsonBody(schemas.flagKillSchema) },
    responses: emptyAnswer('Off for everybody'),
  }),
  revive: route({
    method: 'post',
    path: '/v1/operator/flags/{flag}/revive',
    operationId: 'reviveFlag',
    summary: 'End that; what was set before applies again',
    fresh: true,
    tags,
    access,
    request: flag,
    responses: emptyAnswer('As before'),
  }),
}

const inviteRoutes = {
  list: route({
    method: 'get',
    path: '/v1/operator/invites',
    operationId: 'listInvites',
    summary: 'Codes for new accounts, while these are by invitation',
    description: 'For operators, in person. Codes themselves are not kept.',
    tags,
    access,
    request: { query: schemas.invitesQuerySchema },
    responses: { 200: jsonAnswer(pageSchema(schemas.inviteSchema), 'The newest first') },
  }),
  create: route({
    method: 'post',
    path: '/v1/operator/invites',
    operationId: 'createInvite',
    summary: 'Make a code for new accounts',
    fresh: true,
    tags,
    access,
    request: jsonBody(schemas.inviteCreateSchema),
    responses: { 201: jsonAnswer(schemas.inviteCreatedSchema, 'With the code, this once') },
  }),
  revoke: route({
    method: 'delete',
    path: '/v1/operator/invites/{invite}',
    operationId: 'revokeInvite',
    summary: 'Take no more accounts by a code; those that came stay',
    fresh: true,
    tags,
    access,
    request: { params: schemas.inviteParamsSchema },
    responses: emptyAnswer('Revoked'),
  }),
  waiting: route({
    method: 'get',
    path: '/v1/operator/wait-list',
    operationId: 'listWaiting',
    summary: 'People who asked for an account',
    description: 'For operators, in person.',
    tags,
    access,
    request: { query: schemas.waitingQuerySchema },
    responses: { 200: jsonAnswer(pageSchema(schemas.waitingSchema), 'The longest waiting first') },
  }),
  invite: route({
    method: 'post',
    path: '/v1/operator/wait-list/invite',
    operationId: 'inviteWaiting',
    summary: 'Send a code to those who have waited longest',
    fresh: true,
    tags,
    access,
    rate: 'costly',
    request: jsonBody(schemas.inviteWaitingSchema),
    responses: { 200: jsonAnswer(schemas.invitedSchema, 'Who was invited') },
  }),
}

export function operatorFlagRoutes({ control }: ApiDeps): RouteGroup {
  return new RouteGroup()
    .add(flagRoutes.list, async (c, { signedIn }) => {
      await requireOperator(control, signedIn.person)
      return c.json({ items: await listFlags(control) }, 200)
    })
    .add(flagRoutes.share, async (c, { signedIn }) => {
      const by = await requireOperator(control, signedIn.person)
      const { percent } = c.req.valid('json')
      await setFlag(control, { ...c.req.valid('param'), value: percent }, by)
      return c.body(null, 204)
    })
    .add(flagRoutes.account, async (c, { signedIn }) => {
      const by = await requireOperator(control, signedIn.person)
      await setFlag(control, { ...c.req.valid('param'), ...c.req.valid('json') }, by)
      return c.body(null, 204)
    })
    .add(flagRoutes.kill, async (c, { signedIn }) => {
      const by = await requireOperator(control, signedIn.person)
      const { reason } = c.req.valid('json')
      await switchFlag(control, { ...c.req.valid('param'), killed: true }, { ...by, reason })
      return c.body(null, 204)
    })
    .add(flagRoutes.revive, async (c, { signedIn }) => {
      const by = await requireOperator(control, signedIn.person)
      await switchFlag(control, { ...c.req.valid('param'), killed: false }, by)
      return c.body(null, 204)
    })
}

export function operatorInviteRoutes({ control }: ApiDeps, cursors: Cursors): RouteGroup {
  return new RouteGroup()
    .add(inviteRoutes.list, async (c, { signedIn }) => {
      await requireOperator(control, signedIn.person)
      const page = await cursors.page(
        { account: signedIn.person.id, list: 'invites' },
        c.req.valid('query'),
        {
          read: (options) => pageInvites(control, options),
          describe: (found) => found.map(({ data }) => describeInvite(data, control.clock.now())),
        },
      )
      return c.json(page, 200)
    })
    .add(inviteRoutes.create, async (c, { signedIn }) => {
      const by = await requireOperator(control, signedIn.person)
      return c.json(await createInvite(control, c.req.valid('json'), by), 201)
    })
    .add(inviteRoutes.revoke, async (c, { signedIn }) => {
      requireNoRevision(c.req.header('if-match'))
      const by = await requireOperator(control, signedIn.person)
      await revokeInvite(control, c.req.valid('param').invite, by)
      return c.body(null, 204)
    })
    .add(inviteRoutes.waiting, async (c, { signedIn }) => {
      await requireOperator(control, signedIn.person)
      const { state, ...query } = c.req.valid('query')
      const page = await cursors.page({ account: signedIn.person.id, list: `wait list ${state}` }, query, {
        read: (options) => pageWaiting(control, state, options),
        describe: (found) => found.map(({ data }) => describeWaiting(data)),
      })
      return c.json(page, 200)
    })
    .add(inviteRoutes.invite, async (c, { signedIn }) => {
      const by = await requireOperator(control, signedIn.person)
      return c.json({ items: await inviteWaiting(control, c.req.valid('json'), by) }, 200)
    })
}
