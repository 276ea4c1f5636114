/** The log of all programs, for operators in the console. Crosses accounts. */
import { LogDesk } from '../../control/logs/searching.ts'
import { requireOperator } from '../../control/operator/desk.ts'
import type { Cursors } from '../cursors.ts'
import { type ApiDeps, jsonAnswer, RouteGroup, route } from '../kit.ts'
import { pageSchema } from '../schemas/common.ts'
import { logLineSchema, logsQuerySchema } from '../schemas/operator-logs.ts'

const search = route({
  method: 'get',
  path: '/v1/operator/logs',
  operationId: 'searchLogs',
  summary: 'Lines of the log of relays, control plane and functions',
  description:
    'For operators, in person. Each search is in the audit log; the same one again within ten minutes is not. A page ' +
    'may be empty and still have a next one, while not everything was looked at.',
  tags: ['Operator'],
  access: { signedIn: 'person' },
  rate: 'costly',
  request: { query: logsQuerySchema },
  responses: { 200: jsonAnswer(pageSchema(logLineSchema), 'The newest first') },
})

export function operatorLogRoutes({ control }: ApiDeps, cursors: Cursors): RouteGroup {
  const desk = new LogDesk(control)
  return new RouteGroup().add(search, async (c, { signedIn }) => {
    const by = await requireOperator(control, signedIn.person)
    const { query, from, limit, cursor } = c.req.valid('query')
    const scope = { account: signedIn.person.id, list: `logs ${query}` }
    const after = cursor === undefined ? undefined : (await cursors.read(scope, cursor))[1]
    const { lines, next } = await desk.search(by, { query, from, limit, after })
    const items = lines.map((line) => ({ ...line, fields: { ...line.fields } }))
    return c.json({ items, ...(next !== undefined && { next: await cursors.write(scope, ['', next]) }) }, 200)
  })
}
