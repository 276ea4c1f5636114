/**
 * The operator's private port: metrics for Prometheus, liveness (restart me if not) and readiness (send me no visitors
 * if not).
 */
import { readFile, stat } from 'node:fs/promises'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { fail } from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'
import { hostOf, ownNames } from '@porttunneler/shared/base/own-names'
import type { Registry } from 'prom-client'

export type AdminOptions = {
  readonly registry: Registry
  /** A file of further figures in Prometheus' text form; it need not exist. */
  readonly figures: string | undefined
  /** Host names that are accepted besides addresses and loopback names. */
  readonly names: readonly string[]
  readonly log: Log
  /** Why visitors should go elsewhere; undefined: ready. */
  notReady(): string | undefined
  /** For an operator who restarts the relays of a machine one after the other: are the agents back? */
  load(): { readonly sessions: number; readonly streams: number; readonly served: number }
}

/** It is not listening yet. Liveness is yes as long as the loop turns: a draining relay must not be killed. */
export function adminServer({ registry, figures, names, log, notReady, load }: AdminOptions): Server {
  const isOwn = ownNames(names)
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0]
    const { host } = request.headers
    // Probes of HTTP/1.0 send no Host; a browser always does.
    if (host !== undefined && !isOwn(hostOf(host) ?? '')) refuseHost(response)
    else if (request.method !== 'GET' && request.method !== 'HEAD')
      say(response, 405, 'GET only', { allow: 'GET, HEAD' })
    else if (path === '/healthz') say(response, 200, 'alive')
    else if (path === '/readyz') {
      const reason = notReady()
      say(response, reason === undefined ? 200 : 503, reason ?? 'ready')
    } else if (path === '/load')
      say(response, 200, JSON.stringify(load()), { 'content-type': 'application/json' })
    else if (path === '/metrics') {
      Promise.all([registry.metrics(), readFigures(figures, log)])
        .then(([own, further]) => own + further)
        .then(
          (text) => say(response, 200, text, { 'content-type': registry.contentType }),
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

/** A file that is larger is not ours. */
const figuresBytesMax = 64 * 1024

/** Relays' own figures come also when the file cannot be read. */
async function readFigures(path: string | undefined, log: Log): Promise<string> {
  if (path === undefined) return ''
  try {
    if ((await stat(path)).size > figuresBytesMax) throw new Error(`${path} is too large`)
    return await readFile(path, 'utf8')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT'))
      log.warn({ error }, 'the file of further figures cannot be read')
    return ''
  }
}

function refuseHost(response: ServerResponse): void {
  const { code, http, cause, cure } = fail('api.host').entry
  say(response, http, `${code} ${cause} ${cure}`)
}

function say(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const usual = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' }
  response.writeHead(status, { ...usual, ...headers })
  response.end(text.endsWith('\n') ? text : `${text}\n`)
}
