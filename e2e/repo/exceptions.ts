/**
 * What tidy lets pass, each with its reason. The list may only shrink: an exception that excuses nothing fails too.
 * A file stands for a file as a whole under one rule.
 */
export type Exception = {
  readonly rule: string
  readonly path: string
  /** Part of the message, so that an exception excuses one thing and not a whole file. */
  readonly message?: string
  readonly because: string
}

/** Files of the data plane that know each other's insides, from the time before it had layers. */
const knot = 'it is to be untied'

export const exceptions: readonly Exception[] = [
  {
    rule: 'imports',
    path: 'standalone/data-folder.ts',
    message: 'node:sqlite',
    because:
      'it takes the lock of a data folder by SQLite; no data goes through it, so it is no part of a platform',
  },
  {
    rule: 'imports',
    path: 'standalone/web-server.ts',
    message: '@hono/node-server',
    because:
      'it is the one place where the API meets the HTTP server of Node; the API itself does not know it',
  },
  { rule: 'mux layers', path: 'shared/mux/outbound.ts', message: 'imports carrier,', because: knot },
  { rule: 'mux layers', path: 'shared/mux/rides.ts', message: 'imports carrier,', because: knot },
  { rule: 'mux layers', path: 'shared/mux/carrier.ts', message: 'imports schedule,', because: knot },
  { rule: 'mux layers', path: 'shared/mux/carrier.ts', message: 'imports stream,', because: knot },
  { rule: 'mux layers', path: 'shared/mux/schedule.ts', message: 'imports stream,', because: knot },
  { rule: 'mux layers', path: 'shared/mux/elephants.ts', message: 'imports stream,', because: knot },
  { rule: 'mux layers', path: 'shared/mux/stream.ts', message: 'imports session-streams,', because: knot },
  {
    rule: 'mux layers',
    path: 'shared/mux/stream-options.ts',
    message: 'imports session-streams,',
    because: knot,
  },
  { rule: 'mux layers', path: 'shared/mux/carrier.ts', message: 'imports carrier-handler,', because: knot },
  { rule: 'mux layers', path: 'shared/mux/carrier-handler.ts', message: 'imports carrier,', because: knot },
  { rule: 'mux layers', path: 'shared/mux/session.ts', message: 'imports last-ids,', because: knot },
  { rule: 'mux layers', path: 'shared/mux/last-ids.ts', message: 'imports session,', because: knot },
]
