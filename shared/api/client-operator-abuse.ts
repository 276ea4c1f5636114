/** The client's calls for operators about abuse. Used by client-operator.ts. */
import type { z } from 'zod'
import { type CallOptions, type ClientOptions, call, nothing, type PageOptions } from './client-call.ts'
import { pageSchema } from './schemas/common.ts'
import * as abuse from './schemas/operator-abuse.ts'

const takedownsSchema = pageSchema(abuse.takedownSchema)
const reportsSchema = pageSchema(abuse.reportSchema)
/** At most one of them. */
type ReportWish = {
  readonly state?: z.infer<typeof abuse.reportSchema>['state'] | undefined
  readonly account?: string | undefined
}
type In<T extends z.ZodType> = z.input<T>

export function operatorAbuseCalls(options: ClientOptions) {
  const at = (...path: string[]) => `/v1/operator/${path.map(encodeURIComponent).join('/')}`
  const post = (path: string, json?: unknown, o?: CallOptions) =>
    call(options, { method: 'POST', path, answer: nothing, json }, o)
  return {
    /** By what a visitor sees, or an id. */
    findTunnelAt: (address: string, o?: CallOptions) =>
      call(
        options,
        { method: 'GET', path: at('tunnels'), query: { at: address }, answer: abuse.foundTunnelSchema },
        o,
      ),
    takeTunnelDown: (tunnel: string, json: In<typeof abuse.takeDownSchema>, o?: CallOptions) =>
      post(at('tunnels', tunnel, 'take-down'), json, o),
    restoreTunnel: (tunnel: string, o?: CallOptions) => post(at('tunnels', tunnel, 'restore'), undefined, o),
    reports: ({ limit, cursor, ...o }: PageOptions & ReportWish = {}) => {
      const { state, account, ...rest } = o
      const query = { limit, cursor, state, account }
      return call(options, { method: 'GET', path: at('reports'), query, answer: reportsSchema }, rest)
    },
    report: (report: string, o?: CallOptions) =>
      call(options, { method: 'GET', path: at('reports', report), answer: abuse.reportPageSchema }, o),
    decideReport: (report: string, json: In<typeof abuse.decideSchema>, o?: CallOptions) =>
      post(at('reports', report, 'decide'), json, o),
    takedowns: ({ limit, cursor, ...o }: PageOptions = {}) =>
      call(
        options,
        { method: 'GET', path: at('takedowns'), query: { limit, cursor }, answer: takedownsSchema },
        o,
      ),
  }
}
