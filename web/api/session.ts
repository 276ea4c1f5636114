/**
 * Who is signed in here. The access token lives in memory only; the refresh token in localStorage, where it is used
 * once and replaced (docs/decisions/0011-console-session.md says why not a cookie). Invariant: one refresh at a time in
 * all tabs together, because a refresh token that was used before ends the whole session.
 */
import type { Tokens } from '@porttunneler/shared/api/schemas/accounts'
import type { Clock } from '@porttunneler/shared/base/clock'
import { ApiFailure, signedOut } from './failure.ts'

const storageKey = 'porttunneler.refresh'
/** An access token this close to its end is not handed out any more: the request must arrive with it, too. */
const marginMs = 20_000

export type SessionOptions = {
  readonly storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>
  readonly clock: Clock
  /** Exchanges a refresh token; rejects with an ApiFailure. */
  readonly refresh: (body: { refreshToken: string }) => Promise<Tokens>
  /** Runs `task` while no other tab runs one. */
  readonly exclusively: <T>(task: () => Promise<T>) => Promise<T>
}

export class Session {
  readonly #options: SessionOptions
  readonly #listeners = new Set<() => void>()
  #access: { readonly token: string; readonly untilMs: number } | undefined
  #refreshing: Promise<string> | undefined

  constructor(options: SessionOptions) {
    this.#options = options
  }

  get isSignedIn(): boolean {
    return this.#kept() !== undefined
  }

  /** Whose the access token is, as it says itself; undefined before the first one has come. */
  get person(): string | undefined {
    return this.#access && subjectOf(this.#access.token)
  }

  /** Calls `listener` when somebody signed in or out, here or in another tab. Returns the way to stop. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Takes the tokens of a sign-in. */
  accept(tokens: Tokens): void {
    this.#keep(tokens)
    this.#tell()
  }

  /** A usable access token, refreshed if needed. Rejects with `signedOut()` or why the refresh failed. */
  async accessToken(): Promise<string> {
    const access = this.#access
    if (access && access.untilMs > this.#options.clock.monotonic()) return access.token
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined
    })
    return this.#refreshing
  }

  /** The API refused this token: forget it, so that the next call refreshes. */
  refuse(token: string): void {
    if (this.#access?.token === token) this.#access = undefined
  }

  /** For telling the API which session family to end. */
  get refreshToken(): string | undefined {
    return this.#kept()
  }

  /** Forgets the session in every tab. */
  end(): void {
    this.#access = undefined
    this.#options.storage.removeItem(storageKey)
    this.#tell()
  }

  /**
   * The API takes this token no more, although it was renewed a moment ago. Of several calls that learn so at once the
   * first ends the session, and none ends one that began since.
   */
  endOf(token: string): void {
    if (this.#access?.token === token) this.end()
  }

  /** Another tab wrote to the storage: its sign-out is ours. */
  onStorage(key: string | null): void {
    if (key !== storageKey && key !== null) return
    if (!this.isSignedIn) this.#access = undefined
    this.#tell()
  }

  async #refresh(): Promise<string> {
    return this.#options.exclusively(async () => {
      // Read inside the lock: the tab that had it before has replaced the token.
      const refreshToken = this.#kept()
      if (refreshToken === undefined) throw signedOut()
      try {
        return this.#keep(await this.#options.refresh({ refreshToken }))
      } catch (error) {
        const isRefused = error instanceof ApiFailure && !error.isPassing
        if (isRefused && this.#kept() === refreshToken) this.end()
        throw isRefused ? signedOut() : error
      }
    })
  }

  #keep(tokens: Tokens): string {
    const { storage, clock } = this.#options
    storage.setItem(storageKey, tokens.refreshToken)
    const untilMs = clock.monotonic() + tokens.expiresIn * 1_000 - marginMs
    this.#access = { token: tokens.accessToken, untilMs }
    return tokens.accessToken
  }

  #kept(): string | undefined {
    return this.#options.storage.getItem(storageKey) ?? undefined
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }
}

/** Only for what this browser keeps: nothing is allowed by it. */
function subjectOf(token: string): string | undefined {
  try {
    const payload = token.split('.')[1]?.replaceAll('-', '+').replaceAll('_', '/') ?? ''
    const { sub }: { readonly sub?: unknown } = JSON.parse(atob(payload))
    return typeof sub === 'string' ? sub : undefined
  } catch {
    return undefined
  }
}
