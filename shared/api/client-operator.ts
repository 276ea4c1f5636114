/** The client's calls for operators: people, accounts, notes, and views of accounts. Used by client.ts. */
import type { z } from 'zod'
import { type CallOptions, type ClientOptions, call, nothing } from './client-call.ts'
import { operatorAbuseCalls } from './client-operator-abuse.ts'
import { pageSchema } from './schemas/common.ts'
import * as operator from './schemas/operator.ts'

type Search = { readonly limit?: number; readonly cursor?: string | undefined }
const peopleSchema = pageSchema(operator.operatorPersonSchema)
const accountsSchema = pageSchema(operator.accountRowSchema)
const viewPath = '/v1/operator/view'

export function operatorCalls(options: ClientOptions) {
  const accountAt = (id: string) => `/v1/operator/accounts/${encodeURIComponent(id)}`
  const personAt = (id: string) => `/v1/operator/people/${encodeURIComponent(id)}`
  const read = <T>(path: string, answer: z.ZodType<T>, o?: CallOptions) =>
    call(options, { method: 'GET', path, answer }, o)
  const post = (path: string, json: unknown, o?: CallOptions) =>
    call(options, { method: 'POST', path, answer: nothing, json }, o)
  return {
    ...operatorAbuseCalls(options),
    /** By the beginning of an address, or an id. */
    searchPeople: (who: string, query: Search = {}, o?: CallOptions) =>
      call(
        options,
        { method: 'GET', path: '/v1/operator/people', query: { who, ...query }, answer: peopleSchema },
        o,
      ),
    /** By the beginning of a name, or an id. */
    searchAccounts: (who: string, query: Search = {}, o?: CallOptions) =>
      call(
        options,
        { method: 'GET', path: '/v1/operator/accounts', query: { who, ...query }, answer: accountsSchema },
        o,
      ),
    personForOperator: (id: string, o?: CallOptions) =>
      read(personAt(id), operator.operatorPersonPageSchema, o),
    accountForOperator: (id: string, o?: CallOptions) =>
      read(accountAt(id), operator.operatorAccountSchema, o),
    suspendAccount: (id: string, json: z.input<typeof operator.operatorReasonSchema>, o?: CallOptions) =>
      post(`${accountAt(id)}/suspend`, json, o),
    resumeAccount: (id: string, o?: CallOptions) => post(`${accountAt(id)}/resume`, undefined, o),
    disablePerson: (id: string, json: z.input<typeof operator.operatorReasonSchema>, o?: CallOptions) =>
      post(`${personAt(id)}/disable`, json, o),
    enablePerson: (id: string, o?: CallOptions) => post(`${personAt(id)}/enable`, undefined, o),
    billingDrift: (o?: CallOptions) => read('/v1/operator/billing/drift', operator.driftSchema, o),
    notes: (about: string, o?: CallOptions) =>
      call(
        options,
        { method: 'GET', path: '/v1/operator/notes', query: { about }, answer: operator.notesSchema },
        o,
      ),
    addNote: (json: z.input<typeof operator.noteAddSchema>, o?: CallOptions) =>
      post('/v1/operator/notes', json, o),
    removeNote: (id: string, o?: CallOptions) =>
      call(
        options,
        { method: 'DELETE', path: `/v1/operator/notes/${encodeURIComponent(id)}`, answer: nothing },
        o,
      ),
    beginView: (json: z.input<typeof operator.viewBeginSchema>, o?: CallOptions) =>
      call(options, { method: 'POST', path: viewPath, answer: operator.viewSchema, json }, o),
    viewNow: (o?: CallOptions) => read(viewPath, operator.viewNowSchema, o),
    endView: (o?: CallOptions) => call(options, { method: 'DELETE', path: viewPath, answer: nothing }, o),
  }
}
