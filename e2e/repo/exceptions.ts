/**
 * Exceptions from the tidy rules, each with its reason. The list may only shrink: an exception that excuses nothing
 * fails too. A path stands for a whole file under one rule.
 */
export type Exception = {
  readonly rule: string
  readonly path: string
  /** Part of the message, so that an exception excuses one thing and not a whole file. */
  readonly message?: string
  readonly because: string
}

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
]
