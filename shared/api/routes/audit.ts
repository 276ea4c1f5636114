/** The audit log of the account. Crosses accounts for the proof alone: a seal covers entries of many. */
import { describeEntry, listAudit, proveEntry } from '../../control/audit/reading.ts'
import { sealHash } from '../../control/audit/seals.ts'
import type { Cursors } from '../cursors.ts'
import { type ApiDeps, jsonAnswer, RouteGroup, route } from '../kit.ts'
import { auditEntrySchema, auditParamsSchema, auditProofSchema, auditQuerySchema } from '../schemas/audit.ts'
import { pageSchema } from '../schemas/common.ts'

const tags = ['Audit']

const routes = {
  list: route({
    method: 'get',
    path: '/v1/audit',
    operationId: 'listAudit',
    summary: 'Who did what, newest first',
    description:
      'Narrowed by a span of time and by one of action, actor and target. Entries stay 7, 90 or 400 days, by plan.',
    tags,
    access: { permission: 'audit.read' },
    request: { query: auditQuerySchema },
    responses: { 200: jsonAnswer(pageSchema(auditEntrySchema), 'A page of entries') },
  }),
  proof: route({
    method: 'get',
    path: '/v1/audit/{audit}/proof',
    operationId: 'proveAuditEntry',
    summary: 'The proof that an entry stands as it was written',
    description: 'Ready when the entry is sealed, within two minutes after it was written.',
    tags,
    access: { permission: 'audit.read' },
    request: { params: auditParamsSchema },
    responses: { 200: jsonAnswer(auditProofSchema, 'The entry, its path to the root, and the seal') },
  }),
}

export function auditRoutes({ control: whole }: ApiDeps, cursors: Cursors): RouteGroup {
  return new RouteGroup()
    .add(routes.list, async (c, { caller, control }) => {
      const { limit, cursor, ...filter } = c.req.valid('query')
      // A cursor continues the list that it came from, and no other.
      const list = `audit ${JSON.stringify(filter)}`
      const page = await cursors.page(
        { account: caller.account, list },
        { limit, cursor },
        {
          read: (options) => listAudit(control, filter, options),
          describe: (found) => found.map(describeEntry),
        },
      )
      return c.json(page, 200)
    })
    .add(routes.proof, async (c, { control }) => {
      const { path, ...proof } = await proveEntry(whole, control, c.req.valid('param').audit)
      return c.json({ ...proof, path: [...path], hash: sealHash(proof.seal) }, 200)
    })
}
