/** Alerts of the service itself, for operators in the console. */
import { describeAlert } from '../../control/alerts/alerting.ts'
import { actOnServiceAlert, pageServiceAlerts } from '../../control/operator/alerts.ts'
import { requireOperator } from '../../control/operator/desk.ts'
import type { Cursors } from '../cursors.ts'
import { type ApiDeps, jsonAnswer, jsonBody, RouteGroup, route } from '../kit.ts'
import * as schemas from '../schemas/alerts.ts'
import { pageQuerySchema, pageSchema } from '../schemas/common.ts'

const tags = ['Operator']
const access = { signedIn: 'person' } as const

const routes = {
  list: route({
    method: 'get',
    path: '/v1/operator/alerts',
    operationId: 'listServiceAlerts',
    summary: 'Alerts of the service; those that changed last come first',
    description: 'For operators, in person.',
    tags,
    access,
    rate: 'costly',
    request: { query: pageQuerySchema.extend(schemas.alertQuerySchema.shape) },
    responses: { 200: jsonAnswer(pageSchema(schemas.alertSchema), 'A page of alerts') },
  }),
  act: route({
    method: 'post',
    path: '/v1/operator/alerts/{alert}',
    operationId: 'actOnServiceAlert',
    summary: 'Acknowledge an alert of the service, close it by hand, or mute it',
    description: 'For operators, in person.',
    tags,
    access,
    request: { params: schemas.alertParamsSchema, ...jsonBody(schemas.alertActSchema) },
    responses: { 200: jsonAnswer(schemas.alertSchema, 'The alert afterwards') },
  }),
}

export function operatorAlertRoutes({ control }: ApiDeps, cursors: Cursors): RouteGroup {
  return new RouteGroup()
    .add(routes.list, async (c, { signedIn }) => {
      await requireOperator(control, signedIn.person)
      const { state, ...query } = c.req.valid('query')
      const scope = { account: signedIn.person.id, list: `service alerts ${state ?? ''}` }
      const page = await cursors.page(scope, query, {
        read: (options) => pageServiceAlerts(control, { state, ...options }),
        describe: (found) => found.map(describeAlert),
      })
      return c.json(page, 200)
    })
    .add(routes.act, async (c, { signedIn }) => {
      const by = await requireOperator(control, signedIn.person)
      const wish = { id: c.req.valid('param').alert, act: c.req.valid('json') }
      return c.json(describeAlert(await actOnServiceAlert(control, wish, by)), 200)
    })
}
