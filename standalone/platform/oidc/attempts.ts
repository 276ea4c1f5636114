/**
 * Sign-ins at other services that are on their way. Each belongs to one browser: the page keeps its half in the tab's
 * sessionStorage, and `state` travels through the service. Both are needed to finish, once, within ten minutes. So a
 * link with somebody else's code signs nobody in (RFC 9700, section 4.7). PKCE's verifier and the nonce are made from
 * the halves, so the store has nothing that could finish a sign-in.
 */
import { createHmac } from 'node:crypto'
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import { hashSecret, newSecret } from '@porttunneler/shared/base/ids'
import type { Store } from '@porttunneler/shared/control/platform'
import { isStillOn } from '@porttunneler/shared/control/stored-times'
import { type AttemptDoc, attempts } from '../identity.local.documents.ts'
import type { Binding } from './provider.ts'

const attemptMs = 10 * 60_000

/** Both halves: `state` travels through the service, `secret` stays in the browser. */
export type Halves = { readonly state: string; readonly secret: string }

/** @param user who wants to link a service to themselves; '' for a sign-in */
export async function beginAttempt(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  { provider, user }: { readonly provider: string; readonly user: string },
): Promise<Halves> {
  const halves = { state: newSecret('pto'), secret: newSecret('ptq') }
  const ttl = new Date(clock.now() + attemptMs)
  await store.create(attempts.ref(hashSecret(halves.state)), {
    provider,
    user,
    half: hashSecret(halves.secret),
    ttl,
  })
  return halves
}

/** Uses the attempt up. A wrong half leaves it alone: its own browser can still finish. @throws social.attempt */
export async function takeAttempt(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  { state, secret }: Halves,
  expected: Pick<AttemptDoc, 'provider' | 'user'>,
): Promise<void> {
  const ref = attempts.ref(hashSecret(state))
  await store.transact(async (tx) => {
    const attempt = (await tx.get(ref))?.data
    const isOn = attempt && isStillOn(attempt.ttl.getTime(), { nowMs: clock.now(), lastsMs: attemptMs })
    if (!isOn || attempt.half !== hashSecret(secret)) throw fail('social.attempt')
    // Two services that are mixed up would get each other's codes (RFC 9700, section 4.4).
    if (attempt.provider !== expected.provider || attempt.user !== expected.user) throw fail('social.attempt')
    tx.delete(ref)
  })
}

export function bindingOf({ state, secret }: Halves, redirectUri: string): Binding {
  const derive = (purpose: string) =>
    createHmac('sha256', secret).update(`${purpose} ${state}`).digest('base64url')
  return { redirectUri, state, verifier: derive('verifier'), nonce: derive('nonce') }
}
