/**
 * Exchanges refresh tokens, ours at the API and Firebase's at Google, so that Firebase's SDK is needed for signing in
 * alone. Ours begin with `ptr_`. Firebase's stay the same over their uses and end with sign-out everywhere, a change of
 * the password, or disabling.
 */
import type { FirebaseSignIn } from '@porttunneler/shared/api/schemas/service'
import type { Calls } from './calls.ts'
import { ApiFailure, failureOf, signedOut, unreachable } from './failure.ts'
import type { SessionOptions } from './session.ts'

const deadlineMs = 20_000
const google = 'https://'

type Refresh = SessionOptions['refresh']
type Answer = { readonly id_token: string; readonly refresh_token: string; readonly expires_in: string }

export function makeRefresh(
  calls: Pick<Calls, 'config' | 'refresh'>,
  fetch: typeof globalThis.fetch,
): Refresh {
  return async (body) => {
    if (body.refreshToken.startsWith('ptr_')) return calls.refresh(body)
    const { firebase } = await calls.config()
    // The server has gone back to accounts of its own.
    if (!firebase) throw signedOut()
    return refreshAt(firebase, body.refreshToken, fetch)
  }
}

async function refreshAt(
  { apiKey, emulatorUrl }: FirebaseSignIn,
  refreshToken: string,
  fetch: typeof globalThis.fetch,
) {
  const base = emulatorUrl === undefined ? google : `${emulatorUrl}/`
  const answer = await fetch(`${base}securetoken.googleapis.com/v1/token?key=${encodeURIComponent(apiKey)}`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken }),
    signal: AbortSignal.timeout(deadlineMs),
    credentials: 'omit',
    cache: 'no-store',
  }).catch((cause: unknown) => {
    throw unreachable(cause)
  })
  // Expired, revoked, of a disabled or a deleted user: all 400.
  if (answer.status === 400) throw signedOut()
  if (!answer.ok) throw await failureOf(answer)
  const body: unknown = await answer.json().catch(() => undefined)
  if (!isAnswer(body))
    throw new ApiFailure({
      title: 'Unexpected answer of the sign-in service',
      status: 502,
      detail: 'It did not come from Firebase, perhaps from a proxy before it.',
      cure: 'Try again in a moment; if it goes on, look at what stands between the browser and the internet.',
    })
  const { id_token, refresh_token, expires_in } = body
  return { accessToken: id_token, refreshToken: refresh_token, expiresIn: Number(expires_in) }
}

function isAnswer(body: unknown): body is Answer {
  if (typeof body !== 'object' || body === null) return false
  const { id_token, refresh_token, expires_in } = body as Record<string, unknown>
  return typeof id_token === 'string' && typeof refresh_token === 'string' && Number(expires_in) > 0
}
