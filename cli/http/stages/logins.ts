/**
 * Who may come in when a tunnel asks for a password (HTTP Basic, RFC 7617). Only a digest of each login is kept, so
 * that comparing takes the same time whatever was sent, and no password can be printed by accident.
 */
import { createHash, timingSafeEqual } from 'node:crypto'

/** SHA-256 of `user:password` in hex. Equal digests are equal logins, so tunnels can be compared as data. */
export type Login = string

/** What is wrong with a text that should be `user:password`; undefined: nothing. */
export function faultOfLogin(text: string): string | undefined {
  const colon = text.indexOf(':')
  if (colon < 0) return 'a login is user:password'
  if (colon === 0) return 'the user is missing in front of the colon'
  if (colon === text.length - 1) return 'the password is missing behind the colon'
  // biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 7617 forbids exactly these
  return /[\u0000-\u001f\u007f]/.test(text) ? 'a login has no control characters in it' : undefined
}

export function loginOf(text: string): Login {
  return digestOf(Buffer.from(text)).toString('hex')
}

const basicPattern = /^basic +([a-z0-9+/_-]+=*)$/i

/**
 * Whether an Authorization field names one of `logins`. All are compared, even when the first matches.
 * @param field its value; undefined if the request has none
 */
export function isLogin(logins: readonly Login[], field: string | undefined): boolean {
  const sent = field === undefined ? undefined : basicPattern.exec(field)?.[1]
  const digest = digestOf(Buffer.from(sent ?? '', 'base64'))
  let isKnown = false
  for (const login of logins) if (timingSafeEqual(Buffer.from(login, 'hex'), digest)) isKnown = true
  return isKnown && sent !== undefined
}

function digestOf(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest()
}
