/** The operator's private port: metrics for Prometheus, liveness (restart me if not) and readiness (send me nobody). */
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { Log } from '@porttunneler/shared/base/log'
import type { Registry } from 'prom-client'

export type AdminOptions = {
  readonly registry: Registry
  readonly log: Log
  /** Why visitors should go elsewhere; undefined = ready. */
  notReady(): string | undefined
  /** For who restarts the relays of a machine one after the other: are the agents back? */
  load(): { readonly sessions: number; readonly streams: number; readonly served: number }
}

/** Not listening yet. Liveness says yes as long as the loop turns: a draining relay must not be killed for it. */
export function adminServer({ registry, log, notReady, load }: AdminOptions): Server {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0]
    if (request.method !== 'GET' && request.method !== 'HEAD') say(response, 405, 'GET only')
    else if (path === '/healthz') say(response, 200, 'alive')
    else if (path === '/readyz') {
      const reason = notReady()
      say(response, reason === undefined ? 200 : 503, reason ?? 'ready')
    } else if (path === '/load') say(response, 200, JSON.stringify(load()), 'application/json')
    else if (path === '/metrics') {
      registry.metrics().then(
        (text) => say(response, 200, text, registry.contentType),
        (error: unknown) => {
          log.error({ error }, 'The metrics could not be collected')
          say(response, 500, 'The metrics could not be collected')
        },
      )
    } else say(response, 404, 'There are /metrics, /load, /healthz and /readyz')
  })
  server.requestTimeout = 10_000
  return server
}

function say(
  response: ServerResponse,
  status: number,
  text: string,
  type = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' })
  response.end(text.endsWith('\n') ? text : `${text}\n`)
}
