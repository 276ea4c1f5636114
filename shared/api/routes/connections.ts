/** The kept connections of a tunnel's visitors. Open ones are at its relays. */
import { z } from 'zod'
import { eraseConnections, readConnections } from '../../control/connections/reading.ts'
import type { Cursors } from '../cursors.ts'
import { requireNoRevision } from '../etags.ts'
import { jsonAnswer, RouteGroup, route } from '../kit.ts'
import { idSchema } from '../schemas/common.ts'
import { connectionsErasedSchema, connectionsQuerySchema, connectionsSchema } from '../schemas/connections.ts'

const tags = ['Tunnels']
const params = z.object({ tunnel: idSchema('tun') })
const path = '/v1/tunnels/{tunnel}/connections'

const routes = {
  list: route({
    tags,
    access: { permission: 'live.read' },
    rate: 'costly',
    method: 'get',
    path,
    operationId: 'listConnections',
    summary: 'Connections of visitors that have ended and were kept',
    description:
      'Nothing is kept until the policy of the tunnel says so (`keepConnections`), because a list of visitors is personal data; then it is kept as long as the audit log, at most 30 days. Relays report what ended within a quarter of an hour; until then, and for connections that are open, ask them at `/v1/live/connections?tunnel=` (see /v1/watch). Of more than 100 in a minute at one relay a sample is kept: compare `counted` and `kept`.',
    request: { params, query: connectionsQuerySchema },
    responses: { 200: jsonAnswer(connectionsSchema, 'A page; those that ended last come first') },
  }),
  erase: route({
    tags,
    access: { permission: 'tunnels.write' },
    method: 'delete',
    path,
    operationId: 'eraseConnections',
    summary: 'Erase all connections that were kept',
    description:
      'What is still at relays comes later, unless `keepConnections` is removed from the policy first.',
    request: { params },
    responses: { 200: jsonAnswer(connectionsErasedSchema, 'Erased') },
  }),
}

export function connectionRoutes(cursors: Cursors): RouteGroup {
  return new RouteGroup()
    .add(routes.list, async (c, { caller, control }) => {
      const { tunnel } = c.req.valid('param')
      const { cursor, ...wish } = c.req.valid('query')
      const scope = { account: caller.account, list: `connections.${tunnel}` }
      const position = cursor === undefined ? undefined : await cursors.read(scope, cursor)
      const after = position && ([Number(position[0]), Number(position[1])] as const)
      const { next, ...page } = await readConnections(control, caller, tunnel, {
        ...wish,
        ...(after && { after }),
      })
      const written = next && (await cursors.write(scope, [next[0], `${next[1]}`]))
      return c.json({ ...page, ...(written && { next: written }) }, 200)
    })
    .add(routes.erase, async (c, { caller, control }) => {
      requireNoRevision(c.req.header('if-match'))
      return c.json(await eraseConnections(control, caller, c.req.valid('param').tunnel), 200)
    })
}
