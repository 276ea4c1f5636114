/** The client's calls about connections of visitors. Used by client.ts. */
import type { z } from 'zod'
import { type CallOptions, type ClientOptions, call } from './client-call.ts'
import {
  connectionsErasedSchema,
  type connectionsQuerySchema,
  connectionsSchema,
} from './schemas/connections.ts'

export function connectionCalls(options: ClientOptions) {
  const at = (tunnel: string) => `/v1/tunnels/${encodeURIComponent(tunnel)}/connections`
  return {
    connections: (
      tunnel: string,
      query: Partial<z.input<typeof connectionsQuerySchema>> = {},
      o?: CallOptions,
    ) =>
      call(
        options,
        {
          method: 'GET',
          path: at(tunnel),
          answer: connectionsSchema,
          query: query as Record<string, string>,
        },
        o,
      ),
    eraseConnections: (tunnel: string, o?: CallOptions) =>
      call(options, { method: 'DELETE', path: at(tunnel), answer: connectionsErasedSchema }, o),
  }
}
