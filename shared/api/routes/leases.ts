/**
 * Leases: agents claim, renew and release a list in each call. Crosses accounts: endpoints pass from one to another.
 */
import { traced } from '../../base/telemetry.ts'
import { listCells } from '../../control/cell-choice.ts'
import { claimLeases, renewLeases } from '../../control/claims.ts'
import { controlOf } from '../../control/control.ts'
import { releaseLeases } from '../../control/releases.ts'
import { recordUpstreams } from '../../control/upstream-reports.ts'
import { keyOf } from '../idempotency.ts'
import { type ApiDeps, emptyAnswer, jsonAnswer, jsonBody, RouteGroup, route } from '../kit.ts'
import {
  claimResultSchema,
  claimSchema,
  openCellsSchema,
  releaseSchema,
  renewSchema,
  runningHeader,
  upstreamReportSchema,
} from '../schemas/tunnels.ts'

const tags = ['Leases']

const routes = {
  claim: route({
    tags,
    access: { permission: 'tunnels.serve' },
    method: 'post',
    path: '/v1/leases',
    operationId: 'claimLeases',
    summary: 'Claim endpoints for tunnels',
    description:
      'Every tunnel of the list gets its own lease or problem. The same agent claiming again gets the same.',
    request: jsonBody(claimSchema),
    responses: { 200: jsonAnswer(claimResultSchema, 'Leases and problems in the order of the request') },
  }),
  cells: route({
    tags,
    access: { permission: 'tunnels.serve' },
    method: 'get',
    path: '/v1/cells',
    operationId: 'listCells',
    summary: 'Cells that take new tunnels, with a relay of each',
    description: 'An agent measures the way to each and sends the order with its claims. At most 16.',
    responses: { 200: jsonAnswer(openCellsSchema, 'Oldest first') },
  }),
  renew: route({
    tags,
    access: { permission: 'tunnels.serve' },
    method: 'post',
    path: '/v1/leases/renew',
    operationId: 'renewLeases',
    summary: 'Fresh tickets for leases that the agent holds',
    request: jsonBody(renewSchema),
    responses: { 200: jsonAnswer(claimResultSchema, 'Leases and problems in the order of the request') },
  }),
  release: route({
    tags,
    access: { permission: 'tunnels.serve' },
    method: 'post',
    path: '/v1/leases/release',
    operationId: 'releaseLeases',
    summary: 'Give leases back',
    description:
      'At once; relays learn of it within half a minute, so unbind first. To end a tunnel now, delete it.',
    request: jsonBody(releaseSchema),
    responses: emptyAnswer('Those that this agent held are released'),
  }),
  upstreams: route({
    tags,
    access: { permission: 'tunnels.serve' },
    method: 'post',
    path: '/v1/leases/upstreams',
    operationId: 'reportUpstreams',
    summary: 'Say that upstreams are out of reach, or work again',
    description: 'Agents report changes; the tunnels show them in `state` and `why`.',
    request: jsonBody(upstreamReportSchema),
    responses: emptyAnswer('Noted for those that this agent holds'),
  }),
}

export function leaseRoutes({ control }: ApiDeps): RouteGroup {
  return new RouteGroup()
    .add(routes.claim, async (c, { caller }) => {
      const key = keyOf(c)
      // Repeating a claim does no harm, except for generated names, so those follow from the key.
      const seed = key === undefined ? {} : { seed: `${caller.actor}:${key}` }
      const options = { ...seed, runningMs: runningMsOf(c.req.header(runningHeader)) }
      const claim = () => claimLeases(control, caller, c.req.valid('json'), options)
      return c.json(await traced(control.telemetry, 'claim', 'claim leases', claim), 200)
    })
    .add(routes.cells, async (c) => c.json(await listCells(control), 200))
    .add(routes.renew, async (c, { caller }) =>
      c.json(await renewLeases(control, caller, c.req.valid('json')), 200),
    )
    .add(routes.release, async (c, { caller }) => {
      await releaseLeases(control, caller, c.req.valid('json'))
      return c.body(null, 204)
    })
    .add(routes.upstreams, async (c, { caller }) => {
      await recordUpstreams(controlOf(control, caller.account), caller, c.req.valid('json'))
      return c.body(null, 204)
    })
}

/** It is only a hint, and a claim without it is as valid. */
function runningMsOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}
