/** API keys. */
import { createRoute, z } from '@hono/zod-openapi'
import { fail } from '../../base/errors.ts'
import { requireScope } from '../../control/caller.ts'
import { createKey, describeKey, listKeys, revokeKey } from '../../control/keys.ts'
import type { Cursors } from '../cursors.ts'
import { once } from '../idempotency.ts'
import {
  type ApiDeps,
  callerOf,
  emptyAnswer,
  jsonAnswer,
  jsonBody,
  newRoutes,
  type Routes,
  signedIn,
} from '../kit.ts'
import { keyCreatedSchema, keyCreateSchema, keySchema } from '../schemas/accounts.ts'
import { idSchema, pageQuerySchema, pageSchema } from '../schemas/common.ts'

const routes = {
  list: createRoute({
    ...signedIn('Keys'),
    method: 'get',
    path: '/v1/keys',
    operationId: 'listKeys',
    summary: 'The keys of the account, newest first',
    request: { query: pageQuerySchema },
    responses: { 200: jsonAnswer(pageSchema(keySchema), 'A page of keys') },
  }),
  create: createRoute({
    ...signedIn('Keys'),
    method: 'post',
    path: '/v1/keys',
    operationId: 'createKey',
    summary: 'Make a key; its secret is shown this once',
    request: jsonBody(keyCreateSchema),
    responses: { 201: jsonAnswer(keyCreatedSchema, 'The key with its secret') },
  }),
  revoke: createRoute({
    ...signedIn('Keys'),
    method: 'delete',
    path: '/v1/keys/{key}',
    operationId: 'revokeKey',
    summary: 'Revoke a key; a key may revoke itself',
    request: { params: z.object({ key: idSchema('key') }) },
    responses: emptyAnswer('It no longer works'),
  }),
}

const replayedSchema = z.object({ id: z.string() })

export function keyRoutes({ control }: ApiDeps, cursors: Cursors): Routes {
  return newRoutes()
    .openapi(routes.list, async (c) => {
      const caller = callerOf(c)
      requireScope(caller, 'admin')
      const { account } = caller
      const page = await cursors.page({ account, list: 'keys' }, c.req.valid('query'), {
        read: (options) => listKeys(control, account, options),
        describe: (found) => found.map(({ data }) => describeKey(data)),
      })
      return c.json(page, 200)
    })
    .openapi(routes.create, async (c) => {
      const input = c.req.valid('json')
      const outcome = await once(control, c, (record) => createKey(control, callerOf(c), input, record))
      if ('replayed' in outcome) {
        const { id } = replayedSchema.parse(outcome.replayed)
        throw fail('api.secret_once', `The key ${id} was made by this request before.`)
      }
      const { key, secret } = outcome.value
      return c.json({ ...key, secret }, 201)
    })
    .openapi(routes.revoke, async (c) => {
      await revokeKey(control, callerOf(c), c.req.valid('param').key)
      return c.body(null, 204)
    })
}
