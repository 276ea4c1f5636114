/**
 * Checks passwords of people who sign in or show once more who they are. A try is counted before the password is looked
 * at (identity.local.guard.ts), a wrong one is told to the owner's audit log, and the cost is the same for everybody.
 */
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { recordFailedPassword } from '@porttunneler/shared/control/audit/sign-ins'
import type { Ref, Store } from '@porttunneler/shared/control/platform'
import { type PasswordDoc, passwords } from './identity.local.documents.ts'
import type { Attempt, Guard } from './identity.local.guard.ts'
import { type Place, placeOf } from './identity.local.line.ts'
import type { Passwords } from './identity.local.passwords.ts'
import type { Credentials, SignInSource } from './identity.local.types.ts'

export class Prover {
  readonly #store: Store
  readonly #clock: Clock
  readonly #guard: Guard
  readonly #passwords: Passwords

  constructor({
    store,
    clock,
    guard,
    passwords,
  }: {
    readonly store: Store
    readonly clock: Clock
    readonly guard: Guard
    readonly passwords: Passwords
  }) {
    this.#store = store
    this.#clock = clock
    this.#guard = guard
    this.#passwords = passwords
  }

  /** @throws auth.credentials after the same work whether or not there is such a user */
  async prove(
    { email, password, user }: Credentials & { readonly user: string | undefined },
    caller: SignInSource,
  ): Promise<PasswordDoc> {
    const { from, userAgent, device } = caller
    const attempt = await this.#guard.attempt({ email, from, device })
    const ref = passwords.ref(user ?? 'nobody')
    const stored = (await this.#store.get(ref))?.data
    const isRight = await this.#verify(password, stored?.hash, { attempt, place: placeOf(caller) })
    if (!stored || !isRight) {
      const parts = { store: this.#store, clock: this.#clock }
      await recordFailedPassword(parts, { user, from, userAgent, hasLocked: attempt.hasLocked })
      throw fail('auth.credentials')
    }
    await attempt.forgive()
    if (this.#passwords.isOutdated(stored.hash)) await this.#hashAnew(password, { ref, stored, caller })
    return stored
  }

  /** If the line is full, this waits for the next sign-in: this one is right anyway. */
  async #hashAnew(
    password: string,
    { ref, stored, caller }: { ref: Ref<PasswordDoc>; stored: PasswordDoc; caller: SignInSource },
  ): Promise<void> {
    try {
      const hash = await this.#passwords.hash(password, placeOf(caller))
      await this.#store.change(ref, (now) => (now?.hash === stored.hash ? { ...now, hash } : 'keep'))
    } catch (error) {
      if (!isFailure(error, 'auth.busy')) throw error
    }
  }

  /** Being told to come back is not a guess. */
  async #verify(
    password: string,
    stored: string | undefined,
    { attempt, place }: { readonly attempt: Attempt; readonly place: Place },
  ): Promise<boolean> {
    try {
      return await this.#passwords.verify(password, stored, place)
    } catch (error) {
      await attempt.giveBack()
      throw error
    }
  }
}
