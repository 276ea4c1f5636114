/** Relays and cells for operators, in the console. Crosses accounts: operators belong to none. */
import { requireOperator } from '../../control/operator/desk.ts'
import { describeCells, drainRelay, pageCells, switchCell } from '../../control/operator/fleet.ts'
import type { Cursors } from '../cursors.ts'
import { type ApiDeps, emptyAnswer, jsonAnswer, RouteGroup, route } from '../kit.ts'
import { pageSchema } from '../schemas/common.ts'
import * as schemas from '../schemas/operator-service.ts'

const tags = ['Operator']
const access = { signedIn: 'person' } as const
const cell = { params: schemas.cellParamsSchema }

const routes = {
  cells: route({
    method: 'get',
    path: '/v1/operator/cells',
    operationId: 'listOperatorCells',
    summary: 'Cells with their relays, as these last reported',
    description:
      'For operators, in person. Relays report every 30 seconds; `seenAt` says of when the figures are.',
    tags,
    access,
    rate: 'costly',
    request: { query: schemas.cellsQuerySchema },
    responses: { 200: jsonAnswer(pageSchema(schemas.operatorCellSchema), 'The oldest first') },
  }),
  close: route({
    method: 'post',
    path: '/v1/operator/cells/{cell}/close',
    operationId: 'closeCell',
    summary: 'Give a cell no new tunnels; those it has stay',
    description: 'For operators, in person. Opening it takes this back.',
    fresh: true,
    tags,
    access,
    request: cell,
    responses: emptyAnswer('Closed'),
  }),
  open: route({
    method: 'post',
    path: '/v1/operator/cells/{cell}/open',
    operationId: 'openCell',
    summary: 'Give a closed cell tunnels again',
    fresh: true,
    tags,
    access,
    request: cell,
    responses: emptyAnswer('Open'),
  }),
  drain: route({
    method: 'post',
    path: '/v1/operator/relays/{relay}/drain',
    operationId: 'drainRelay',
    summary: 'Let a relay take no more visitors, wait for open connections, and end',
    description:
      'For operators, in person. Agents go to the other relays of the cell, and what supervises the relay starts it ' +
      'anew. It cannot be taken back.',
    fresh: true,
    tags,
    access,
    request: { params: schemas.relayParamsSchema },
    responses: { 200: jsonAnswer(schemas.drainedSchema, 'Ordered; the relay hears of it within 30 seconds') },
  }),
}

export function operatorFleetRoutes({ control }: ApiDeps, cursors: Cursors): RouteGroup {
  return new RouteGroup()
    .add(routes.cells, async (c, { signedIn }) => {
      await requireOperator(control, signedIn.person)
      const { state, ...query } = c.req.valid('query')
      const page = await cursors.page({ account: signedIn.person.id, list: `cells ${state}` }, query, {
        read: (options) => pageCells(control, state, options),
        describe: (found) => describeCells(control, found),
      })
      return c.json(page, 200)
    })
    .add(routes.close, async (c, { signedIn }) => {
      const by = await requireOperator(control, signedIn.person)
      await switchCell(control, { id: c.req.valid('param').cell, state: 'closed' }, by)
      return c.body(null, 204)
    })
    .add(routes.open, async (c, { signedIn }) => {
      const by = await requireOperator(control, signedIn.person)
      await switchCell(control, { id: c.req.valid('param').cell, state: 'open' }, by)
      return c.body(null, 204)
    })
    .add(routes.drain, async (c, { signedIn }) => {
      const by = await requireOperator(control, signedIn.person)
      return c.json(await drainRelay(control, c.req.valid('param').relay, by), 200)
    })
}
