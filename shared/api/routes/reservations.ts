/**
 * Host names and ports that an account keeps, in routes of one shape. Crosses accounts: another account may have what
 * is asked for, and what is kept may pass to another account of the same person.
 */
import { z } from '@hono/zod-openapi'
import type { Caller } from '../../control/caller.ts'
import { moveToAccount, moveToTunnel } from '../../control/reservation-moves.ts'
import {
  listReservations,
  type Reservation,
  type ReservedKind,
  readReservation,
  releaseReservation,
} from '../../control/reservations.ts'
import { describeNames, describePorts, reserveName, reservePort } from '../../control/reserving.ts'
import type { Cursors } from '../cursors.ts'
import { etagOf, revisionOf } from '../etags.ts'
import { once, type Record } from '../idempotency.ts'
import {
  type AccountCall,
  type ApiContext,
  type ApiDeps,
  emptyAnswer,
  jsonAnswer,
  jsonBody,
  RouteGroup,
  route,
} from '../kit.ts'
import { pageQuerySchema, pageSchema } from '../schemas/common.ts'
import {
  keptMoveSchema,
  keptUpdateSchema,
  nameParamsSchema,
  nameReserveSchema,
  portParamsSchema,
  portReserveSchema,
  reservedNameSchema,
  reservedPortSchema,
} from '../schemas/reservations.ts'

const read = { permission: 'tunnels.read' } as const
const write = { permission: 'domains.write' } as const
const moveText = 'You need the right in both accounts, and the other one’s plan must have room for it.'
const releaseText =
  'It rests as long as you had it, at least an hour and at most 30 days, before others can get it. A tunnel that uses it ' +
  'goes on. Honours If-Match.'
const moveAtOnceText = 'An agent that serves it loses it at once. Honours If-Match.'

const nameRoutes = {
  list: route({
    tags: ['Names'],
    access: read,
    method: 'get',
    path: '/v1/names',
    viewable: true,
    operationId: 'listNames',
    summary: 'Host names that the account keeps, newest first',
    request: { query: pageQuerySchema },
    responses: { 200: jsonAnswer(pageSchema(reservedNameSchema), 'A page of names') },
  }),
  reserve: route({
    tags: ['Names'],
    access: write,
    method: 'post',
    path: '/v1/names',
    operationId: 'reserveName',
    summary: 'Keep a host name under a domain of this service',
    description: 'Repeating it changes nothing. Only a tunnel of that name gets it.',
    request: jsonBody(nameReserveSchema),
    responses: { 201: jsonAnswer(reservedNameSchema, 'The name') },
  }),
  read: route({
    tags: ['Names'],
    access: read,
    method: 'get',
    path: '/v1/names/{host}',
    viewable: true,
    operationId: 'readName',
    summary: 'One name; its revision is the ETag',
    request: { params: nameParamsSchema },
    responses: { 200: jsonAnswer(reservedNameSchema, 'The name') },
  }),
  update: route({
    tags: ['Names'],
    access: write,
    method: 'patch',
    path: '/v1/names/{host}',
    operationId: 'giveName',
    summary: 'Give a name to one of your tunnels',
    description: moveAtOnceText,
    request: { params: nameParamsSchema, ...jsonBody(keptUpdateSchema) },
    responses: { 200: jsonAnswer(reservedNameSchema, 'The name') },
  }),
  move: route({
    tags: ['Names'],
    access: write,
    method: 'post',
    path: '/v1/names/{host}/move',
    operationId: 'moveName',
    summary: 'Move a name to another account of yours',
    description: moveText,
    request: { params: nameParamsSchema, ...jsonBody(keptMoveSchema) },
    responses: emptyAnswer('Moved'),
  }),
  release: route({
    tags: ['Names'],
    access: write,
    method: 'delete',
    path: '/v1/names/{host}',
    operationId: 'releaseName',
    summary: 'Release a name',
    description: releaseText,
    request: { params: nameParamsSchema },
    responses: emptyAnswer('Released'),
  }),
}

const portRoutes = {
  list: route({
    tags: ['Ports'],
    access: read,
    method: 'get',
    path: '/v1/ports',
    viewable: true,
    operationId: 'listPorts',
    summary: 'Public ports that the account keeps, newest first',
    request: { query: pageQuerySchema },
    responses: { 200: jsonAnswer(pageSchema(reservedPortSchema), 'A page of ports') },
  }),
  reserve: route({
    tags: ['Ports'],
    access: write,
    method: 'post',
    path: '/v1/ports',
    operationId: 'reservePort',
    summary: 'Keep a public port of a cell',
    description: 'Repeating it changes nothing. Only a tcp tunnel that asks for this port gets it.',
    request: jsonBody(portReserveSchema),
    responses: { 201: jsonAnswer(reservedPortSchema, 'The port') },
  }),
  read: route({
    tags: ['Ports'],
    access: read,
    method: 'get',
    path: '/v1/ports/{port}',
    viewable: true,
    operationId: 'readPort',
    summary: 'One port; its revision is the ETag',
    request: { params: portParamsSchema },
    responses: { 200: jsonAnswer(reservedPortSchema, 'The port') },
  }),
  update: route({
    tags: ['Ports'],
    access: write,
    method: 'patch',
    path: '/v1/ports/{port}',
    operationId: 'givePort',
    summary: 'Give a port to one of your tunnels',
    description: moveAtOnceText,
    request: { params: portParamsSchema, ...jsonBody(keptUpdateSchema) },
    responses: { 200: jsonAnswer(reservedPortSchema, 'The port') },
  }),
  move: route({
    tags: ['Ports'],
    access: write,
    method: 'post',
    path: '/v1/ports/{port}/move',
    operationId: 'movePort',
    summary: 'Move a port to another account of yours',
    description: moveText,
    request: { params: portParamsSchema, ...jsonBody(keptMoveSchema) },
    responses: emptyAnswer('Moved'),
  }),
  release: route({
    tags: ['Ports'],
    access: write,
    method: 'delete',
    path: '/v1/ports/{port}',
    operationId: 'releasePort',
    summary: 'Release a port',
    description: releaseText,
    request: { params: portParamsSchema },
    responses: emptyAnswer('Released'),
  }),
}

export function nameRoutesOf(deps: ApiDeps, cursors: Cursors): RouteGroup {
  const { control } = deps
  const kind = keeping(deps, cursors, {
    kind: 'host',
    list: 'names',
    schema: reservedNameSchema,
    describe: describeNames,
  })
  const idOf = (host: string) => `host:${host}`
  return new RouteGroup()
    .add(nameRoutes.list, async (c, { caller }) => c.json(await kind.page(caller, c.req.valid('query')), 200))
    .add(nameRoutes.reserve, async (c, call) => {
      const wish = c.req.valid('json')
      const made = await kind.make(c, call, (record) => reserveName(control, call.caller, wish, record))
      c.header('location', `/v1/names/${made.host}`)
      return c.json(made, 201)
    })
    .add(nameRoutes.read, async (c, { caller }) =>
      c.json(await kind.read(c, caller, idOf(c.req.valid('param').host)), 200),
    )
    .add(nameRoutes.update, async (c, { caller }) => {
      const { tunnel } = c.req.valid('json')
      return c.json(await kind.give(c, caller, { id: idOf(c.req.valid('param').host), tunnel }), 200)
    })
    .add(nameRoutes.move, async (c, call) => {
      const { account } = c.req.valid('json')
      await kind.move(c, call, { ...whatOf(c, idOf(c.req.valid('param').host)), account })
      return c.body(null, 204)
    })
    .add(nameRoutes.release, async (c, { caller }) => {
      await releaseReservation(control, caller, whatOf(c, idOf(c.req.valid('param').host)))
      return c.body(null, 204)
    })
}

export function portRoutesOf(deps: ApiDeps, cursors: Cursors): RouteGroup {
  const { control } = deps
  const kind = keeping(deps, cursors, {
    kind: 'tcp',
    list: 'ports',
    schema: reservedPortSchema,
    describe: describePorts,
  })
  const idOf = (port: string) => `tcp:${port}`
  return new RouteGroup()
    .add(portRoutes.list, async (c, { caller }) => c.json(await kind.page(caller, c.req.valid('query')), 200))
    .add(portRoutes.reserve, async (c, call) => {
      const wish = c.req.valid('json')
      const made = await kind.make(c, call, (record) => reservePort(control, call.caller, wish, record))
      c.header('location', `/v1/ports/${made.id}`)
      return c.json(made, 201)
    })
    .add(portRoutes.read, async (c, { caller }) =>
      c.json(await kind.read(c, caller, idOf(c.req.valid('param').port)), 200),
    )
    .add(portRoutes.update, async (c, { caller }) => {
      const { tunnel } = c.req.valid('json')
      return c.json(await kind.give(c, caller, { id: idOf(c.req.valid('param').port), tunnel }), 200)
    })
    .add(portRoutes.move, async (c, call) => {
      const { account } = c.req.valid('json')
      await kind.move(c, call, { ...whatOf(c, idOf(c.req.valid('param').port)), account })
      return c.body(null, 204)
    })
    .add(portRoutes.release, async (c, { caller }) => {
      await releaseReservation(control, caller, whatOf(c, idOf(c.req.valid('param').port)))
      return c.body(null, 204)
    })
}

function whatOf(c: ApiContext, id: string) {
  return { id, ifRevision: revisionOf(c.req.header('if-match')) }
}

const recordSchema = z.object({ id: z.string() })

type Kind<T> = {
  readonly kind: ReservedKind
  /** Its name in cursors. */
  readonly list: string
  readonly schema: z.ZodType<T>
  readonly describe: (control: ApiDeps['control'], found: readonly Reservation[]) => Promise<T[]>
}

/** What the routes of both kinds have in common. */
function keeping<T extends { readonly revision: number }>(
  { control }: ApiDeps,
  cursors: Cursors,
  { kind, list, schema, describe }: Kind<T>,
) {
  const tell = async (c: ApiContext, found: Reservation): Promise<T> => {
    const [told] = await describe(control, [found])
    if (!told) throw new Error('a reservation was not described')
    c.header('etag', etagOf(told))
    return told
  }
  return {
    page: (caller: Caller, asked: z.infer<typeof pageQuerySchema>) =>
      cursors.page({ account: caller.account, list }, asked, {
        read: (options) => listReservations(control, caller, kind, options),
        describe: (found) => describe(control, found),
      }),
    read: async (c: ApiContext, caller: Caller, id: string) =>
      tell(c, await readReservation(control, caller, id)),
    async make(
      c: ApiContext,
      call: AccountCall,
      run: (record: (tx: Parameters<Record>[0], made: Reservation) => void) => Promise<Reservation>,
    ): Promise<T> {
      const outcome = await once(c, call, (record) => run((tx, { ref: { id } }) => record(tx, { id })))
      // Shows the present state; the record only says which one it was.
      const id = 'replayed' in outcome ? recordSchema.parse(outcome.replayed).id : outcome.value.ref.id
      return schema.parse(await tell(c, await readReservation(control, call.caller, id)))
    },
    /** A repeated request must not be told that it does not exist any more. */
    move: (c: ApiContext, call: AccountCall, what: Parameters<typeof moveToAccount>[2]) =>
      once(c, call, (record) => moveToAccount(control, call.caller, what, (tx) => record(tx, {}))),
    async give(
      c: ApiContext,
      caller: Caller,
      { id, tunnel }: { readonly id: string; readonly tunnel: string | null },
    ): Promise<T> {
      const what = { ...whatOf(c, id), tunnel: tunnel ?? undefined }
      return tell(c, await moveToTunnel(control, caller, what))
    },
  }
}
