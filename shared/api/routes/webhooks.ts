/** Webhooks that get an account's alerts. */
import * as hooks from '../../control/alerts/webhooks.ts'
import type { Cursors } from '../cursors.ts'
import { requireNoRevision } from '../etags.ts'
import { emptyAnswer, jsonAnswer, jsonBody, RouteGroup, route } from '../kit.ts'
import { pageQuerySchema, pageSchema } from '../schemas/common.ts'
import * as schemas from '../schemas/webhooks.ts'

const tags = ['Alerts']
const access = { permission: 'account.update' } as const
const at = '/v1/webhooks/{webhook}'
const params = schemas.webhookParamsSchema
const onceText = 'The answer has the secret, which is never shown again.'

const routes = {
  list: route({
    tags,
    access,
    method: 'get',
    path: '/v1/webhooks',
    operationId: 'listWebhooks',
    summary: 'Addresses that get the alerts of the account',
    responses: { 200: jsonAnswer(schemas.webhooksSchema, 'All of them') },
  }),
  add: route({
    tags,
    access,
    rate: 'costly',
    method: 'post',
    path: '/v1/webhooks',
    operationId: 'addWebhook',
    summary: 'Have alerts sent to an address of the public internet, 5 at most',
    description: `${onceText} Each event is signed as standardwebhooks.com says, and is tried again for a day.`,
    request: jsonBody(schemas.webhookWishSchema),
    responses: { 201: jsonAnswer(schemas.webhookSecretSchema, 'The webhook with its secret') },
  }),
  change: route({
    tags,
    access,
    method: 'patch',
    path: at,
    operationId: 'changeWebhook',
    summary: 'Change a webhook, or turn it off or on',
    request: { params, ...jsonBody(schemas.webhookChangeSchema) },
    responses: { 200: jsonAnswer(schemas.webhookSchema, 'The webhook') },
  }),
  rotate: route({
    tags,
    access,
    method: 'post',
    path: `${at}/secret`,
    operationId: 'rotateWebhookSecret',
    summary: 'Make a new secret; the one before signs as well for a day',
    description: onceText,
    request: { params },
    responses: { 200: jsonAnswer(schemas.webhookSecretSchema, 'The webhook with its secret') },
  }),
  remove: route({
    tags,
    access,
    method: 'delete',
    path: at,
    operationId: 'removeWebhook',
    summary: 'Send nothing there any more',
    request: { params },
    responses: emptyAnswer('Removed'),
  }),
  tryOut: route({
    tags,
    access,
    rate: 'costly',
    method: 'post',
    path: `${at}/test`,
    operationId: 'testWebhook',
    summary: 'Send a test',
    request: { params },
    responses: emptyAnswer('On its way; the list of deliveries says how it went'),
  }),
  deliveries: route({
    tags,
    access,
    method: 'get',
    path: `${at}/deliveries`,
    operationId: 'listDeliveries',
    summary: 'What was sent to a webhook in the last 30 days, newest first',
    request: { params, query: pageQuerySchema.extend(schemas.deliveryQuerySchema.shape) },
    responses: { 200: jsonAnswer(pageSchema(schemas.deliverySchema), 'A page of deliveries') },
  }),
  replay: route({
    tags,
    access,
    rate: 'costly',
    method: 'post',
    path: `${at}/deliveries/{delivery}/replay`,
    operationId: 'replayDelivery',
    summary: 'Send again what was given up',
    request: { params: schemas.deliveryParamsSchema },
    responses: { 200: jsonAnswer(schemas.deliverySchema, 'The delivery') },
  }),
}

export function webhookRoutes(cursors: Cursors): RouteGroup {
  const withSecret = ({ webhook, secret }: hooks.WithSecret) => ({
    ...hooks.describeWebhook(webhook),
    secret: secret.reveal(),
  })
  return new RouteGroup()
    .add(routes.list, async (c, { caller, control }) => {
      const items = (await hooks.listWebhooks(control, caller)).map(hooks.describeWebhook)
      return c.json({ items }, 200)
    })
    .add(routes.add, async (c, { caller, control }) =>
      c.json(withSecret(await hooks.addWebhook(control, caller, c.req.valid('json'))), 201),
    )
    .add(routes.change, async (c, { caller, control }) => {
      requireNoRevision(c.req.header('if-match'))
      const wish = { id: c.req.valid('param').webhook, change: c.req.valid('json') }
      return c.json(hooks.describeWebhook(await hooks.changeWebhook(control, caller, wish)), 200)
    })
    .add(routes.rotate, async (c, { caller, control }) =>
      c.json(withSecret(await hooks.rotateWebhook(control, caller, c.req.valid('param').webhook)), 200),
    )
    .add(routes.remove, async (c, { caller, control }) => {
      requireNoRevision(c.req.header('if-match'))
      await hooks.removeWebhook(control, caller, c.req.valid('param').webhook)
      return c.body(null, 204)
    })
    .add(routes.tryOut, async (c, { caller, control }) => {
      await hooks.tryWebhook(control, caller, c.req.valid('param').webhook)
      return c.body(null, 204)
    })
    .add(routes.deliveries, async (c, { caller, control }) => {
      const { webhook: id } = c.req.valid('param')
      const { state, ...query } = c.req.valid('query')
      const scope = { account: caller.account, list: `deliveries ${id} ${state ?? ''}` }
      const page = await cursors.page(scope, query, {
        read: (options) => hooks.listDeliveries(control, caller, { id, state, ...options }),
        describe: (found) => found.map(hooks.describeDelivery),
      })
      return c.json(page, 200)
    })
    .add(routes.replay, async (c, { control }) =>
      c.json(hooks.describeDelivery(await hooks.replayDelivery(control, c.req.valid('param'))), 200),
    )
}
