/** Gives the upstream another Host, and if the user wants that, the origin that goes with it. */
import type { RequestHead } from '@porttunneler/shared/http/head'
import type { HeadEdit } from '../head-edit.ts'
import type { Stage } from '../pipeline.ts'

/** @param origin replaces the visitor's own in Origin and Referer; X-Forwarded-Host and -Proto are then left out */
export function hostStage(host: string, origin: string | undefined): Stage {
  return {
    onRequest: ({ head, edit }) => {
      replaceTarget(head, edit)
      // HTTP/1.0 may name its host only in the target, which was just removed.
      if (head.hostLine === undefined) edit.add('Host', host)
      else edit.replace('host', () => host)
      if (origin === undefined) return undefined
      const own = (value: string) => origin + value.slice(ownOriginLength(value, head.hostField))
      for (const name of ['origin', 'referer'])
        edit.replace(name, (value) => (ownOriginLength(value, head.hostField) > 0 ? own(value) : value))
      edit.remove('x-forwarded-host')
      edit.remove('x-forwarded-proto')
      return undefined
    },
  }
}

/** An absolute target outweighs Host (RFC 9112 section 3.2.2), so it must not stay beside another Host. */
function replaceTarget({ method }: RequestHead, edit: HeadEdit): void {
  const line = edit.startLine
  const start = method.length + 1
  const end = line.indexOf(' ', start)
  const match = /^https?:\/\/[^/?]+/i.exec(line.slice(start, end))
  if (!match) return
  const pathAt = start + match[0].length
  const isBare = pathAt === end
  const before = isBare && method === 'OPTIONS' ? '*' : line[pathAt] === '/' ? '' : '/'
  edit.startLine = `${line.slice(0, start)}${before}${line.slice(pathAt)}`
}

/**
 * How many letters of a URL are the origin under which the visitor knows the tunnel. Another origin is never made to
 * look like the upstream's own, because applications recognise forged requests by it.
 */
function ownOriginLength(url: string, hostField: string): number {
  const match = /^https?:\/\/([^/?#]*)(?=[/?#]|$)/i.exec(url)
  return match?.[1]?.toLowerCase() === hostField.toLowerCase() ? match[0].length : 0
}
