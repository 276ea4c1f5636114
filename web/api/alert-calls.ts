/** The console's calls about alerts. Used by calls.ts. */
import type { Client } from '@porttunneler/shared/api/client'
import type { Requests } from './requests.ts'

type AnswerOf<Name extends keyof Client> = Awaited<ReturnType<Client[Name]>>
export type AlertPage = AnswerOf<'alerts'>
export type AlertAct = Parameters<Client['actOnAlert']>[1]
export type AlertWish = Pick<NonNullable<Parameters<Client['alerts']>[0]>, 'state' | 'cursor'>

export function alertCalls(request: Requests) {
  return {
    alerts: ({ state, cursor }: AlertWish, signal?: AbortSignal) => {
      const query = new URLSearchParams({ ...(state && { state }), ...(cursor && { cursor }) })
      const path = query.size > 0 ? `/v1/alerts?${query}` : '/v1/alerts'
      return request<AlertPage>('GET', path, { signal })
    },
    actOnAlert: (id: string, body: AlertAct) =>
      request<AnswerOf<'actOnAlert'>>('POST', `/v1/alerts/${encodeURIComponent(id)}`, { body }),
  }
}
