/** The client's calls for a person's and an account's own data. Used by client.ts. */
import { z } from 'zod'
import { type CallOptions, type ClientOptions, call, nothing } from './client-call.ts'
import * as mails from './schemas/mails.ts'
import * as terms from './schemas/terms.ts'

export function ownDataCalls(options: ClientOptions) {
  /** One object whose last field is `complete`; the client's deadline is for all of it. */
  const exported = (path: string, o?: CallOptions) =>
    call(options, { method: 'POST', path, answer: z.looseObject({ complete: z.literal(true) }) }, o)
  const done = (method: 'POST' | 'DELETE', path: string, o?: CallOptions) =>
    call(options, { method, path, answer: nothing }, o)
  const wishesAt = '/v1/person/mails'
  return {
    terms: (o?: CallOptions) =>
      call(options, { method: 'GET', path: '/v1/person/terms', answer: terms.ownTermsSchema }, o),
    acceptTerms: (json: z.input<typeof terms.termsAcceptSchema>, o?: CallOptions) =>
      call(options, { method: 'POST', path: '/v1/person/terms', json, answer: terms.ownTermsSchema }, o),
    mailWishes: (o?: CallOptions) =>
      call(options, { method: 'GET', path: wishesAt, answer: mails.mailWishesSchema }, o),
    wishMails: (purpose: string, json: z.input<typeof mails.mailWishSchema>, o?: CallOptions) =>
      call(
        options,
        { method: 'PATCH', path: `${wishesAt}/${purpose}`, json, answer: mails.mailWishesSchema },
        o,
      ),
    /** Both can be undone for 14 days. */
    deletePerson: (o?: CallOptions) => done('DELETE', '/v1/person', o),
    closeAccount: (o?: CallOptions) => done('DELETE', '/v1/account', o),
    keepPerson: (o?: CallOptions) => done('POST', '/v1/person/keep', o),
    keepAccount: (o?: CallOptions) => done('POST', '/v1/account/keep', o),
    exportPerson: (o?: CallOptions) => exported('/v1/person/export', o),
    exportAccount: (o?: CallOptions) => exported('/v1/account/export', o),
  }
}
