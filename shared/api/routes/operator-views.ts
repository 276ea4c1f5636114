/**
 * How an operator begins and ends a view of an account. Crosses accounts: operators belong to none. The reads that are
 * made through it are the account's own routes (api/viewing.ts).
 */
import { requireOperator } from '../../control/operator/desk.ts'
import { beginView, endView, readView } from '../../control/operator/views.ts'
import { requireNoRevision } from '../etags.ts'
import { type ApiDeps, emptyAnswer, jsonAnswer, jsonBody, RouteGroup, route } from '../kit.ts'
import { viewBeginSchema, viewNowSchema, viewSchema } from '../schemas/operator.ts'

const tags = ['Operator']
const access = { signedIn: 'person' } as const
const path = '/v1/operator/view'

const routes = {
  begin: route({
    method: 'post',
    path,
    operationId: 'beginView',
    summary: 'View an account as its people see it, for half an hour and read-only',
    description:
      'For operators, in person. Reads that name the view in the header PortTunneler-View, beside the bearer of the same ' +
      'sign-in, are answered as for the account; everything else is refused with PT-1140. Beginning, end and what was ' +
      'read are in the audit log of the account, and its owners hear of it by mail. An earlier view ends.',
    fresh: true,
    tags,
    access,
    request: jsonBody(viewBeginSchema),
    responses: { 201: jsonAnswer(viewSchema, 'The view') },
  }),
  read: route({
    method: 'get',
    path,
    operationId: 'readView',
    summary: 'The view that you have now',
    tags,
    access,
    responses: { 200: jsonAnswer(viewNowSchema, 'The view, if there is one') },
  }),
  end: route({
    method: 'delete',
    path,
    operationId: 'endView',
    summary: 'End your view',
    tags,
    access,
    responses: emptyAnswer('Ended'),
  }),
}

export function operatorViewRoutes({ control }: ApiDeps): RouteGroup {
  return new RouteGroup()
    .add(routes.begin, async (c, { signedIn }) => {
      await requireOperator(control, signedIn.person)
      return c.json(await beginView(control, signedIn.person, c.req.valid('json')), 201)
    })
    .add(routes.read, async (c, { signedIn }) => {
      await requireOperator(control, signedIn.person)
      const view = await readView(control, signedIn.person.id)
      return c.json({ ...(view && { view }) }, 200)
    })
    .add(routes.end, async (c, { signedIn }) => {
      requireNoRevision(c.req.header('if-match'))
      await requireOperator(control, signedIn.person)
      await endView(control, signedIn.person.id)
      return c.body(null, 204)
    })
}
