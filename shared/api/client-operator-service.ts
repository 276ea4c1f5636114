/** The client's calls for operators about the service: relays, jobs, feature flags, codes. Used by client.ts. */
import type { z } from 'zod'
import { type CallOptions, type ClientOptions, call, nothing, type PageOptions } from './client-call.ts'
import { pageSchema } from './schemas/common.ts'
import * as figures from './schemas/operator-figures.ts'
import { logLineSchema } from './schemas/operator-logs.ts'
import * as service from './schemas/operator-service.ts'

const cellsSchema = pageSchema(service.operatorCellSchema)
const jobsSchema = pageSchema(service.jobSchema)
const invitesSchema = pageSchema(service.inviteSchema)
const waitingSchema = pageSchema(service.waitingSchema)
const eventsSchema = pageSchema(figures.securityEventRowSchema)
const linesSchema = pageSchema(logLineSchema)
type SecurityWish = { readonly account?: string; readonly address?: string; readonly kind?: string }
type LogWish = { readonly query?: string; readonly from?: number | undefined }
type In<T extends z.ZodType> = z.input<T>

export function operatorServiceCalls(options: ClientOptions) {
  const at = (...path: string[]) => `/v1/operator/${path.map(encodeURIComponent).join('/')}`
  const post = (path: string, json?: unknown, o?: CallOptions) =>
    call(options, { method: 'POST', path, answer: nothing, json }, o)
  const remove = (path: string, o?: CallOptions) =>
    call(options, { method: 'DELETE', path, answer: nothing }, o)
  const list = <T>(
    path: string,
    answer: z.ZodType<T>,
    { limit, cursor, state, ...o }: PageOptions & { readonly state?: string } = {},
  ) => call(options, { method: 'GET', path, answer, query: { limit, cursor, state } }, o)
  return {
    operatorCells: (query?: PageOptions & { readonly state?: 'open' | 'closed' }) =>
      list(at('cells'), cellsSchema, query),
    closeCell: (cell: string, o?: CallOptions) => post(at('cells', cell, 'close'), undefined, o),
    openCell: (cell: string, o?: CallOptions) => post(at('cells', cell, 'open'), undefined, o),
    drainRelay: (relay: string, o?: CallOptions) =>
      call(options, { method: 'POST', path: at('relays', relay, 'drain'), answer: service.drainedSchema }, o),
    jobs: (query?: PageOptions & { readonly state?: 'live' | 'dead' }) => list(at('jobs'), jobsSchema, query),
    retryJob: (job: string, o?: CallOptions) => post(at('jobs', job, 'retry'), undefined, o),
    dropJob: (job: string, o?: CallOptions) => remove(at('jobs', job), o),
    flags: (o?: CallOptions) =>
      call(options, { method: 'GET', path: at('flags'), answer: service.flagsSchema }, o),
    shareFlag: (flag: string, json: In<typeof service.flagShareSchema>, o?: CallOptions) =>
      post(at('flags', flag, 'share'), json, o),
    setFlagOfAccount: (flag: string, json: In<typeof service.flagAccountSchema>, o?: CallOptions) =>
      post(at('flags', flag, 'account'), json, o),
    killFlag: (flag: string, json: In<typeof service.flagKillSchema>, o?: CallOptions) =>
      post(at('flags', flag, 'kill'), json, o),
    reviveFlag: (flag: string, o?: CallOptions) => post(at('flags', flag, 'revive'), undefined, o),
    revenue: (o?: CallOptions) =>
      call(options, { method: 'GET', path: at('revenue'), answer: figures.revenueSchema }, o),
    talkers: ({ day, ...o }: CallOptions & { readonly day?: string | undefined } = {}) =>
      call(options, { method: 'GET', path: at('talkers'), query: { day }, answer: figures.talkersSchema }, o),
    activity: (o?: CallOptions) =>
      call(options, { method: 'GET', path: at('activity'), answer: figures.activitySchema }, o),
    securityEvents: ({ limit, cursor, account, address, kind, ...o }: PageOptions & SecurityWish = {}) =>
      call(
        options,
        {
          method: 'GET',
          path: at('security'),
          query: { limit, cursor, account, address, kind },
          answer: eventsSchema,
        },
        o,
      ),
    dependencies: (o?: CallOptions) =>
      call(options, { method: 'GET', path: at('health'), answer: figures.healthListSchema }, o),
    logs: ({ limit, cursor, query, from, ...o }: PageOptions & LogWish = {}) =>
      call(
        options,
        { method: 'GET', path: at('logs'), query: { limit, cursor, query, from }, answer: linesSchema },
        o,
      ),
    invites: (query?: PageOptions) => list(at('invites'), invitesSchema, query),
    /** The answer has the code, only this once. */
    createInvite: (json: In<typeof service.inviteCreateSchema>, o?: CallOptions) =>
      call(options, { method: 'POST', path: at('invites'), answer: service.inviteCreatedSchema, json }, o),
    revokeInvite: (invite: string, o?: CallOptions) => remove(at('invites', invite), o),
    waiting: (query?: PageOptions & { readonly state?: 'asked' | 'waiting' | 'invited' | 'came' }) =>
      list(at('wait-list'), waitingSchema, query),
    inviteWaiting: (json: In<typeof service.inviteWaitingSchema>, o?: CallOptions) =>
      call(
        options,
        { method: 'POST', path: at('wait-list', 'invite'), answer: service.invitedSchema, json },
        o,
      ),
  }
}
