/** What the routes of sign-in share: where a request comes from, and the answer with tokens. */
import type { Context } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'
import type { SignedIn, SignInSource } from './identity.local.types.ts'

/** Tells this device apart from a stranger who guesses; it signs nobody in. */
const deviceCookie = 'ptun_device'
const deviceCookieSeconds = 180 * 86_400

export type AnswersOptions = {
  /** Where a request came from, as far as the server trusts it. */
  readonly addressOf: (context: Context) => string
  /** Whether the browser used HTTPS, as far as the server can tell. */
  readonly isHttps: (context: Context) => boolean
}

export function makeAnswers({ addressOf, isHttps }: AnswersOptions) {
  const keepDevice = (c: Context, secret: string | undefined): void => {
    if (secret === undefined) return
    setCookie(c, deviceCookie, secret, {
      path: '/v1/auth',
      httpOnly: true,
      sameSite: 'Strict',
      secure: isHttps(c),
      maxAge: deviceCookieSeconds,
    })
  }
  return {
    keepDevice,
    comesFrom: (c: Context): SignInSource => ({
      from: addressOf(c),
      userAgent: c.req.header('user-agent'),
      device: getCookie(c, deviceCookie),
    }),
    /** Nobody may keep it (RFC 6749, section 5.1). */
    signedIn: (c: Context, { tokens, device }: SignedIn) => {
      keepDevice(c, device)
      c.header('cache-control', 'no-store')
      return c.json(tokens, 200)
    },
  }
}
