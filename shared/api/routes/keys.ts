/** API keys. Making one needs a person; members who manage keys see and revoke all, others only their own. */
import { z } from '@hono/zod-openapi'
import { fail } from '../../base/errors.ts'
import { requirePerson } from '../../control/caller.ts'
import { createKey, describeKey, listKeys, revokeKey } from '../../control/keys.ts'
import { requireFresh } from '../../control/sign-ins/fresh.ts'
import type { Cursors } from '../cursors.ts'
import { requireNoRevision } from '../etags.ts'
import { once } from '../idempotency.ts'
import { emptyAnswer, jsonAnswer, jsonBody, RouteGroup, route } from '../kit.ts'
import { keyCreatedSchema, keyCreateSchema, keySchema } from '../schemas/accounts.ts'
import { idSchema, pageQuerySchema, pageSchema } from '../schemas/common.ts'

const tags = ['Keys']

const routes = {
  list: route({
    method: 'get',
    path: '/v1/keys',
    operationId: 'listKeys',
    summary: "Keys, newest first: all of the account for members who manage keys, otherwise the caller's own",
    tags,
    access: { permission: 'keys.own' },
    request: { query: pageQuerySchema },
    responses: { 200: jsonAnswer(pageSchema(keySchema), 'A page of keys') },
  }),
  create: route({
    method: 'post',
    path: '/v1/keys',
    operationId: 'createKey',
    summary: 'Make a key; its secret is shown only this once',
    description:
      "A key has those rights of its scopes that its owner has at the moment of each call, and ends with the owner's membership.",
    tags,
    access: { permission: 'keys.own', by: 'person' },
    fresh: 'for a key with the scope admin',
    request: jsonBody(keyCreateSchema),
    responses: { 201: jsonAnswer(keyCreatedSchema, 'The key with its secret') },
  }),
  revoke: route({
    method: 'delete',
    path: '/v1/keys/{key}',
    operationId: 'revokeKey',
    summary: 'Revoke a key; everybody may revoke their own, and a key may revoke itself',
    tags,
    access: { permission: 'account.read' },
    request: { params: z.object({ key: idSchema('key') }) },
    responses: emptyAnswer('It no longer works'),
  }),
}

const replayedSchema = z.object({ id: z.string() })

export function keyRoutes(cursors: Cursors): RouteGroup {
  return new RouteGroup()
    .add(routes.list, async (c, { caller, control }) => {
      const { account } = caller
      const page = await cursors.page({ account, list: 'keys' }, c.req.valid('query'), {
        read: (options) => listKeys(control, caller, options),
        describe: (found) => found.map(({ data }) => describeKey(data)),
      })
      return c.json(page, 200)
    })
    .add(routes.create, async (c, call) => {
      const { caller, control } = call
      const input = c.req.valid('json')
      if (input.scopes.includes('admin')) await requireFresh(control, requirePerson(caller))
      const outcome = await once(c, call, (record) =>
        createKey(control, caller, input, (tx, { id }) => record(tx, { id })),
      )
      if ('replayed' in outcome) {
        const { id } = replayedSchema.parse(outcome.replayed)
        throw fail('api.secret_once', `This request made the key ${id} before.`)
      }
      const { key, secret } = outcome.value
      return c.json({ ...key, secret }, 201)
    })
    .add(routes.revoke, async (c, { caller, control }) => {
      requireNoRevision(c.req.header('if-match'))
      await revokeKey(control, caller, c.req.valid('param').key)
      return c.body(null, 204)
    })
}
