/** What local sign-in takes and returns: the interface for its routes, and what its parts share. */
import type { Key, Tokens } from '@porttunneler/shared/api/schemas/accounts'
import type { Clock } from '@porttunneler/shared/base/clock'
import type { JobKind } from '@porttunneler/shared/control/jobs/jobs'
import type { Identity, KeyVault, Store } from '@porttunneler/shared/control/platform'
import type { PublicKeys } from './identity.local.keys.ts'
import type { PasswordCost } from './identity.local.passwords.ts'
import type { ProviderSettings } from './oidc/settings.ts'
import type { SocialSignIns } from './oidc/social.ts'

/** What a sign-in brings besides the password. */
export type SignInSource = {
  /** Address the request came from. */
  readonly from: string
  /** What the calling program says it is. */
  readonly userAgent?: string | undefined
  /** The device secret that an earlier sign-in gave, if any. */
  readonly device?: string | undefined
}
export type Credentials = { readonly email: string; readonly password: string }
export type PasswordChange = {
  readonly current: string
  readonly next: string
  /** Whether the keys end as well. */
  readonly endKeys?: boolean | undefined
}
export type PasswordReset = {
  readonly token: string
  readonly password: string
  readonly endKeys?: boolean | undefined
}
export type LogoutRequest = {
  readonly refreshToken?: string | undefined
  readonly bearer?: string | undefined
  readonly everywhere: boolean
  readonly endKeys?: boolean | undefined
}
/** The device keeps `device` for its next sign-in; undefined when it showed a valid one. */
export type SignedIn = { readonly tokens: Tokens; readonly device?: string }

export interface LocalIdentity extends Identity {
  /** Resolves before anything is looked up. A job mails, also to a person with an account. @throws auth.locked */
  requestAccount(email: string, caller: SignInSource): Promise<void>
  /** Makes the user of the address that the mail went to. @throws auth.reset, auth.taken, auth.busy, auth.weak */
  confirmAccount(
    given: { readonly token: string; readonly password: string },
    caller: SignInSource,
  ): Promise<SignedIn>
  /**
   * Makes a user whose mailbox nobody has proven: for the operator, never for strangers, because it shows who has an
   * account. @throws auth.taken, auth.locked, auth.busy, auth.weak
   */
  register(given: Credentials, caller: SignInSource): Promise<SignedIn>
  /** @throws auth.credentials, auth.locked, auth.busy, auth.disabled; auth.invalid if the password changes now */
  login(given: Credentials, caller: SignInSource): Promise<SignedIn>
  /** For a person whose passkey was checked and counts as both factors. @throws auth.disabled */
  signInByPasskey(user: string, caller: SignInSource): Promise<SignedIn>
  /** @throws auth.invalid, auth.reused, auth.disabled */
  refresh(refreshToken: string, caller?: SignInSource): Promise<Tokens>
  /** Ends one session. With `everywhere`, whatever the user holds anywhere. @throws auth.invalid */
  logout(given: LogoutRequest, caller?: SignInSource): Promise<void>
  /** Ends every other session, and returns the keys that are left. @throws as login, and auth.weak */
  changePassword(
    bearer: string,
    given: PasswordChange,
    caller: SignInSource,
  ): Promise<SignedIn & { readonly keys: readonly Key[] }>
  /**
   * Checks the password of a signed-in person, who shows that they still are the one who signed in.
   * @returns the sign-in of the bearer @throws as login
   */
  prove(bearer: string, password: string, caller: SignInSource): Promise<string>
  /** Resolves before anything is looked up; a job sends the mail. @throws auth.locked */
  requestReset(email: string, caller: SignInSource): Promise<void>
  /**
   * Sets the password and ends every session; the device counts as known. If it is the first proof of the mailbox, all
   * earlier keys end with it, because somebody else may have registered the address. `keys` are those left.
   * @throws auth.reset, auth.busy, auth.weak
   */
  confirmReset(
    given: PasswordReset,
    caller?: SignInSource,
  ): Promise<{ readonly device: string; readonly keys: readonly Key[] }>
  jwks(): Promise<PublicKeys>
  /** Signing in with other services. */
  readonly social: SocialSignIns
  /** Work that sign-in leaves for a worker. */
  readonly jobs: readonly JobKind[]
}

export type LocalIdentityOptions = {
  readonly store: Store
  readonly vault: KeyVault
  readonly clock: Clock
  /** The `iss` of access tokens: the public address of the API. */
  readonly issuer: string
  /** The page where a person sets a new password. */
  readonly resetUrl: (token: string) => string
  /** The page where a person chooses the password of a new account. */
  readonly registerUrl: (token: string) => string
  readonly signInUrl: string
  /** Services to sign in with. Default: none. */
  readonly providers?: readonly ProviderSettings[]
  /** For the requests of one step of such a sign-in. Only lower in tests. */
  readonly stepMs?: number
  /** The page that a service sends browsers back to. */
  readonly returnUrl: (provider: string) => string
  /** New people accept documents before anything else. Default: there are none. */
  readonly hasTerms?: boolean
  /** Tells workers of jobs that were just asked for. */
  readonly kick: (ids: readonly string[]) => Promise<void>
  /** Only lower in tests. */
  readonly passwordCost?: PasswordCost
}
