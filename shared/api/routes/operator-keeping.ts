/**
 * What is kept and what is shown to auditors, for operators in the console: terms, legal holds, the compliance report.
 * Crosses accounts: operators belong to none.
 */
import { complianceHtml } from '../../control/compliance/page.ts'
import { readReport } from '../../control/operator/compliance.ts'
import { requireOperator } from '../../control/operator/desk.ts'
import { placeHold, readRetention } from '../../control/operator/retention.ts'
import { listHolds, releaseHold } from '../../control/retention/holds.ts'
import { type ApiDeps, emptyAnswer, jsonAnswer, jsonBody, RouteGroup, route } from '../kit.ts'
import * as schemas from '../schemas/operator-keeping.ts'

const tags = ['Operator']
const access = { signedIn: 'person' } as const
/** A call may take a minute in the cloud, and each seal is two reads, one after the other. */
const sealsMax = 400
/** The page is sent to be saved, and runs nothing wherever it is opened. */
const pageHeaders = {
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  'content-disposition': 'attachment; filename="porttunneler-compliance.html"',
}

const routes = {
  retention: route({
    method: 'get',
    path: '/v1/operator/retention',
    operationId: 'readRetention',
    summary: 'What is kept how long and why, and what went in which month',
    description: 'For operators, in person.',
    tags,
    access,
    responses: { 200: jsonAnswer(schemas.retentionSchema, 'Every collection and kind of file') },
  }),
  holds: route({
    method: 'get',
    path: '/v1/operator/holds',
    operationId: 'listHolds',
    summary: 'Legal holds, and whether an erasure waits for one',
    description: 'For operators, in person.',
    tags,
    access,
    responses: { 200: jsonAnswer(schemas.holdsSchema, 'Every hold') },
  }),
  place: route({
    method: 'post',
    path: '/v1/operator/holds',
    operationId: 'placeHold',
    summary: 'Let nothing of an account or a person be erased or expire until a day',
    description: 'For operators, in person. Its people are not told.',
    fresh: true,
    tags,
    access,
    request: jsonBody(schemas.holdPlaceSchema),
    responses: emptyAnswer('It is on hold'),
  }),
  release: route({
    method: 'post',
    path: '/v1/operator/holds/{held}/release',
    operationId: 'releaseHold',
    summary: 'End a legal hold now; what waited for it goes on within an hour',
    description: 'For operators, in person.',
    fresh: true,
    tags,
    access,
    request: { params: schemas.holdParamsSchema, ...jsonBody(schemas.holdReleaseSchema) },
    responses: emptyAnswer('It is ending'),
  }),
  report: route({
    method: 'get',
    path: '/v1/operator/compliance',
    operationId: 'readComplianceReport',
    summary: 'What auditors ask for: rights, audit, what is kept, holds, and who else gets data',
    description: 'For operators, in person. The audit log says who had it.',
    fresh: true,
    tags,
    access,
    rate: 'costly',
    request: { query: schemas.complianceQuerySchema },
    responses: { 200: jsonAnswer(schemas.complianceReportSchema, 'The report') },
  }),
  page: route({
    method: 'get',
    path: '/v1/operator/compliance/page',
    operationId: 'readCompliancePage',
    summary: 'The same report as a page to print, without script',
    description: 'For operators, in person. The audit log says who had it.',
    fresh: true,
    tags,
    access,
    rate: 'costly',
    request: { query: schemas.complianceQuerySchema },
    responses: { 200: { description: 'A page of HTML' } },
  }),
}

export function operatorKeepingRoutes({ control }: ApiDeps): RouteGroup {
  return new RouteGroup()
    .add(routes.retention, async (c, { signedIn }) => {
      await requireOperator(control, signedIn.person)
      return c.json(await readRetention(control), 200)
    })
    .add(routes.holds, async (c, { signedIn }) => {
      await requireOperator(control, signedIn.person)
      return c.json({ items: await listHolds(control) }, 200)
    })
    .add(routes.place, async (c, { signedIn }) => {
      const by = await requireOperator(control, signedIn.person)
      await placeHold(control, by, c.req.valid('json'))
      return c.body(null, 204)
    })
    .add(routes.release, async (c, { signedIn }) => {
      const by = await requireOperator(control, signedIn.person)
      const { reason } = c.req.valid('json')
      await releaseHold(control, { ...by, reason }, c.req.valid('param').held)
      return c.body(null, 204)
    })
    .add(routes.report, async (c, { signedIn }) => {
      const by = await requireOperator(control, signedIn.person)
      return c.json(await readReport(control, by, c.req.valid('query'), sealsMax), 200)
    })
    .add(routes.page, async (c, { signedIn }) => {
      const by = await requireOperator(control, signedIn.person)
      const report = await readReport(control, by, c.req.valid('query'), sealsMax)
      return c.html(complianceHtml(report), 200, pageHeaders)
    })
}
