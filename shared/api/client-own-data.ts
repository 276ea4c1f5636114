/** The client's calls for a person's and an account's own data. Used by client.ts. */
import { z } from 'zod'
import { type CallOptions, type ClientOptions, call, nothing } from './client-call.ts'

export function ownDataCalls(options: ClientOptions) {
  /** One object whose last field is `complete`; the client's deadline is for all of it. */
  const exported = (path: string, o?: CallOptions) =>
    call(options, { method: 'POST', path, answer: z.looseObject({ complete: z.literal(true) }) }, o)
  const done = (method: 'POST' | 'DELETE', path: string, o?: CallOptions) =>
    call(options, { method, path, answer: nothing }, o)
  return {
    /** Both can be undone for 14 days. */
    deletePerson: (o?: CallOptions) => done('DELETE', '/v1/person', o),
    closeAccount: (o?: CallOptions) => done('DELETE', '/v1/account', o),
    keepPerson: (o?: CallOptions) => done('POST', '/v1/person/keep', o),
    keepAccount: (o?: CallOptions) => done('POST', '/v1/account/keep', o),
    exportPerson: (o?: CallOptions) => exported('/v1/person/export', o),
    exportAccount: (o?: CallOptions) => exported('/v1/account/export', o),
  }
}
