/** How operators stop abuse, in the console: reports and decisions, the tunnel behind an address, the kill switch. */
import { decideCase } from '../../control/abuse/deciding.ts'
import { restoreTunnel, takeDown } from '../../control/abuse/takedown.ts'
import { requireOperator } from '../../control/operator/desk.ts'
import { describeReport, pageReports, showReport } from '../../control/operator/reports.ts'
import {
  describeTakedowns,
  pageTakedowns,
  requireTunnelAt,
  showFound,
} from '../../control/operator/takedowns.ts'
import type { Cursors } from '../cursors.ts'
import { type ApiDeps, emptyAnswer, jsonAnswer, jsonBody, RouteGroup, route } from '../kit.ts'
import { pageSchema } from '../schemas/common.ts'
import * as schemas from '../schemas/operator-abuse.ts'

const tags = ['Operator']
const access = { signedIn: 'person' } as const
const tunnel = { params: schemas.operatorTunnelParamsSchema }
const report = { params: schemas.reportParamsSchema }

const routes = {
  find: route({
    method: 'get',
    path: '/v1/operator/tunnels',
    operationId: 'findTunnelAt',
    summary: 'The tunnel that has an address now',
    description:
      'For operators, in person. The address is an endpoint’s or an own domain’s, as a visitor sees it.',
    tags,
    access,
    rate: 'costly',
    request: { query: schemas.tunnelAtQuerySchema },
    responses: { 200: jsonAnswer(schemas.foundTunnelSchema, 'The tunnel, with its account') },
  }),
  takeDown: route({
    method: 'post',
    path: '/v1/operator/tunnels/{tunnel}/take-down',
    operationId: 'takeTunnelDown',
    summary: 'Take a tunnel down: its visitors are cut, and no agent can serve it',
    description: 'Visitors are told within seconds. Its address is kept from everybody for 400 days.',
    fresh: true,
    tags,
    access,
    request: { ...tunnel, ...jsonBody(schemas.takeDownSchema) },
    responses: emptyAnswer('Taken down; the owners hear of it by mail'),
  }),
  restore: route({
    method: 'post',
    path: '/v1/operator/tunnels/{tunnel}/restore',
    operationId: 'restoreTunnel',
    summary: 'Put back a tunnel that was taken down',
    fresh: true,
    tags,
    access,
    request: tunnel,
    responses: emptyAnswer('Agents that still ask get it within ten minutes; the owners hear of it by mail'),
  }),
  list: route({
    method: 'get',
    path: '/v1/operator/takedowns',
    operationId: 'listTakedowns',
    summary: 'Tunnels that were taken down',
    description: 'For operators, in person.',
    tags,
    access,
    rate: 'costly',
    request: { query: schemas.takedownsQuerySchema },
    responses: { 200: jsonAnswer(pageSchema(schemas.takedownSchema), 'The newest first') },
  }),
  reports: route({
    method: 'get',
    path: '/v1/operator/reports',
    operationId: 'listReports',
    summary: 'What people reported for abuse, one entry for each address until it is decided',
    description: 'For operators, in person.',
    tags,
    access,
    rate: 'costly',
    request: { query: schemas.reportsQuerySchema },
    responses: { 200: jsonAnswer(pageSchema(schemas.reportSchema), 'Those reported last come first') },
  }),
  report: route({
    method: 'get',
    path: '/v1/operator/reports/{report}',
    operationId: 'showReport',
    summary: 'A report with its evidence, the tunnel, the account, and what else that was reported for',
    description: 'For operators, in person. Nobody is shown who reported it.',
    tags,
    access,
    rate: 'costly',
    request: report,
    responses: { 200: jsonAnswer(schemas.reportPageSchema, 'The report') },
  }),
  decide: route({
    method: 'post',
    path: '/v1/operator/reports/{report}/decide',
    operationId: 'decideReport',
    summary: 'Dismiss a report, warn the owners, take the tunnel down, or suspend the account',
    fresh: true,
    tags,
    access,
    request: { ...report, ...jsonBody(schemas.decideSchema) },
    responses: emptyAnswer('Done; who reported it and left an address gets a mail'),
  }),
}

export function operatorAbuseRoutes(deps: ApiDeps, cursors: Cursors): RouteGroup {
  const { control } = deps
  return takedownRoutes(deps, cursors)
    .add(routes.reports, async (c, { signedIn }) => {
      await requireOperator(control, signedIn.person)
      const { state = 'open', account, ...query } = c.req.valid('query')
      const list = `reports ${account ?? state}`
      const page = await cursors.page({ account: signedIn.person.id, list }, query, {
        read: (options) => pageReports(control, { state, account }, options),
        describe: (found) => found.map(describeReport),
      })
      return c.json(page, 200)
    })
    .add(routes.report, async (c, { signedIn }) => {
      await requireOperator(control, signedIn.person)
      return c.json(await showReport(control, c.req.valid('param').report), 200)
    })
    .add(routes.decide, async (c, { signedIn }) => {
      const by = await requireOperator(control, signedIn.person)
      const { decision, reason } = c.req.valid('json')
      await decideCase(control, { ...by, reason }, { id: c.req.valid('param').report, decision })
      return c.body(null, 204)
    })
}

function takedownRoutes({ control }: ApiDeps, cursors: Cursors): RouteGroup {
  return new RouteGroup()
    .add(routes.find, async (c, { signedIn }) => {
      await requireOperator(control, signedIn.person)
      const found = await requireTunnelAt(control, c.req.valid('query').at)
      return c.json(await showFound(control, found), 200)
    })
    .add(routes.takeDown, async (c, { signedIn }) => {
      const by = await requireOperator(control, signedIn.person)
      const { reason } = c.req.valid('json')
      await takeDown(control, { ...by, reason }, c.req.valid('param').tunnel)
      return c.body(null, 204)
    })
    .add(routes.restore, async (c, { signedIn }) => {
      const by = await requireOperator(control, signedIn.person)
      await restoreTunnel(control, by, c.req.valid('param').tunnel)
      return c.body(null, 204)
    })
    .add(routes.list, async (c, { signedIn }) => {
      await requireOperator(control, signedIn.person)
      const query = c.req.valid('query')
      const page = await cursors.page({ account: signedIn.person.id, list: 'takedowns' }, query, {
        read: (options) => pageTakedowns(control, options),
        describe: (found) => describeTakedowns(control, found),
      })
      return c.json(page, 200)
    })
}
