/** The calls of operators about the service: cells and relays, jobs, flags, codes, money, events; used by calls.ts. */
import type { Client } from '@porttunneler/shared/api/client'
import type { Requests } from './requests.ts'

type AnswerOf<Name extends keyof Client> = Awaited<ReturnType<Client[Name]>>
type BodyOf<Name extends keyof Client, At extends number = 0> = Extract<Parameters<Client[Name]>[At], object>

type Alert = AnswerOf<'serviceAlerts'>['items'][number]
export type OperatorCell = AnswerOf<'operatorCells'>['items'][number]
export type OperatorRelay = OperatorCell['relays'][number]
export type Job = AnswerOf<'jobs'>['items'][number]
export type Flag = AnswerOf<'flags'>['items'][number]
export type Invite = AnswerOf<'invites'>['items'][number]
export type InviteMade = AnswerOf<'createInvite'>
export type Waiting = AnswerOf<'waiting'>['items'][number]
export type Invited = AnswerOf<'inviteWaiting'>
export type RevenueMonth = AnswerOf<'revenue'>['months'][number]
export type Talker = AnswerOf<'talkers'>['items'][number]
export type Activity = AnswerOf<'activity'>
export type SecurityEventRow = AnswerOf<'securityEvents'>['items'][number]
export type SecurityWish = {
  readonly account?: string | undefined
  readonly address?: string | undefined
  readonly kind?: string | undefined
}
export type LogLine = AnswerOf<'logs'>['items'][number]
/** Where to go on: at the next page, or with what was written since, ms. */
export type LogPlace = { readonly cursor?: string | undefined; readonly from?: number | undefined }
export type Health = AnswerOf<'dependencies'>['items'][number]

type Query = Readonly<Record<string, string | undefined>>

export function operatorServiceCalls(request: Requests) {
  const at = (...path: string[]) => `/v1/operator/${path.map(encodeURIComponent).join('/')}`
  const withQuery = (path: string, query: Query) => {
    const given = Object.entries(query).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value] as [string, string]],
    )
    return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`
  }
  const read = <T>(path: string, query: Query = {}, signal?: AbortSignal) =>
    request<T>('GET', withQuery(path, query), { signal })
  const post = (path: string, body?: object) => request<void>('POST', path, body && { body })
  return {
    operatorCells: (state: 'open' | 'closed', cursor?: string, signal?: AbortSignal) =>
      read<AnswerOf<'operatorCells'>>(at('cells'), { cursor, state }, signal),
    closeCell: (cell: string) => post(at('cells', cell, 'close')),
    openCell: (cell: string) => post(at('cells', cell, 'open')),
    drainRelay: (relay: string) => request<AnswerOf<'drainRelay'>>('POST', at('relays', relay, 'drain')),
    serviceAlerts: (state?: Alert['state'], cursor?: string, signal?: AbortSignal) =>
      read<AnswerOf<'serviceAlerts'>>(at('alerts'), { cursor, state }, signal),
    actOnServiceAlert: (id: string, body: BodyOf<'actOnServiceAlert', 1>) =>
      request<Alert>('POST', at('alerts', id), { body }),
    jobs: (state: 'live' | 'dead', cursor?: string, signal?: AbortSignal) =>
      read<AnswerOf<'jobs'>>(at('jobs'), { cursor, state }, signal),
    retryJob: (job: string) => post(at('jobs', job, 'retry')),
    dropJob: (job: string) => request<void>('DELETE', at('jobs', job)),
    flags: (signal?: AbortSignal) => read<AnswerOf<'flags'>>(at('flags'), {}, signal),
    shareFlag: (flag: string, body: BodyOf<'shareFlag', 1>) => post(at('flags', flag, 'share'), body),
    setFlagOfAccount: (flag: string, body: BodyOf<'setFlagOfAccount', 1>) =>
      post(at('flags', flag, 'account'), body),
    killFlag: (flag: string, body: BodyOf<'killFlag', 1>) => post(at('flags', flag, 'kill'), body),
    reviveFlag: (flag: string) => post(at('flags', flag, 'revive')),
    invites: (cursor?: string, signal?: AbortSignal) =>
      read<AnswerOf<'invites'>>(at('invites'), { cursor }, signal),
    createInvite: (body: BodyOf<'createInvite'>) => request<InviteMade>('POST', at('invites'), { body }),
    revokeInvite: (invite: string) => request<void>('DELETE', at('invites', invite)),
    waiting: (state: Waiting['state'], cursor?: string, signal?: AbortSignal) =>
      read<AnswerOf<'waiting'>>(at('wait-list'), { cursor, state }, signal),
    inviteWaiting: (body: BodyOf<'inviteWaiting'>) =>
      request<Invited>('POST', at('wait-list', 'invite'), { body }),
    revenue: (signal?: AbortSignal) => read<AnswerOf<'revenue'>>(at('revenue'), {}, signal),
    talkers: (day?: string, signal?: AbortSignal) =>
      read<AnswerOf<'talkers'>>(at('talkers'), { day }, signal),
    activity: (signal?: AbortSignal) => read<AnswerOf<'activity'>>(at('activity'), {}, signal),
    securityEvents: (wish: SecurityWish, cursor?: string, signal?: AbortSignal) =>
      read<AnswerOf<'securityEvents'>>(at('security'), { cursor, ...wish }, signal),
    logs: (query: string, { cursor, from }: LogPlace = {}, signal?: AbortSignal) =>
      read<AnswerOf<'logs'>>(at('logs'), { cursor, query, from: from?.toString() }, signal),
    dependencies: (signal?: AbortSignal) => read<AnswerOf<'dependencies'>>(at('health'), {}, signal),
  }
}
