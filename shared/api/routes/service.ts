/** What the service says about itself, without a bearer. */
import type { Settings } from '../../control/control.ts'
import { offersOf } from '../../control/money/offers.ts'
import { type ApiDeps, jsonAnswer, RouteGroup, route } from '../kit.ts'
import { plansSchema } from '../schemas/plans.ts'
import { configSchema, healthSchema, jwksSchema } from '../schemas/service.ts'

const tags = ['Service']

const health = route({
  access: { public: 'Needed before anybody signs in, and the same for everybody.' },
  method: 'get',
  path: '/v1/health',
  operationId: 'readHealth',
  summary: 'Whether the API answers, its version and its time',
  tags,
  responses: { 200: jsonAnswer(healthSchema, 'It does') },
})
const config = route({
  access: { public: 'Needed before anybody signs in, and the same for everybody.' },
  method: 'get',
  path: '/v1/config',
  operationId: 'readConfig',
  summary: 'What a console or CLI needs before anybody signs in',
  tags,
  responses: { 200: jsonAnswer(configSchema, 'Public facts') },
})
const jwks = route({
  access: { public: 'Needed before anybody signs in, and the same for everybody.' },
  method: 'get',
  path: '/v1/jwks',
  operationId: 'readTicketKeys',
  summary: 'Public keys of lease and watch tickets (RFC 7517)',
  tags,
  responses: { 200: jsonAnswer(jwksSchema, 'A JSON Web Key Set') },
})

const plans = route({
  access: { public: 'Read before anybody signs in, and the same for everybody.' },
  method: 'get',
  path: '/v1/plans',
  operationId: 'listPlans',
  summary: 'The plans that can be chosen, with their limits and prices',
  tags,
  responses: { 200: jsonAnswer(plansSchema, 'The plans, the smallest first') },
})

export function serviceRoutes({ control }: ApiDeps): RouteGroup {
  const { settings, clock, identity, signer } = control
  const { version, registration, consoleUrl, docsUrl, firebase, services = [], terms = [] } = settings
  const isOpen = registration !== 'closed'
  const facts = { version, identity: identity.kind, registration: isOpen, consoleUrl, docsUrl }
  const known = {
    ...facts,
    ...(registration === 'beta' && { beta: true }),
    ...(services.length > 0 && { services: [...services] }),
    ...(terms.length > 0 && { terms: [...terms] }),
    ...(firebase && { firebase: describeFirebase(firebase) }),
  }
  return new RouteGroup()
    .add(health, (c) => c.json({ status: 'ok' as const, version, now: clock.now() }, 200))
    .add(config, (c) => c.json(known, 200))
    .add(plans, async (c) => {
      c.header('cache-control', 'public, max-age=60')
      return c.json(offersOf(await control.catalogues.newest()), 200)
    })
    .add(jwks, async (c) => {
      // A relay asks again for an unknown key; the next key is published days before it signs.
      c.header('cache-control', 'public, max-age=300')
      const { jwks } = await signer.publicKeys()
      return c.json(jwksSchema.parse(jwks), 200)
    })
}

function describeFirebase({ issuers = [], ...rest }: NonNullable<Settings['firebase']>) {
  return { ...rest, providers: [...rest.providers], ...(issuers.length > 0 && { issuers: [...issuers] }) }
}
