/**
 * What went wrong with a call, in the words of the API's problem document (RFC 9457): title, code, detail, cure.
 * Failures that never reached the API (no network, a proxy's own page) get a document of the same shape without a code.
 */
import type { Problem } from '@porttunneler/shared/api/schemas/common'

export type Trouble = Omit<Problem, 'code' | 'type'> & { readonly code?: string; readonly type?: string }

export class ApiFailure extends Error {
  override readonly name = 'ApiFailure'
  readonly problem: Trouble

  constructor(problem: Trouble, options?: ErrorOptions) {
    super(problem.code ? `${problem.code} ${problem.title}` : problem.title, options)
    this.problem = problem
  }

  get status(): number {
    return this.problem.status
  }

  /** Nothing was wrong with the call itself: it may work when the network or the server is back. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500
  }
}

export function unreachable(cause: unknown): ApiFailure {
  return new ApiFailure(
    {
      title: 'The server cannot be reached',
      status: 0,
      detail: 'The request got no answer.',
      cure: 'Check the network connection and that the server runs. Running tunnels are not affected.',
    },
    { cause },
  )
}

/** Nobody is signed in, or not any longer. The pages answer it by showing the sign-in form. */
export function signedOut(): ApiFailure {
  return new ApiFailure({
    title: 'Signed out',
    status: 401,
    detail: 'The session ended.',
    cure: 'Sign in again.',
  })
}

/** The problem document of an answer that is not a success, or a stand-in when the body is not one. */
export async function failureOf(answer: Response): Promise<ApiFailure> {
  const body: unknown = await answer.json().catch(() => undefined)
  if (isProblem(body)) return new ApiFailure(body)
  return new ApiFailure({
    title: `Unexpected answer (HTTP ${answer.status})`,
    status: answer.status,
    detail: 'The answer did not come from the PortTunneler API, perhaps from a proxy before it.',
    cure: 'Try again in a moment; if it goes on, look at what stands between the browser and the server.',
  })
}

/** Every rejection a page may meet, as a failure that can be shown. */
export function toFailure(error: unknown): ApiFailure {
  if (error instanceof ApiFailure) return error
  return new ApiFailure(
    {
      title: 'The console failed',
      status: 0,
      detail: error instanceof Error ? error.message : String(error),
      cure: 'Load the page again. If it goes on, report what you did.',
    },
    { cause: error },
  )
}

function isProblem(body: unknown): body is Problem {
  if (typeof body !== 'object' || body === null) return false
  const { title, status, code } = body as Record<string, unknown>
  return typeof title === 'string' && typeof status === 'number' && typeof code === 'string'
}
