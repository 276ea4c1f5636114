/** Tunnels, and watch tickets for their live figures. */
import { z } from '@hono/zod-openapi'
import { fail } from '../../base/errors.ts'
import { stopAgent } from '../../control/agent-stops.ts'
import { listAgents } from '../../control/agents.ts'
import type { Caller } from '../../control/caller.ts'
import { eraseOfTunnel } from '../../control/connections/reading.ts'
import { findTunnels } from '../../control/tunnel-list.ts'
import {
  createTunnel,
  deleteTunnel,
  describeTunnels,
  readTunnel,
  updateTunnel,
} from '../../control/tunnels.ts'
import { issueWatch } from '../../control/watch.ts'
import type { Cursors } from '../cursors.ts'
import { etagOf, revisionOf } from '../etags.ts'
import { once } from '../idempotency.ts'
import { emptyAnswer, jsonAnswer, jsonBody, RouteGroup, route } from '../kit.ts'
import { agentParamsSchema, agentsSchema, stoppedAgentSchema } from '../schemas/agents.ts'
import { idSchema } from '../schemas/common.ts'
import {
  type Tunnel,
  tunnelCreateSchema,
  tunnelPageSchema,
  tunnelQuerySchema,
  tunnelSchema,
  tunnelUpdateSchema,
  watchRequestSchema,
  watchSchema,
} from '../schemas/tunnels.ts'

const tags = ['Tunnels']
const params = z.object({ tunnel: idSchema('tun') })
/** What an Idempotency-Key remembers; records up to 0.1 hold the whole tunnel. */
const recordSchema = z.object({ id: z.string() })

const routes = {
  list: route({
    tags,
    access: { permission: 'tunnels.read' },
    method: 'get',
    path: '/v1/tunnels',
    viewable: true,
    operationId: 'listTunnels',
    summary: 'The tunnels of the account',
    description:
      'A page may be short, or empty, and have a next one: one call looks at a bounded number of tunnels. With the ETag in If-None-Match the answer is 304 while nothing has changed.',
    request: { query: tunnelQuerySchema },
    responses: { 200: jsonAnswer(tunnelPageSchema, 'A page of tunnels') },
  }),
  create: route({
    tags,
    access: { permission: 'tunnels.write' },
    method: 'post',
    path: '/v1/tunnels',
    operationId: 'createTunnel',
    summary: 'Define a tunnel',
    description: 'Not needed before use: claiming an unknown name defines it.',
    request: jsonBody(tunnelCreateSchema),
    responses: { 201: jsonAnswer(tunnelSchema, 'The tunnel') },
  }),
  read: route({
    tags,
    access: { permission: 'tunnels.read' },
    method: 'get',
    path: '/v1/tunnels/{tunnel}',
    viewable: true,
    operationId: 'readTunnel',
    summary: 'One tunnel; its revision is the ETag',
    request: { params },
    responses: { 200: jsonAnswer(tunnelSchema, 'The tunnel') },
  }),
  update: route({
    tags,
    access: { permission: 'tunnels.write' },
    method: 'patch',
    path: '/v1/tunnels/{tunnel}',
    operationId: 'updateTunnel',
    summary: 'Rename a tunnel or change its policy',
    description: 'A policy replaces the former one, and reaches relays within seconds. Honours If-Match.',
    request: { params, ...jsonBody(tunnelUpdateSchema) },
    responses: { 200: jsonAnswer(tunnelSchema, 'The tunnel') },
  }),
  remove: route({
    tags,
    access: { permission: 'tunnels.write' },
    method: 'delete',
    path: '/v1/tunnels/{tunnel}',
    operationId: 'deleteTunnel',
    summary: 'Delete a tunnel; it stops at once and gives up its address',
    request: { params },
    responses: emptyAnswer('Deleted'),
  }),
  agents: route({
    tags,
    access: { permission: 'tunnels.read' },
    method: 'get',
    path: '/v1/agents',
    viewable: true,
    operationId: 'listAgents',
    summary: 'The agents that serve tunnels of the account',
    description: 'Those with trouble first. One that has left is listed until its leases end.',
    responses: { 200: jsonAnswer(agentsSchema, 'The agents') },
  }),
  stopAgent: route({
    tags,
    access: { permission: 'tunnels.write' },
    method: 'post',
    path: '/v1/agents/{agent}/stop',
    operationId: 'stopAgent',
    summary: 'Stop an agent: its tunnels go offline at once',
    description:
      'Every relay ends what it serves, and it hears PT-2900 and ends. It comes back only when somebody starts it.',
    request: { params: agentParamsSchema },
    responses: { 200: jsonAnswer(stoppedAgentSchema, 'What it served') },
  }),
  watch: route({
    tags,
    access: { permission: 'live.read' },
    method: 'post',
    path: '/v1/watch',
    operationId: 'watchTunnels',
    summary: 'A ticket of a minute for live figures',
    description: 'Relays send the figures directly, as server-sent events, once a second.',
    request: jsonBody(watchRequestSchema),
    responses: { 200: jsonAnswer(watchSchema, 'The ticket, and where to read') },
  }),
}

export function tunnelRoutes(cursors: Cursors): RouteGroup {
  const group = new RouteGroup()
    .add(routes.list, async (c, { caller, control }) => {
      const { limit, cursor, ...filter } = c.req.valid('query')
      // A position says where to go on in one order and means nothing in another.
      const scope = {
        account: caller.account,
        list: filter.sort === 'newest' ? 'tunnels' : `tunnels.${filter.sort}`,
      }
      const after = cursor === undefined ? undefined : await cursors.read(scope, cursor)
      const { items, next, counts } = await findTunnels(control, caller, {
        filter,
        limit,
        ...(after && { after }),
      })
      const page = { items: shownTo(caller, items), ...(counts && { counts }) }
      return c.json({ ...page, ...(next && { next: await cursors.write(scope, next) }) }, 200)
    })
    .add(routes.create, async (c, call) => {
      const { caller, control } = call
      const input = c.req.valid('json')
      const outcome = await once(c, call, (record) =>
        createTunnel(control, caller, input, (tx, { ref: { id } }) => record(tx, { id })),
      )
      // A repeated request is told how the tunnel is now: what the record keeps is which one it was.
      const made =
        'replayed' in outcome
          ? await readTunnel(control, caller, recordSchema.parse(outcome.replayed).id)
          : outcome.value
      const [tunnel] = await describeTunnels(control, [made])
      if (!tunnel) throw fail('api.not_found')
      c.header('etag', etagOf(tunnel))
      c.header('location', `/v1/tunnels/${tunnel.id}`)
      return c.json(tunnel, 201)
    })
    .add(routes.read, async (c, { caller, control }) => {
      const found = await readTunnel(control, caller, c.req.valid('param').tunnel)
      const [tunnel] = shownTo(caller, await describeTunnels(control, [found]))
      if (!tunnel) throw fail('api.not_found')
      c.header('etag', etagOf(tunnel))
      return c.json(tunnel, 200)
    })
    .add(routes.update, async (c, { caller, control }) => {
      const ifRevision = revisionOf(c.req.header('if-match'))
      const updated = await updateTunnel(control, caller, {
        id: c.req.valid('param').tunnel,
        change: c.req.valid('json'),
        ...(ifRevision === undefined ? {} : { ifRevision }),
      })
      const [tunnel] = await describeTunnels(control, [updated])
      if (!tunnel) throw fail('api.not_found')
      c.header('etag', etagOf(tunnel))
      return c.json(tunnel, 200)
    })
    .add(routes.remove, async (c, { caller, control }) => {
      const ifRevision = revisionOf(c.req.header('if-match'))
      const id = c.req.valid('param').tunnel
      await deleteTunnel(control, caller, { id, ...(ifRevision === undefined ? {} : { ifRevision }) })
      await eraseOfTunnel(control, id)
      return c.body(null, 204)
    })
  return addWatching(group)
}

/** Who serves them, and what passes through them now. */
function addWatching(group: RouteGroup): RouteGroup {
  return group
    .add(routes.agents, async (c, { caller, control }) =>
      c.json({ items: [...(await listAgents(control, caller))] }, 200),
    )
    .add(routes.stopAgent, async (c, { caller, control }) =>
      c.json({ tunnels: [...(await stopAgent(control, caller, c.req.valid('param').agent))] }, 200),
    )
    .add(routes.watch, async (c, { caller, control }) =>
      c.json(await issueWatch(control, caller, c.req.valid('json').tunnels), 200),
    )
}

/** What tunnels set in requests may be passwords of upstreams, which are nobody's business but their owners'. */
function shownTo({ view }: Pick<Caller, 'view'>, tunnels: readonly Tunnel[]): Tunnel[] {
  return tunnels.map(({ edits, ...tunnel }) => ({ ...tunnel, ...(edits && !view && { edits }) }))
}
