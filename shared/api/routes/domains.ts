/** Own domains. Crosses accounts: the requested host may be another account's. */
import { z } from 'zod'
import { describeDomains } from '../../control/domains/describing.ts'
import {
  addDomain,
  askAgain,
  type Domain,
  giveDomain,
  listDomains,
  readDomain,
  removeDomain,
} from '../../control/domains/domains.ts'
import type { Cursors } from '../cursors.ts'
import { etagOf, revisionOf } from '../etags.ts'
import { once } from '../idempotency.ts'
import {
  type ApiContext,
  type ApiDeps,
  emptyAnswer,
  jsonAnswer,
  jsonBody,
  RouteGroup,
  route,
} from '../kit.ts'
import { pageQuerySchema, pageSchema } from '../schemas/common.ts'
import { domainAddSchema, domainParamsSchema, domainSchema, domainUpdateSchema } from '../schemas/domains.ts'

const read = { permission: 'tunnels.read' } as const
const write = { permission: 'domains.write' } as const

const routes = {
  list: route({
    tags: ['Domains'],
    access: read,
    method: 'get',
    path: '/v1/domains',
    viewable: true,
    operationId: 'listDomains',
    summary: 'Own domains of the account, newest first',
    request: { query: pageQuerySchema },
    responses: { 200: jsonAnswer(pageSchema(domainSchema), 'A page of domains') },
  }),
  add: route({
    tags: ['Domains'],
    access: write,
    method: 'post',
    path: '/v1/domains',
    operationId: 'addDomain',
    summary: 'Say that a host is yours',
    description:
      'Again it changes nothing. The answer has the DNS records to make; their name servers are asked by themselves.',
    request: jsonBody(domainAddSchema),
    responses: { 201: jsonAnswer(domainSchema, 'The domain') },
  }),
  read: route({
    tags: ['Domains'],
    access: read,
    method: 'get',
    path: '/v1/domains/{domain}',
    viewable: true,
    operationId: 'readDomain',
    summary: 'One domain; its revision is the ETag',
    request: { params: domainParamsSchema },
    responses: { 200: jsonAnswer(domainSchema, 'The domain') },
  }),
  update: route({
    tags: ['Domains'],
    access: write,
    method: 'patch',
    path: '/v1/domains/{domain}',
    operationId: 'giveDomain',
    summary: 'Lead a domain to one of your tunnels',
    description: 'At once, once it is verified. Honours If-Match.',
    request: { params: domainParamsSchema, ...jsonBody(domainUpdateSchema) },
    responses: { 200: jsonAnswer(domainSchema, 'The domain') },
  }),
  check: route({
    tags: ['Domains'],
    access: write,
    rate: 'costly',
    method: 'post',
    path: '/v1/domains/{domain}/check',
    operationId: 'checkDomain',
    summary: 'Look at the records of a domain now',
    description:
      'It takes up to 15 seconds: read the domain until `checkedAt` has risen. At most every 5 seconds.',
    request: { params: domainParamsSchema },
    responses: { 202: jsonAnswer(domainSchema, 'The domain as it was before') },
  }),
  remove: route({
    tags: ['Domains'],
    access: write,
    method: 'delete',
    path: '/v1/domains/{domain}',
    operationId: 'removeDomain',
    summary: 'Have a domain no more',
    description:
      'It leads nowhere within seconds. If you add it again it needs a new record. Honours If-Match.',
    request: { params: domainParamsSchema },
    responses: emptyAnswer('Removed'),
  }),
}

const recordSchema = z.object({ host: z.string() })

export function domainRoutes({ control }: ApiDeps, cursors: Cursors): RouteGroup {
  const tell = async (c: ApiContext, found: Domain) => {
    const [told] = await describeDomains(control, [found])
    if (!told) throw new Error('a domain was not described')
    c.header('etag', etagOf(told))
    return told
  }
  return new RouteGroup()
    .add(routes.list, async (c, { caller }) => {
      const page = await cursors.page({ account: caller.account, list: 'domains' }, c.req.valid('query'), {
        read: (options) => listDomains(control, caller, options),
        describe: (found) => describeDomains(control, found),
      })
      return c.json(page, 200)
    })
    .add(routes.add, async (c, call) => {
      const wish = c.req.valid('json')
      const outcome = await once(c, call, (record) =>
        addDomain(control, call.caller, wish, (tx, { data }) => record(tx, { host: data.host })),
      )
      // The present state of the domain: the record only says which domain it was.
      const host = 'replayed' in outcome ? recordSchema.parse(outcome.replayed).host : outcome.value.data.host
      c.header('location', `/v1/domains/${host}`)
      return c.json(await tell(c, await readDomain(control, call.caller, host)), 201)
    })
    .add(routes.read, async (c, { caller }) =>
      c.json(await tell(c, await readDomain(control, caller, c.req.valid('param').domain)), 200),
    )
    .add(routes.update, async (c, { caller }) => {
      const { tunnel } = c.req.valid('json')
      const what = { host: c.req.valid('param').domain, tunnel: tunnel ?? '' }
      const ifRevision = revisionOf(c.req.header('if-match'))
      return c.json(await tell(c, await giveDomain(control, caller, { ...what, ifRevision })), 200)
    })
    .add(routes.check, async (c, { caller }) =>
      c.json(await tell(c, await askAgain(control, caller, c.req.valid('param').domain)), 202),
    )
    .add(routes.remove, async (c, { caller }) => {
      const ifRevision = revisionOf(c.req.header('if-match'))
      await removeDomain(control, caller, { host: c.req.valid('param').domain, ifRevision })
      return c.body(null, 204)
    })
}
