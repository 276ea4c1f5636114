/** The invite code that a link brought, kept until the account is made: signing up leads through a mail, or Google. */

const storageKey = 'porttunneler.invite'

export function keepInvite(code: string): void {
  localStorage.setItem(storageKey, code)
}

/** '' without one. */
export function keptInvite(): string {
  return localStorage.getItem(storageKey) ?? ''
}

export function forgetInvite(): void {
  localStorage.removeItem(storageKey)
}
