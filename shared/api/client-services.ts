/** The client's calls for signing in with other services, and for linking them. Used by client.ts. */
import type { z } from 'zod'
import { type CallOptions, type ClientOptions, call, nothing } from './client-call.ts'
import * as accounts from './schemas/accounts.ts'

export function serviceSignInCalls(options: ClientOptions) {
  const serviceAt = (id: string) => `/v1/auth/services/${encodeURIComponent(id)}`
  const linkAt = (id: string) => `/v1/auth/links/${encodeURIComponent(id)}`
  const post = <T>(path: string, answer: z.ZodType<T>, json: unknown, o?: CallOptions) =>
    call(options, { method: 'POST', path, answer, ...(json !== undefined && { json }) }, o)
  return {
    beginServiceSignIn: (service: string, o?: CallOptions) =>
      post(serviceAt(service), accounts.socialBegunSchema, undefined, o),
    finishServiceSignIn: (
      service: string,
      json: z.input<typeof accounts.socialFinishSchema>,
      o?: CallOptions,
    ) => post(`${serviceAt(service)}/finish`, accounts.tokensSchema, json, o),
    links: (o?: CallOptions) =>
      call(options, { method: 'GET', path: '/v1/auth/links', answer: accounts.linksSchema }, o),
    beginLink: (service: string, o?: CallOptions) =>
      post(linkAt(service), accounts.socialBegunSchema, undefined, o),
    finishLink: (service: string, json: z.input<typeof accounts.socialReturnSchema>, o?: CallOptions) =>
      call(options, { method: 'POST', path: `${linkAt(service)}/finish`, answer: nothing, json }, o),
    removeLink: (link: string, o?: CallOptions) =>
      call(options, { method: 'DELETE', path: linkAt(link), answer: nothing }, o),
  }
}
