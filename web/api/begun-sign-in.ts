/**
 * The sign-in at another service that this tab has begun. Its half of the secret lies in sessionStorage, which only
 * this tab has: what comes back from the service in another tab, or by somebody's link, cannot be finished
 * (docs/decisions/0082-social-sign-in.md).
 */
import { keptStorage } from './tabs.ts'

const storageKey = 'porttunneler.begun'

export type BegunSignIn = {
  readonly service: string
  readonly secret: string
  /** To sign in, or to add the service to the person who is signed in. */
  readonly purpose: 'sign-in' | 'link'
  /** The query of the page that began it: where to go afterwards. */
  readonly search: string
}

const storage = () => keptStorage(() => sessionStorage)

/** Sends the browser to the service. */
export function leaveFor(
  { url, secret }: { url: string; secret: string },
  begun: Omit<BegunSignIn, 'secret'>,
): void {
  // The server has checked it too: a page must never run what a service calls its address.
  if (!/^https?:\/\//.test(url)) throw new Error('the address of the service is none of the web')
  storage().setItem(storageKey, JSON.stringify({ ...begun, secret }))
  location.assign(url)
}

/** What this tab has begun at the service; only once. */
export function takeBegun(service: string): BegunSignIn | undefined {
  const kept = storage().getItem(storageKey)
  storage().removeItem(storageKey)
  if (kept === null) return undefined
  // Nothing but `leaveFor` writes it.
  const begun = JSON.parse(kept) as BegunSignIn
  return begun.service === service ? begun : undefined
}
