/** What a tunnel or an account has carried over time. */
import { readHistory } from '../../control/history.ts'
import { jsonAnswer, RouteGroup, route } from '../kit.ts'
import { historyQuerySchema, historySchema } from '../schemas/history.ts'

const history = route({
  method: 'get',
  path: '/v1/history',
  viewable: true,
  operationId: 'readHistory',
  summary: 'What a tunnel, or the account, has carried over time',
  description:
    'At most 1,000 points: steps below an hour for a week of a tunnel or a day of the account, in the last 40 days; longer ones for up to 400 days. The last quarter of an hour comes later; relays have it, and their last six hours by ten seconds, at `/v1/live/history` (see /v1/watch).',
  tags: ['Account'],
  access: { permission: 'usage.read' },
  rate: 'costly',
  request: { query: historyQuerySchema },
  responses: { 200: jsonAnswer(historySchema, 'Points, oldest first') },
})

export function historyRoutes(): RouteGroup {
  return new RouteGroup().add(history, async (c, { caller, control }) =>
    c.json(await readHistory(control, caller, c.req.valid('query')), 200),
  )
}
