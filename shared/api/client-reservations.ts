/** The client's calls for names and ports that the account keeps. Used by client.ts. */
import type { z } from 'zod'
import { type CallOptions, type ClientOptions, call, nothing, type PageOptions } from './client-call.ts'
import { pageSchema } from './schemas/common.ts'
import * as reservations from './schemas/reservations.ts'

/** `ifMatch`: its `revision` as read, in quotes, so that a change by somebody else is not overwritten. */
type GiveOptions = CallOptions & { readonly ifMatch?: string }
type Given = z.input<typeof reservations.keptUpdateSchema>
type Moved = z.input<typeof reservations.keptMoveSchema>

const { reservedNameSchema, reservedPortSchema } = reservations
const namePageSchema = pageSchema(reservedNameSchema)
const portPageSchema = pageSchema(reservedPortSchema)

/** A name's key is its host, a port's is `cell:port`. */
export function reservationCalls(options: ClientOptions) {
  const at = (list: 'names' | 'ports', id: string) => `/v1/${list}/${encodeURIComponent(id)}`
  const give = (path: string, json: Given, ifMatch: string | undefined) =>
    ({ method: 'PATCH', path, json, ...(ifMatch !== undefined && { ifMatch }) }) as const
  const remove = (path: string, o?: CallOptions) =>
    call(options, { method: 'DELETE', path, answer: nothing }, o)
  const move = (path: string, json: Moved, o?: CallOptions) =>
    call(options, { method: 'POST', path: `${path}/move`, answer: nothing, json }, o)
  return {
    names: ({ limit, cursor, ...o }: PageOptions = {}) =>
      call(
        options,
        { method: 'GET', path: '/v1/names', answer: namePageSchema, query: { limit, cursor } },
        o,
      ),
    reserveName: (json: z.input<typeof reservations.nameReserveSchema>, o?: CallOptions) =>
      call(options, { method: 'POST', path: '/v1/names', answer: reservedNameSchema, json }, o),
    giveName: (host: string, json: Given, { ifMatch, ...o }: GiveOptions = {}) =>
      call(options, { ...give(at('names', host), json, ifMatch), answer: reservedNameSchema }, o),
    moveName: (host: string, json: Moved, o?: CallOptions) => move(at('names', host), json, o),
    releaseName: (host: string, o?: CallOptions) => remove(at('names', host), o),
    ports: ({ limit, cursor, ...o }: PageOptions = {}) =>
      call(
        options,
        { method: 'GET', path: '/v1/ports', answer: portPageSchema, query: { limit, cursor } },
        o,
      ),
    reservePort: (json: z.input<typeof reservations.portReserveSchema>, o?: CallOptions) =>
      call(options, { method: 'POST', path: '/v1/ports', answer: reservedPortSchema, json }, o),
    givePort: (port: string, json: Given, { ifMatch, ...o }: GiveOptions = {}) =>
      call(options, { ...give(at('ports', port), json, ifMatch), answer: reservedPortSchema }, o),
    movePort: (port: string, json: Moved, o?: CallOptions) => move(at('ports', port), json, o),
    releasePort: (port: string, o?: CallOptions) => remove(at('ports', port), o),
  }
}
