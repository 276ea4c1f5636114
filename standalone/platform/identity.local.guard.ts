/**
 * Slows down whoever guesses passwords, and nobody else (docs/decisions: sign-in lock-out). An attempt is counted
 * before the password is looked at, so a thousand at once count a thousand; a success takes it back. After some free
 * attempts every further one has to wait, doubling. Counters:
 * - an attempt from a device that this user signed in on before: (user, device), which a stranger cannot reach;
 * - any other: (address, source), and the source over all addresses. Other sources are never touched.
 */
import { sourceOf } from '@porttunneler/shared/base/addresses'
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import { hashSecret } from '@porttunneler/shared/base/ids'
import type { Ref, Store } from '@porttunneler/shared/control/platform'
import { isStillOn } from '@porttunneler/shared/control/stored-times'
import { type FailuresDoc, failures, normaliseEmail } from './identity.local.documents.ts'

/** `free` attempts without a wait, then `waitMs` doubling up to `waitMsMax`; forgotten after `quietMs` of quiet. */
type Limit = {
  readonly free: number
  readonly waitMs: number
  readonly waitMsMax: number
  readonly quietMs: number
}

const minute = 60_000
export const limits = {
  pair: { free: 5, waitMs: 30_000, waitMsMax: 15 * minute, quietMs: 60 * minute },
  device: { free: 5, waitMs: 30_000, waitMsMax: 15 * minute, quietMs: 60 * minute },
  /** A home or an office behind one address has many people with clumsy fingers. */
  source: { free: 50, waitMs: minute, waitMsMax: 15 * minute, quietMs: 60 * minute },
  register: { free: 30, waitMs: minute, waitMsMax: 15 * minute, quietMs: 60 * minute },
  resetSource: { free: 20, waitMs: minute, waitMsMax: 15 * minute, quietMs: 60 * minute },
  /** Per address, whoever asks: nobody's mailbox is flooded. */
  resetEmail: { free: 3, waitMs: 10 * minute, waitMsMax: 60 * minute, quietMs: 6 * 60 * minute },
} as const satisfies Record<string, Limit>

type Counter = { readonly limit: Limit; readonly ref: Ref<FailuresDoc> }

export type Attempt = {
  /** Whether the next one has to wait because of this one, should it fail. */
  readonly hasLocked: boolean
  /** Takes the attempt back: it was no guess. */
  forgive(): Promise<void>
}

export class Guard {
  readonly #store: Store
  readonly #clock: Clock

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /**
   * Counts a sign-in attempt.
   * @param device id of the known device that the attempt comes from
   * @throws auth.locked with `fields.retryAfterMs`
   */
  async attempt(who: {
    readonly email: string
    readonly from: string
    readonly device: string | undefined
  }): Promise<Attempt> {
    const source = sourceOf(who.from)
    const email = normaliseEmail(who.email)
    const counters = who.device
      ? [counter('device', `${email} ${who.device}`)]
      : [counter('pair', `${email} ${source}`), counter('source', source)]
    const taken: Counter[] = []
    let hasLocked = false
    try {
      for (const each of counters) {
        if (await this.#take(each)) hasLocked = true
        taken.push(each)
      }
    } catch (error) {
      // A wait on one counter is no failure on the other.
      await this.#giveBack(taken)
      throw error
    }
    return { hasLocked, forgive: () => this.#forgive(counters) }
  }

  /** @throws auth.locked */
  async countRegistration(from: string): Promise<void> {
    await this.#take(counter('register', sourceOf(from)))
  }

  /** @throws auth.locked when this source asks too often */
  async countReset(from: string): Promise<void> {
    await this.#take(counter('resetSource', sourceOf(from)))
  }

  /** @throws auth.locked; the caller keeps it to itself, as it would tell that somebody asked for this address */
  async countResetMail(email: string): Promise<void> {
    await this.#take(counter('resetEmail', normaliseEmail(email)))
  }

  /** @returns whether this is where a wait begins */
  async #take({ limit, ref }: Counter): Promise<boolean> {
    const now = this.#clock.now()
    const taken = await this.#store.change(ref, (current) => {
      const span = (lastsMs: number) => ({ nowMs: now, lastsMs })
      const isKept = current && isStillOn(current.ttl.getTime(), span(limit.waitMsMax + limit.quietMs))
      const live = isKept ? current : { count: 0, until: 0 }
      if (isStillOn(live.until, span(limit.waitMsMax)))
        throw fail('auth.locked', undefined, { fields: { retryAfterMs: live.until - now } })
      const count = live.count + 1
      const doublings = Math.min(count - limit.free, 20)
      const until = doublings < 0 ? 0 : now + Math.min(limit.waitMsMax, limit.waitMs * 2 ** doublings)
      return { count, until, ttl: new Date(Math.max(now, until) + limit.quietMs) }
    })
    return (taken?.until ?? 0) > now
  }

  /** The right password clears what was counted for this person here, and takes one off the whole source. */
  async #forgive(counters: readonly Counter[]): Promise<void> {
    const [own, ...shared] = counters
    if (own) await this.#store.delete(own.ref)
    await this.#giveBack(shared)
  }

  async #giveBack(counters: readonly Counter[]): Promise<void> {
    for (const { limit, ref } of counters)
      await this.#store.change(ref, (current) => {
        if (!current) return 'keep'
        const count = Math.max(0, current.count - 1)
        return { ...current, count, until: count < limit.free ? 0 : current.until }
      })
  }
}

function counter(scope: keyof typeof limits, who: string): Counter {
  return { limit: limits[scope], ref: failures.ref(`${scope}:${hashSecret(who)}`) }
}
