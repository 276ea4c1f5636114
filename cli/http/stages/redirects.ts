/** Answers requests for other places by redirects. The first that matches counts. */
import {
  matchRedirect,
  parseRedirectFrom,
  type Redirect,
  type RedirectPattern,
} from '@porttunneler/shared/protocol/http-edits'
import type { Stage } from '../pipeline.ts'

const statusUsual = 302

type Rule = { readonly pattern: RedirectPattern; readonly to: string; readonly status: number }

export function redirectStage(redirects: readonly Redirect[]): Stage {
  const rules = redirects.flatMap(({ from, to, status = statusUsual }): readonly Rule[] => {
    const pattern = parseRedirectFrom(from)
    return typeof pattern === 'string' ? [] : [{ pattern, to, status }]
  })
  return {
    onRequest: ({ head, edit }) => {
      const place = placeOf(edit.startLine)
      if (place === undefined) return undefined
      for (const { pattern, to, status } of rules) {
        const rest = matchRedirect(pattern, { host: head.host, path: place.path })
        if (rest !== undefined)
          return { kind: 'redirect', status, location: locationOf(to, { ...place, rest }) }
      }
      return undefined
    },
  }
}

/** Path and query in a request line; undefined for `OPTIONS *`. */
function placeOf(requestLine: string): { readonly path: string; readonly query: string } | undefined {
  const target = requestLine.split(' ')[1] ?? ''
  const [, path, query = ''] = /^(?:https?:\/\/[^/?]+)?(\/[^?]*)?(\?.*)?$/i.exec(target) ?? []
  return target === '*' ? undefined : { path: path ?? '/', query }
}

/** The query goes with it, unless the target has its own. */
function locationOf(to: string, { rest, query }: { readonly rest: string; readonly query: string }): string {
  const [target = '', fragment] = to.replace('*', () => escaped(rest)).split('#')
  const asked = to.includes('?') ? '' : escaped(query)
  const end = fragment === undefined ? '' : `#${fragment}`
  // Two slashes in front would be another host, and browsers read a backslash as one.
  const place = to.startsWith('/') ? target.replace(/^\/[/\\]*/, '/') : target
  return `${place}${asked}${end}`
}

/** What a URL may not have as it is (RFC 3986): UTF-8 that came unescaped, quotes, backslashes. */
function escaped(text: string): string {
  return text.replace(
    /[^!#$%&'()*+,\-./:;=?@[\]_~0-9A-Za-z]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}
