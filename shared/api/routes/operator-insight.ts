/** Money, transfer, security events and dependencies, for operators in the console. Crosses accounts. */
import { readActivity } from '../../control/operator/activity-reads.ts'
import { requireOperator } from '../../control/operator/desk.ts'
import { readRevenue, readTalkers } from '../../control/operator/figure-reads.ts'
import { HealthDesk } from '../../control/operator/health.ts'
import { describeSecurity, pageSecurity } from '../../control/operator/security.ts'
import type { Cursors } from '../cursors.ts'
import { type ApiDeps, jsonAnswer, RouteGroup, route } from '../kit.ts'
import { pageSchema } from '../schemas/common.ts'
import * as schemas from '../schemas/operator-figures.ts'

const tags = ['Operator']
const access = { signedIn: 'person' } as const

const routes = {
  revenue: route({
    method: 'get',
    path: '/v1/operator/revenue',
    operationId: 'readRevenue',
    summary: 'Accounts, recurring revenue, transfer, and what is left of it, by plan and month',
    description: 'For operators, in person. Made once a day from our own records; `madeAt` says when.',
    tags,
    access,
    rate: 'costly',
    responses: { 200: jsonAnswer(schemas.revenueSchema, 'The newest month first') },
  }),
  talkers: route({
    method: 'get',
    path: '/v1/operator/talkers',
    operationId: 'readTalkers',
    summary: 'Accounts that carried most on a day',
    description: 'For operators, in person. Made once a day.',
    tags,
    access,
    rate: 'costly',
    request: { query: schemas.talkersQuerySchema },
    responses: { 200: jsonAnswer(schemas.talkersSchema, 'Those who carried most first') },
  }),
  activity: route({
    method: 'get',
    path: '/v1/operator/activity',
    operationId: 'readActivity',
    summary: 'Active accounts by day, week and month, how far new ones got, and which came back',
    description: 'For operators, in person. Made once a day from our own records; `madeAt` says when.',
    tags,
    access,
    rate: 'costly',
    responses: { 200: jsonAnswer(schemas.activitySchema, '13 weeks at most') },
  }),
  security: route({
    method: 'get',
    path: '/v1/operator/security',
    operationId: 'listSecurityEvents',
    summary: 'Security events of all accounts, by account, address or kind',
    description: 'For operators, in person. They are entries of audit logs, and are kept as long.',
    tags,
    access,
    rate: 'costly',
    request: { query: schemas.securityQuerySchema },
    responses: { 200: jsonAnswer(pageSchema(schemas.securityEventRowSchema), 'The newest first') },
  }),
  health: route({
    method: 'get',
    path: '/v1/operator/health',
    operationId: 'readDependencies',
    summary: 'Whether what the service depends on works',
    description: 'For operators, in person. At most half a minute old.',
    tags,
    access,
    rate: 'costly',
    responses: { 200: jsonAnswer(schemas.healthListSchema, 'Each with cause and cure') },
  }),
}

export function operatorInsightRoutes({ control }: ApiDeps, cursors: Cursors): RouteGroup {
  const health = new HealthDesk(control)
  return new RouteGroup()
    .add(routes.revenue, async (c, { signedIn }) => {
      await requireOperator(control, signedIn.person)
      return c.json(await readRevenue(control), 200)
    })
    .add(routes.talkers, async (c, { signedIn }) => {
      await requireOperator(control, signedIn.person)
      return c.json(await readTalkers(control, c.req.valid('query').day), 200)
    })
    .add(routes.activity, async (c, { signedIn }) => {
      await requireOperator(control, signedIn.person)
      const { cohorts, ...found } = await readActivity(control)
      return c.json({ ...found, cohorts: cohorts.map((one) => ({ ...one, weeks: [...one.weeks] })) }, 200)
    })
    .add(routes.security, async (c, { signedIn }) => {
      await requireOperator(control, signedIn.person)
      const { account, address, kind, ...query } = c.req.valid('query')
      const filter = { account, address, kind }
      const scope = { account: signedIn.person.id, list: `security ${JSON.stringify(filter)}` }
      const page = await cursors.page(scope, query, {
        read: (options) => pageSecurity(control, filter, options),
        describe: (found) => found.map(describeSecurity),
      })
      return c.json(page, 200)
    })
    .add(routes.health, async (c, { signedIn }) => {
      await requireOperator(control, signedIn.person)
      return c.json({ items: (await health.read()).map((one) => ({ ...one })) }, 200)
    })
}
