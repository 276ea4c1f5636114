/** What somebody copies from the address bar, or types after `nc`, as host and port. */
import { domainToASCII } from 'node:url'

/** The longest host name, a scheme, a port and some path. */
const addressMax = 2_000
/** Every host that we serve looks like this; a longer one has no document. */
const hostShape = /^[a-z0-9_][a-z0-9._-]{0,119}$/

export type Place = {
  /** Small letters, without a final dot. */
  readonly host: string
  /** undefined: none was given. */
  readonly port?: number
}

/** @returns undefined when it is no address: a sentence, a mail address, something with a path but no host */
export function readAddress(text: string): Place | undefined {
  const trimmed = text.trim()
  if (trimmed === '' || trimmed.length > addressMax || /[\s@\\]/.test(trimmed)) return undefined
  const [, scheme, rest = ''] = /^([a-z][a-z0-9+.-]*:\/\/)?(.*)$/is.exec(trimmed) ?? []
  const [, name = '', digits] = /^([^/?#:[\]]+)(?::(\d{1,5}))?(?:[/?#]|$)/s.exec(rest) ?? []
  const host = domainToASCII(name.toLowerCase()).replace(/\.$/, '')
  if (!hostShape.test(host)) return undefined
  const usual = scheme?.toLowerCase() === 'https://' ? 443 : undefined
  const port = digits === undefined ? usual : Number(digits)
  if (port !== undefined && (port < 1 || port > 65_535)) return undefined
  return { host, ...(port !== undefined && { port }) }
}
