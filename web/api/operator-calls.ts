/** The calls of operators; used by calls.ts. */
import type { Client } from '@porttunneler/shared/api/client'
import type { Requests } from './requests.ts'

type AnswerOf<Name extends keyof Client> = Awaited<ReturnType<Client[Name]>>
type BodyOf<Name extends keyof Client> = Parameters<Client[Name]>[0]

export type OperatorAccount = AnswerOf<'accountForOperator'>
export type OperatorPerson = AnswerOf<'personForOperator'>
export type View = AnswerOf<'beginView'>

export function operatorCalls(request: Requests) {
  const accountAt = (id: string) => `/v1/operator/accounts/${encodeURIComponent(id)}`
  const personAt = (id: string) => `/v1/operator/people/${encodeURIComponent(id)}`
  const search = (path: string, who: string, cursor: string | undefined) =>
    `${path}?${new URLSearchParams({ who, limit: '20', ...(cursor !== undefined && { cursor }) })}`
  return {
    searchPeople: (who: string, cursor?: string, signal?: AbortSignal) =>
      request<AnswerOf<'searchPeople'>>('GET', search('/v1/operator/people', who, cursor), { signal }),
    searchAccounts: (who: string, cursor?: string, signal?: AbortSignal) =>
      request<AnswerOf<'searchAccounts'>>('GET', search('/v1/operator/accounts', who, cursor), { signal }),
    personForOperator: (id: string, signal?: AbortSignal) =>
      request<OperatorPerson>('GET', personAt(id), { signal }),
    accountForOperator: (id: string, signal?: AbortSignal) =>
      request<OperatorAccount>('GET', accountAt(id), { signal }),
    suspendAccount: (id: string, body: { reason: string }) =>
      request<void>('POST', `${accountAt(id)}/suspend`, { body }),
    resumeAccount: (id: string) => request<void>('POST', `${accountAt(id)}/resume`),
    disablePerson: (id: string, body: { reason: string }) =>
      request<void>('POST', `${personAt(id)}/disable`, { body }),
    enablePerson: (id: string) => request<void>('POST', `${personAt(id)}/enable`),
    notes: (about: string, signal?: AbortSignal) =>
      request<AnswerOf<'notes'>>('GET', `/v1/operator/notes?${new URLSearchParams({ about })}`, { signal }),
    billingDrift: (signal?: AbortSignal) =>
      request<AnswerOf<'billingDrift'>>('GET', '/v1/operator/billing/drift', { signal }),
    addNote: (body: BodyOf<'addNote'>) => request<void>('POST', '/v1/operator/notes', { body }),
    removeNote: (id: string) => request<void>('DELETE', `/v1/operator/notes/${encodeURIComponent(id)}`),
    beginView: (body: BodyOf<'beginView'>) => request<View>('POST', '/v1/operator/view', { body }),
    viewNow: (signal?: AbortSignal) => request<AnswerOf<'viewNow'>>('GET', '/v1/operator/view', { signal }),
    /** As oneself: a view ends nothing. */
    endView: () => request<void>('DELETE', '/v1/operator/view', { isOwn: true }),
  }
}
