/** The audit log of the account. Only the proof crosses accounts: a seal covers entries of many. */
import { readExport, readExportPart, startExport } from '../../control/audit/export.ts'
import { describeEntry, listAudit, proveEntry } from '../../control/audit/reading.ts'
import { sealHash } from '../../control/audit/seals.ts'
import type { AuditExportDoc } from '../../control/audit-documents.ts'
import type { Cursors } from '../cursors.ts'
import { type ApiDeps, jsonAnswer, jsonBody, RouteGroup, route } from '../kit.ts'
import {
  auditEntrySchema,
  auditParamsSchema,
  auditProofSchema,
  auditQuerySchema,
  exportPartParamsSchema,
  exportRequestSchema,
  exportSchema,
} from '../schemas/audit.ts'
import { pageSchema } from '../schemas/common.ts'

const tags = ['Audit']

const routes = {
  list: route({
    method: 'get',
    path: '/v1/audit',
    viewable: true,
    operationId: 'listAudit',
    summary: 'Who did what, newest first',
    description:
      'Filtered by a span of time and by one of action, actor and target. Entries are kept 7, 90 or 400 days, by plan.',
    tags,
    access: { permission: 'audit.read' },
    request: { query: auditQuerySchema },
    responses: { 200: jsonAnswer(pageSchema(auditEntrySchema), 'A page of entries') },
  }),
  proof: route({
    method: 'get',
    path: '/v1/audit/{audit}/proof',
    operationId: 'proveAuditEntry',
    summary: 'The proof that an entry is as it was written',
    description: 'Ready when the entry is sealed, within two minutes after it was written.',
    tags,
    access: { permission: 'audit.read' },
    request: { params: auditParamsSchema },
    responses: { 200: jsonAnswer(auditProofSchema, 'The entry, its path to the root, and the seal') },
  }),
  startExport: route({
    method: 'post',
    path: '/v1/audit/export',
    operationId: 'exportAudit',
    summary: 'Ask for a file of entries with their proofs',
    description:
      'A job writes it, usually within three minutes. An account has one export; the next replaces it.',
    tags,
    access: { permission: 'audit.read' },
    rate: 'costly',
    request: jsonBody(exportRequestSchema),
    responses: { 202: jsonAnswer(exportSchema, 'It is being written') },
  }),
  export: route({
    method: 'get',
    path: '/v1/audit/export',
    operationId: 'getAuditExport',
    summary: 'Whether the export is ready, and its size',
    tags,
    access: { permission: 'audit.read' },
    responses: { 200: jsonAnswer(exportSchema, 'The export that was asked for last') },
  }),
  exportPart: route({
    method: 'get',
    path: '/v1/audit/export/{part}',
    operationId: 'getAuditExportPart',
    summary: 'A part of the export',
    description:
      'Parts are counted from 1. Joined, they are a file with one entry on each line, which ptunctl audit check reads.',
    tags,
    access: { permission: 'audit.read' },
    request: { params: exportPartParamsSchema },
    responses: {
      200: {
        description: 'NDJSON: one entry on each line, newest first; the last part ends with their number',
      },
    },
  }),
}

export function auditRoutes({ control: whole }: ApiDeps, cursors: Cursors): RouteGroup {
  return new RouteGroup()
    .add(routes.list, async (c, { caller, control }) => {
      const { limit, cursor, ...filter } = c.req.valid('query')
      // A cursor only continues the list that it came from.
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
    .add(routes.startExport, async (c, { caller, control }) => {
      const { from, to = Number.MAX_SAFE_INTEGER } = c.req.valid('json')
      return c.json(describeExport(await startExport(control, caller, { from, to })), 202)
    })
    .add(routes.export, async (c, { control }) => c.json(describeExport(await readExport(control)), 200))
    .add(routes.exportPart, async (c, { control }) => {
      const text = await readExportPart(control, c.req.valid('param').part)
      return c.body(text, 200, { 'content-type': 'application/x-ndjson' })
    })
}

function describeExport({ from, to, createdAt, readyAt, parts, entries, ttl }: AuditExportDoc) {
  const state = readyAt === 0 ? ('writing' as const) : ('ready' as const)
  return { state, from, to, createdAt, expiresAt: ttl.getTime(), parts, entries }
}
