/** The calls of relays: enrolment, once, and sync, every 30 s. */
import { fail } from '../../base/errors.ts'
import { relayCertificates } from '../../control/certificates/serving.ts'
import { syncRelay } from '../../control/relays.ts'
import { type ApiDeps, jsonAnswer, jsonBody, RouteGroup, route } from '../kit.ts'
import {
  certificatesSchema,
  enrolledSchema,
  enrolSchema,
  relayCertificatesSchema,
  syncAnswerSchema,
  syncSchema,
} from '../schemas/relays.ts'

const tags = ['Relays']

/** 20,000 bound endpoints and 5,000 rows of usage. */
const syncBytesMax = 8 * 1024 * 1024

const routes = {
  enrol: route({
    access: { public: 'The one-time enrolment key in the body is the proof.' },
    method: 'post',
    path: '/v1/relays/enrol',
    operationId: 'enrolRelay',
    summary: 'Exchange a one-time enrolment key for a credential',
    tags,
    request: jsonBody(enrolSchema),
    responses: { 201: jsonAnswer(enrolledSchema, 'The relay and its credential, only this once') },
  }),
  sync: route({
    access: { relay: true },
    bodyBytesMax: syncBytesMax,
    method: 'post',
    path: '/v1/relays/sync',
    operationId: 'syncRelay',
    summary: 'Heartbeat, usage and events of a relay; commands, keys and time for it',
    tags,
    request: jsonBody(syncSchema),
    responses: { 200: jsonAnswer(syncAnswerSchema, 'What the relay has to know') },
  }),
  certificates: route({
    access: { relay: true },
    method: 'post',
    path: '/v1/relays/me/certificates',
    operationId: 'relayCertificates',
    summary: 'Certificates and keys of names that the cell of the relay serves',
    tags,
    request: jsonBody(certificatesSchema),
    responses: { 200: jsonAnswer(relayCertificatesSchema, 'Those that there are') },
  }),
}

export function relayRoutes({ control, enrolment }: ApiDeps): RouteGroup {
  return new RouteGroup()
    .add(routes.enrol, async (c) => {
      if (!enrolment) throw fail('api.not_found')
      const { key, name } = c.req.valid('json')
      return c.json(await enrolment.enrol(key, name), 201)
    })
    .add(routes.sync, async (c, { relay }) =>
      c.json(await syncRelay(control, relay, c.req.valid('json')), 200),
    )
    .add(routes.certificates, async (c, { relay }) => {
      const { hosts } = c.req.valid('json')
      return c.json({ certificates: [...(await relayCertificates(control, relay, hosts))] }, 200)
    })
}
