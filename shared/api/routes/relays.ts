/** What relays call: enrolment, once, and sync, every 30 s. */
import { createRoute } from '@hono/zod-openapi'
import { fail } from '../../base/errors.ts'
import { syncRelay } from '../../control/relays.ts'
import { type ApiDeps, jsonAnswer, jsonBody, newRoutes, type Routes } from '../kit.ts'
import { bearerOf } from '../middleware.ts'
import { enrolledSchema, enrolSchema, syncAnswerSchema, syncSchema } from '../schemas/relays.ts'

const tags = ['Relays']

const routes = {
  enrol: createRoute({
    method: 'post',
    path: '/v1/relays/enrol',
    operationId: 'enrolRelay',
    summary: 'Exchange a one-time enrolment key for a credential',
    tags,
    request: jsonBody(enrolSchema),
    responses: { 201: jsonAnswer(enrolledSchema, 'The relay and its credential, this once') },
  }),
  sync: createRoute({
    method: 'post',
    path: '/v1/relays/sync',
    operationId: 'syncRelay',
    summary: 'Heartbeat, usage and events of a relay; commands, keys and time for it',
    tags,
    security: [{ relay: [] }],
    request: jsonBody(syncSchema),
    responses: { 200: jsonAnswer(syncAnswerSchema, 'What the relay has to know') },
  }),
}

export function relayRoutes({ control, enrolment }: ApiDeps): Routes {
  const relays = newRoutes()
  // Before the body is looked at: strangers learn nothing about its shape, and cost nothing.
  relays.use('/v1/relays/sync', async (c, next) => {
    c.set('relay', await control.relayIdentity.verify(bearerOf(c.req.header('authorization'))))
    await next()
  })
  return relays
    .openapi(routes.enrol, async (c) => {
      if (!enrolment) throw fail('api.not_found')
      const { key, name } = c.req.valid('json')
      return c.json(await enrolment.enrol(key, name), 201)
    })
    .openapi(routes.sync, async (c) => {
      const claims = c.get('relay')
      if (!claims) throw fail('relay.unknown')
      return c.json(await syncRelay(control, claims, c.req.valid('json')), 200)
    })
}
