/**
 * Requests to sign-in services: each has a deadline, answers have a maximum length, and no redirect is followed, so a
 * service that is slow, broken or in other hands costs little and leads nowhere else.
 */
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { readBody } from '@porttunneler/shared/base/read-text'
import type { CustomFetch } from 'openid-client'

/** All requests of one step of a sign-in together; the console gives up after 20 s. */
export const stepMsMax = 12_000
/** Tokens, keys and profiles have a few KiB; some issuers publish long descriptions of themselves. */
const answerBytesMax = 256 * 1024

/** A `fetch` for openid-client. @throws social.unreachable, also for what the service itself says of its state */
export function boundedFetch(signal: AbortSignal): CustomFetch {
  return async (url, { body, headers, method, signal: own }) => {
    const until = own ? AbortSignal.any([signal, own]) : signal
    try {
      const init: RequestInit = { headers, method, redirect: 'manual', signal: until }
      const answer = await fetch(url, body === undefined ? init : { ...init, body: body as string })
      const text = await readBody(answer, answerBytesMax)
      const { status } = answer
      if (status >= 500 || status === 429) throw new Error(`it answered ${status}`)
      // A redirect fails the caller's check of the status.
      return new Response(withoutBody.has(status) ? null : text, { status, headers: answer.headers })
    } catch (cause) {
      throw fail('social.unreachable', undefined, { cause })
    }
  }
}

const withoutBody = new Set([204, 205, 304])

/** Our own failure that a library has wrapped, if there is one. */
export function failureWithin(error: unknown) {
  let inner = error
  // Libraries wrap an error two or three times.
  for (let depth = 0; depth < 6 && inner instanceof Error; depth++) {
    if (isFailure(inner)) return inner
    inner = inner.cause
  }
  return undefined
}
