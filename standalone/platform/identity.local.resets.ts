/**
 * Links to set a new password. Asking answers before anything is looked up, so neither words nor time tell whether
 * the address is known. A link works once, for an hour, and dies with any change of the password before.
 */
import { type Clock, sleep } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { hashSecret, newSecret } from '@porttunneler/shared/base/ids'
import { users } from '@porttunneler/shared/control/documents'
import type { Mail, OnBackgroundError, Store } from '@porttunneler/shared/control/platform'
import { emailRef, passwords, resets } from './identity.local.documents.ts'
import type { Guard } from './identity.local.guard.ts'

const resetMs = 60 * 60_000
/** Mails under way at once; who comes on top is turned away, never queued without end. */
const underWayMax = 50
/** SQLite works within the turn, so the look-up waits until the answer has left: else its time would tell. */
const headStartMs = 250

export type ResetOptions = {
  readonly store: Store
  readonly mail: Mail
  readonly clock: Clock
  readonly guard: Guard
  readonly resetUrl: (token: string) => string
  readonly onBackgroundError: OnBackgroundError
}

export class Resets {
  readonly #options: ResetOptions
  readonly #underWay = new Set<Promise<void>>()

  constructor(options: ResetOptions) {
    this.#options = options
  }

  /** @throws auth.locked, auth.busy; never because of the address */
  async request(email: string, from: string): Promise<void> {
    await this.#options.guard.countReset(from)
    if (this.#underWay.size >= underWayMax)
      throw fail('auth.busy', undefined, { fields: { retryAfterMs: 3_000 } })
    const task = this.#send(email).catch((error) =>
      this.#options.onBackgroundError('password reset mail', error),
    )
    this.#underWay.add(task)
    void task.finally(() => this.#underWay.delete(task))
  }

  /** Turns a token away before a costly hash is made for it. @throws auth.reset */
  async check(token: string): Promise<void> {
    const reset = (await this.#options.store.get(resets.ref(hashSecret(token))))?.data
    if (!reset || reset.ttl.getTime() <= this.#options.clock.now()) throw fail('auth.reset')
  }

  /** Spends the token and sets the password. @returns the user @throws auth.reset */
  async redeem(token: string, hash: string): Promise<string> {
    const { store, clock } = this.#options
    const ref = resets.ref(hashSecret(token))
    return store.transact(async (tx) => {
      const now = clock.now()
      const reset = (await tx.get(ref))?.data
      if (!reset || reset.ttl.getTime() <= now) throw fail('auth.reset')
      const password = (await tx.get(passwords.ref(reset.user)))?.data
      const user = (await tx.get(users.ref(reset.user)))?.data
      if (!user || password?.generation !== reset.generation) throw fail('auth.reset')
      tx.delete(ref)
      tx.set(passwords.ref(reset.user), { hash, generation: reset.generation + 1 })
      // Whoever holds the link reads the mailbox.
      tx.update(users.ref(reset.user), {
        emailVerified: true,
        validSince: Math.max(now, user.validSince) + 1,
      })
      return reset.user
    })
  }

  /** Waits for the mails under way. */
  async close(): Promise<void> {
    await Promise.all(this.#underWay)
  }

  async #send(email: string): Promise<void> {
    const { store, mail, clock, guard, resetUrl } = this.#options
    await sleep(clock, headStartMs)
    try {
      await guard.countResetMail(email)
    } catch (error) {
      // Enough mails went to this address lately; who asks for one more is not told.
      if (isFailure(error, 'auth.locked')) return
      throw error
    }
    const user = (await store.get(emailRef(email)))?.data.user
    const [known, password] = user
      ? await Promise.all([store.get(users.ref(user)), store.get(passwords.ref(user))])
      : []
    if (!user || !known || !password || known.data.status !== 'active') return
    const token = newSecret('ptw')
    await store.create(resets.ref(hashSecret(token)), {
      user,
      generation: password.data.generation,
      ttl: new Date(clock.now() + resetMs),
    })
    await mail.send({
      to: known.data.email,
      subject: 'Set a new PortTunneler password',
      text: letter(resetUrl(token)),
    })
  }
}

function letter(link: string): string {
  return `Somebody, hopefully you, asked to set a new password for this address at PortTunneler.

Open this link within an hour to choose one:

${link}

If it was not you, there is nothing to do: your password stays as it is.`
}
