/** Speaks HTTP with the API: bearer, problem documents, a deadline, and one more try after a stale token. */
import { failureOf, unreachable } from './failure.ts'
import type { Session } from './session.ts'

/** A call that got no answer for this long has failed. */
const deadlineMs = 20_000

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

export type CallOptions = {
  readonly body?: unknown
  /** The ETag that the change builds on. */
  readonly ifMatch?: string
  readonly signal?: AbortSignal | undefined
  /** Sent without a bearer: signing in, registering. */
  readonly isOpen?: boolean
}

/** Resolves to the answer's body (undefined when empty); rejects with an ApiFailure. */
export type Requests = <T>(method: Method, path: string, options?: CallOptions) => Promise<T>

/** `session` is asked for at each call: the session itself needs requests to refresh. */
export function makeRequests(session: () => Session, fetch: typeof globalThis.fetch): Requests {
  return async <T>(method: Method, path: string, options: CallOptions = {}) => {
    const answer = options.isOpen
      ? await attempt(method, path, options)
      : await attemptAsUser(method, path, options)
    if (!answer.ok) throw await failureOf(answer)
    const text = await answer.text()
    // The types come from the schemas that this very server answers by.
    return (text === '' ? undefined : JSON.parse(text)) as T
  }

  async function attemptAsUser(method: Method, path: string, options: CallOptions): Promise<Response> {
    const token = await session().accessToken()
    const answer = await attempt(method, path, options, token)
    if (answer.status !== 401) return answer
    // Revoked or lapsed early. A refresh tells the two apart: it fails for a session that has ended.
    session().refuse(token)
    return attempt(method, path, options, await session().accessToken())
  }

  async function attempt(
    method: Method,
    path: string,
    { body, ifMatch, signal }: CallOptions,
    token?: string,
  ): Promise<Response> {
    const deadline = AbortSignal.timeout(deadlineMs)
    try {
      return await fetch(path, {
        method,
        headers: {
          accept: 'application/json, application/problem+json',
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(ifMatch !== undefined && { 'if-match': ifMatch }),
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
        body: body === undefined ? null : JSON.stringify(body),
        signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
        // The server tells a known device from a stranger who guesses passwords by a cookie that signs nobody in.
        credentials: 'same-origin',
        cache: 'no-store',
      })
    } catch (cause) {
      if (signal?.aborted) throw cause
      throw unreachable(cause)
    }
  }
}
