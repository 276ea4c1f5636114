/** Calls about the past of a tunnel. */
import type { Client } from '@porttunneler/shared/api/client'
import type { Requests } from './requests.ts'

type AnswerOf<Name extends keyof Client> = Awaited<ReturnType<Client[Name]>>
type HistoryWish = {
  readonly tunnel: string
  readonly from: number
  readonly to: number
  readonly step: number
}

export function historyCalls(request: Requests) {
  return {
    history: ({ tunnel, from, to, step }: HistoryWish, signal?: AbortSignal) => {
      const query = new URLSearchParams({ from: `${from}`, to: `${to}`, tunnel, step: `${step}` })
      return request<AnswerOf<'history'>>('GET', `/v1/history?${query}`, { signal })
    },
    connections: (
      tunnel: string,
      wish: { readonly [name: string]: string | number | undefined },
      signal?: AbortSignal,
    ) => {
      const given = Object.entries(wish).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, `${value}`] as [string, string]],
      )
      const query = new URLSearchParams(given)
      const path = `/v1/tunnels/${tunnel}/connections${given.length > 0 ? `?${query}` : ''}`
      return request<AnswerOf<'connections'>>('GET', path, { signal })
    },
    eraseConnections: (tunnel: string) =>
      request<AnswerOf<'eraseConnections'>>('DELETE', `/v1/tunnels/${tunnel}/connections`),
    /** The newest entries of the audit log about one thing. */
    changesOf: (target: string, signal?: AbortSignal) =>
      request<AnswerOf<'audit'>>('GET', `/v1/audit?${new URLSearchParams({ limit: '50', target })}`, {
        signal,
      }),
  }
}
