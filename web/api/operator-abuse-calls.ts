/** The calls of operators about abuse; used by calls.ts. */
import type { Client } from '@porttunneler/shared/api/client'
import type { Requests } from './requests.ts'

type AnswerOf<Name extends keyof Client> = Awaited<ReturnType<Client[Name]>>
type BodyOf<Name extends keyof Client, At extends number = 0> = Extract<Parameters<Client[Name]>[At], object>

export type FoundTunnel = AnswerOf<'findTunnelAt'>
export type Report = AnswerOf<'reports'>['items'][number]
export type ReportPage = AnswerOf<'report'>
export type ReportWish = {
  readonly state?: Report['state'] | undefined
  readonly account?: string | undefined
}
export type Takedown = AnswerOf<'takedowns'>['items'][number]

export function operatorAbuseCalls(request: Requests) {
  const at = (...path: string[]) => `/v1/operator/${path.map(encodeURIComponent).join('/')}`
  const paged = (path: string, query: Readonly<Record<string, string | undefined>>) => {
    const given = Object.entries(query).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value] as [string, string]],
    )
    return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`
  }
  return {
    findTunnelAt: (address: string, signal?: AbortSignal) =>
      request<FoundTunnel>('GET', `${at('tunnels')}?${new URLSearchParams({ at: address })}`, { signal }),
    takeTunnelDown: (tunnel: string, body: BodyOf<'takeTunnelDown', 1>) =>
      request<void>('POST', at('tunnels', tunnel, 'take-down'), { body }),
    restoreTunnel: (tunnel: string) => request<void>('POST', at('tunnels', tunnel, 'restore')),
    takedowns: (cursor?: string, signal?: AbortSignal) =>
      request<AnswerOf<'takedowns'>>('GET', paged(at('takedowns'), { cursor }), { signal }),
    reports: (wish: ReportWish, cursor?: string, signal?: AbortSignal) =>
      request<AnswerOf<'reports'>>('GET', paged(at('reports'), { cursor, ...wish }), { signal }),
    report: (report: string, signal?: AbortSignal) =>
      request<ReportPage>('GET', at('reports', report), { signal }),
    decideReport: (report: string, body: BodyOf<'decideReport', 1>) =>
      request<void>('POST', at('reports', report, 'decide'), { body }),
  }
}
