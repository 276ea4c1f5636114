/** Speaks HTTP with the API: bearer, problem documents, a deadline, and one more try after a stale token. */
import type { AccountChoice } from './account-choice.ts'
import { failureOf, signedOut, unreachable } from './failure.ts'
import type { OperatorView } from './operator-view.ts'
import type { Session } from './session.ts'

/** A call that got no answer for this long has failed. */
const deadlineMs = 20_000
/** A file comes while it is read from the store. */
const fileDeadlineMs = 10 * 60_000

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

export type CallOptions = {
  readonly body?: unknown
  /** The ETag that the change builds on. */
  readonly ifMatch?: string
  /**
   * The ETag of what is known already, or '' for nothing: the answer comes as `Tagged`, without a value when the server
   * says that it is the same.
   */
  readonly tag?: string
  readonly signal?: AbortSignal | undefined
  /** Sent without a bearer: signing in, registering. */
  readonly isOpen?: boolean
  /** Never through a view of an account: ending the view, and signing out. */
  readonly isOwn?: boolean
  /** The answer is a file that may take minutes: it is handed on as it comes, as a Blob. */
  readonly isFile?: boolean
}

export type Tagged<T> = { readonly tag: string; readonly value?: T }

/** Resolves to the answer's body (undefined when empty); rejects with an ApiFailure. */
export type Requests = <T>(method: Method, path: string, options?: CallOptions) => Promise<T>

/** `view.over` */
const viewOverCode = 'PT-1141'
/** `auth.invalid` */
const signedOutCode = 'PT-1001'
/** What it refuses may be the token of the second sign-in, in the body. */
const confirmPath = '/v1/auth/confirm'

/**
 * @param session is asked for at each call: the session itself needs requests to refresh
 * @param view the account that an operator looks at, which every call names then
 */
export function makeRequests(
  session: () => Session,
  fetch: typeof globalThis.fetch,
  choice: AccountChoice,
  view?: Pick<OperatorView, 'now' | 'over'>,
): Requests {
  const attemptForAccount = namingAccount(attemptAsUser, choice, () => session().person)
  return async <T>(method: Method, path: string, options: CallOptions = {}) => {
    const answer = options.isOpen
      ? await attempt(method, path, options)
      : await attemptForAccount(method, path, options)
    if (options.tag !== undefined && answer.status === 304) return { tag: options.tag } as T
    if (!answer.ok) {
      const failure = await failureOf(answer)
      if (failure.problem.code === viewOverCode) view?.over()
      throw failure
    }
    return (await bodyOf(answer, options)) as T
  }

  async function attemptAsUser(method: Method, path: string, options: CallOptions): Promise<Response> {
    const token = await session().accessToken()
    const answer = await attempt(method, path, options, token)
    if (answer.status !== 401) return answer
    // Revoked or lapsed early. A refresh tells the two apart: it fails for a session that has ended.
    session().refuse(token)
    const renewed = await session().accessToken()
    const again = await attempt(method, path, options, renewed)
    if (again.status !== 401 || path === confirmPath) return again
    if ((await failureOf(again.clone())).problem.code !== signedOutCode) return again
    // At Firebase it does not: that knows nothing of a sign-in that was ended here, and goes on renewing its tokens.
    session().endOf(renewed)
    throw signedOut()
  }

  async function attempt(
    method: Method,
    path: string,
    { body, ifMatch, tag = '', signal, isFile, isOwn }: CallOptions,
    token?: string,
  ): Promise<Response> {
    const viewed = token === undefined || isOwn ? undefined : view?.now
    const deadline = AbortSignal.timeout(isFile ? fileDeadlineMs : deadlineMs)
    try {
      return await fetch(path, {
        method,
        headers: {
          accept: 'application/json, application/problem+json',
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(ifMatch !== undefined && { 'if-match': ifMatch }),
          ...(tag !== '' && { 'if-none-match': tag }),
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...(viewed && { 'porttunneler-view': viewed.id }),
          ...(token !== undefined &&
            !viewed &&
            choice.id !== undefined && { 'porttunneler-account': choice.id }),
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

/** The types of what is in it come from the schemas that this very server answers by. */
async function bodyOf(answer: Response, { isFile, tag }: CallOptions): Promise<unknown> {
  if (isFile) return answer.blob()
  const text = await answer.text()
  const value = text === '' ? undefined : JSON.parse(text)
  return tag === undefined ? value : { tag: answer.headers.get('etag') ?? '', value }
}

type Attempt = (method: Method, path: string, options: CallOptions) => Promise<Response>

/** Once more, when the account had to be named, or the one that was chosen is no longer theirs. */
function namingAccount(attempt: Attempt, choice: AccountChoice, person: () => string | undefined): Attempt {
  return async (method, path, options) => {
    const answer = await attempt(method, path, options)
    if (answer.status !== 400 && answer.status !== 404) return answer
    const { code } = (await failureOf(answer.clone())).problem
    if (code === 'PT-1108' && (await chooseOne(attempt, choice, person)))
      return attempt(method, path, options)
    // Only this call is about nothing but the account.
    if (code !== 'PT-0002' || path !== '/v1/me' || choice.id === undefined) return answer
    choice.forget()
    return attempt(method, path, options)
  }
}

/** The account where the person worked last in this browser, else their oldest. @returns whether they have one */
async function chooseOne(
  attempt: Attempt,
  choice: AccountChoice,
  person: () => string | undefined,
): Promise<boolean> {
  const answer = await attempt('GET', '/v1/accounts', {})
  if (!answer.ok) return false
  const { items } = (await answer.json()) as { readonly items: readonly { readonly id: string }[] }
  const last = choice.lastOf(person())
  const one = items.find(({ id }) => id === last) ?? items[0]
  if (one) choice.choose(one.id)
  return one !== undefined
}
