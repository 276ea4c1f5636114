/** Certificates for agents that end TLS themselves. Crosses accounts: the requested host may be another account's. */
import { codes, keyOfCode } from '../../base/errors.ts'
import {
  type AgentCertificate as Found,
  readAgentCertificate,
  requestCertificate,
} from '../../control/certificates/agents.ts'
import { type ApiDeps, jsonAnswer, jsonBody, RouteGroup, route } from '../kit.ts'
import {
  type AgentCertificate,
  agentCertificateSchema,
  certificateParamsSchema,
  certificateRequestSchema,
} from '../schemas/certificates.ts'

const tags = ['Certificates']
const serve = { permission: 'tunnels.serve' } as const

const routes = {
  request: route({
    tags,
    access: serve,
    rate: 'costly',
    method: 'post',
    path: '/v1/certificates',
    operationId: 'requestCertificate',
    summary: 'Order a certificate for a key that stays with the agent',
    description:
      'The order goes on by itself: read the certificate until its state is valid. The same request again changes nothing.',
    request: jsonBody(certificateRequestSchema),
    responses: { 202: jsonAnswer(agentCertificateSchema, 'The order') },
  }),
  read: route({
    tags,
    access: serve,
    method: 'get',
    path: '/v1/certificates/{certificate}',
    operationId: 'readCertificate',
    summary: 'One certificate, or how far its order is',
    request: { params: certificateParamsSchema },
    responses: { 200: jsonAnswer(agentCertificateSchema, 'The certificate') },
  }),
}

export function certificateRoutes({ control }: ApiDeps): RouteGroup {
  return new RouteGroup()
    .add(routes.request, async (c, { caller }) =>
      c.json(tell(await requestCertificate(control, caller, c.req.valid('json'))), 202),
    )
    .add(routes.read, async (c, { caller }) =>
      c.json(tell(await readAgentCertificate(control, caller, c.req.valid('param').certificate)), 200),
    )
}

function tell({ id, doc, nextAt }: Found): AgentCertificate {
  const { state, chain, notAfter, renewAt, error, reason, hosts } = doc
  const [host = ''] = hosts
  const key = state === 'failing' ? keyOfCode(error) : undefined
  const { code = '', title = '', cure = '' } = key ? codes[key] : {}
  return {
    ...{ id, host, state },
    ...(doc.version > 0 && { chain, notAfter, renewAt }),
    ...(state !== 'valid' && { nextAt: Math.max(0, Math.floor(nextAt)) }),
    ...(key && { problem: { code, title, detail: reason, cure } }),
  }
}
