/** Jobs for operators, in the console: what waits, what failed for good. Crosses accounts. */
import { requireOperator } from '../../control/operator/desk.ts'
import { describeJob, dropJob, pageJobs, retryJob } from '../../control/operator/jobs.ts'
import type { Cursors } from '../cursors.ts'
import { requireNoRevision } from '../etags.ts'
import { type ApiDeps, emptyAnswer, jsonAnswer, RouteGroup, route } from '../kit.ts'
import { pageSchema } from '../schemas/common.ts'
import * as schemas from '../schemas/operator-service.ts'

const tags = ['Operator']
const access = { signedIn: 'person' } as const
const job = { params: schemas.jobParamsSchema }

const routes = {
  list: route({
    method: 'get',
    path: '/v1/operator/jobs',
    operationId: 'listJobs',
    summary: 'Jobs that wait, or that failed for good',
    description: 'For operators, in person.',
    tags,
    access,
    rate: 'costly',
    request: { query: schemas.jobsQuerySchema },
    responses: { 200: jsonAnswer(pageSchema(schemas.jobSchema), 'Those due first') },
  }),
  retry: route({
    method: 'post',
    path: '/v1/operator/jobs/{job}/retry',
    operationId: 'retryJob',
    summary: 'Run a job again that failed for good',
    fresh: true,
    tags,
    access,
    request: job,
    responses: emptyAnswer('It runs at once, from its last step'),
  }),
  drop: route({
    method: 'delete',
    path: '/v1/operator/jobs/{job}',
    operationId: 'dropJob',
    summary: 'Forget a job that failed for good',
    fresh: true,
    tags,
    access,
    request: job,
    responses: emptyAnswer('Forgotten; what it had done stays'),
  }),
}

export function operatorJobRoutes({ control }: ApiDeps, cursors: Cursors): RouteGroup {
  return new RouteGroup()
    .add(routes.list, async (c, { signedIn }) => {
      await requireOperator(control, signedIn.person)
      const { state, ...query } = c.req.valid('query')
      const page = await cursors.page({ account: signedIn.person.id, list: `jobs ${state}` }, query, {
        read: (options) => pageJobs(control, state, options),
        describe: (found) => found.map(describeJob),
      })
      return c.json(page, 200)
    })
    .add(routes.retry, async (c, { signedIn }) => {
      const by = await requireOperator(control, signedIn.person)
      await retryJob(control, c.req.valid('param').job, by)
      return c.body(null, 204)
    })
    .add(routes.drop, async (c, { signedIn }) => {
      requireNoRevision(c.req.header('if-match'))
      const by = await requireOperator(control, signedIn.person)
      await dropJob(control, c.req.valid('param').job, by)
      return c.body(null, 204)
    })
}
