/** The bearer token of a request (RFC 6750, section 2.1). */
import { fail } from '../base/errors.ts'

/** @returns undefined where there is none, or something else */
export function bearerIn(authorization: string | undefined): string | undefined {
  return /^Bearer ([\x21-\x7e]{1,4096})$/i.exec(authorization ?? '')?.[1]
}

/** @throws auth.invalid */
export function bearerOf(authorization: string | undefined): string {
  const bearer = bearerIn(authorization)
  if (bearer === undefined) throw fail('auth.invalid', 'The request has no bearer token.')
  return bearer
}
