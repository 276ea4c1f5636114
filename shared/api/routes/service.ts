/** What the service says of itself, without a bearer. */
import { createRoute } from '@hono/zod-openapi'
import { type ApiDeps, jsonAnswer, newRoutes, type Routes } from '../kit.ts'
import { configSchema, healthSchema, jwksSchema } from '../schemas/service.ts'

const tags = ['Service']

const health = createRoute({
  method: 'get',
  path: '/v1/health',
  operationId: 'readHealth',
  summary: 'Whether the API answers, its version and its time',
  tags,
  responses: { 200: jsonAnswer(healthSchema, 'It does') },
})
const config = createRoute({
  method: 'get',
  path: '/v1/config',
  operationId: 'readConfig',
  summary: 'What a console or a CLI must know before anybody signs in',
  tags,
  responses: { 200: jsonAnswer(configSchema, 'Public facts') },
})
const jwks = createRoute({
  method: 'get',
  path: '/v1/jwks',
  operationId: 'readTicketKeys',
  summary: 'Public keys of lease and watch tickets (RFC 7517)',
  tags,
  responses: { 200: jsonAnswer(jwksSchema, 'A JSON Web Key Set') },
})

export function serviceRoutes({ control }: ApiDeps): Routes {
  const { settings, clock, identity, signer } = control
  const { version, registration, consoleUrl, docsUrl, firebase } = settings
  const facts = { version, identity: identity.kind, registration, consoleUrl, docsUrl }
  const known = {
    ...facts,
    ...(firebase && { firebase: { ...firebase, providers: [...firebase.providers] } }),
  }
  return newRoutes()
    .openapi(health, (c) => c.json({ status: 'ok' as const, version, now: clock.now() }, 200))
    .openapi(config, (c) => c.json(known, 200))
    .openapi(jwks, async (c) => {
      // A relay asks again for a key it does not know; the next key is here for days before it signs.
      c.header('cache-control', 'public, max-age=300')
      const { jwks } = await signer.publicKeys()
      return c.json(jwksSchema.parse(jwks), 200)
    })
}
