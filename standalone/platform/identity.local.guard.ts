/**
 * Slows down guessers of passwords, and nobody else (docs/decisions: sign-in lock-out). An attempt is counted before
 * the password is looked at, so a thousand at once count a thousand; a success takes it back. After some free attempts
 * every further one has to wait, doubling. Counters:
 * - an attempt from a device that this user signed in on before: (user, device), which a stranger cannot reach;
 * - any other: (address, source), the source over all addresses, and the address over all sources. The last only slows
 *   guessing down from many networks: it never holds anybody up for more than half a minute.
 */
import { sourceOf } from '@porttunneler/shared/base/addresses'
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import { hashSecret } from '@porttunneler/shared/base/ids'
import { normaliseEmail } from '@porttunneler/shared/control/mail/addresses'
import type { Ref, Store } from '@porttunneler/shared/control/platform'
import { isStillOn } from '@porttunneler/shared/control/stored-times'
import { type FailuresDoc, failures } from './identity.local.documents.ts'

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
  /** A home or an office behind one address has many people who mistype. */
  source: { free: 50, waitMs: minute, waitMsMax: 15 * minute, quietMs: 60 * minute },
  /** NIST SP 800-63B asks for at most 100 failures of an account in a row; after these it is two a minute. */
  address: { free: 30, waitMs: 1_000, waitMsMax: 30_000, quietMs: 60 * minute },
  register: { free: 30, waitMs: minute, waitMsMax: 15 * minute, quietMs: 60 * minute },
  /** Begun at other services and not finished: an office behind one address has many people. */
  social: { free: 60, waitMs: minute, waitMsMax: 15 * minute, quietMs: 60 * minute },
  resetSource: { free: 20, waitMs: minute, waitMsMax: 15 * minute, quietMs: 60 * minute },
  /** Per address, whoever asks, so that nobody's mailbox is flooded. */
  resetEmail: { free: 3, waitMs: 10 * minute, waitMsMax: 60 * minute, quietMs: 6 * 60 * minute },
} as const satisfies Record<string, Limit>

type Counter = {
  readonly limit: Limit
  readonly ref: Ref<FailuresDoc>
  readonly key: 'auth.locked' | 'auth.slowed'
}
/** `until` is the end of the wait that it began, 0 for none. */
type Taken = Counter & { readonly until: number }

export type Attempt = {
  /** Whether the next attempt has to wait because of this one, if it fails. */
  readonly hasLocked: boolean
  /** The password was right: clears what was counted for this person here. */
  forgive(): Promise<void>
  /** Takes only the attempt back: nobody has checked the password. */
  giveBack(): Promise<void>
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
   * @throws auth.locked, auth.slowed with `fields.retryAfterMs`
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
      : [counter('pair', `${email} ${source}`), counter('source', source), counter('address', email)]
    const taken: Taken[] = []
    try {
      for (const each of counters) taken.push(await this.#take(each))
    } catch (error) {
      // A wait on one counter is not a failure on the others.
      await this.#giveBack(taken)
      throw error
    }
    return {
      hasLocked: taken.some(({ until }) => until > 0),
      forgive: () => this.#forgive(taken),
      giveBack: () => this.#giveBack(taken),
    }
  }

  /** @throws auth.locked */
  async countRegistration(from: string): Promise<void> {
    await this.#take(counter('register', sourceOf(from)))
  }

  /** Counts a sign-in that is begun at another service. @throws auth.locked */
  async countSocial(from: string): Promise<void> {
    await this.#take(counter('social', sourceOf(from)))
  }

  /** One of them was finished. */
  async forgiveSocial(from: string): Promise<void> {
    await this.#giveBack([{ ...counter('social', sourceOf(from)), until: 0 }])
  }

  /** @throws auth.locked when this source asks too often */
  async countReset(from: string): Promise<void> {
    await this.#take(counter('resetSource', sourceOf(from)))
  }

  /** @throws auth.locked; the caller hides it, because it would show that somebody asked for this address */
  async countResetMail(email: string): Promise<void> {
    await this.#take(counter('resetEmail', normaliseEmail(email)))
  }

  async #take(counted: Counter): Promise<Taken> {
    const { limit, ref, key } = counted
    const now = this.#clock.now()
    const taken = await this.#store.change(ref, (current) => {
      const span = (lastsMs: number) => ({ nowMs: now, lastsMs })
      const isKept = current && isStillOn(current.ttl.getTime(), span(limit.waitMsMax + limit.quietMs))
      const live = isKept ? current : { count: 0, until: 0 }
      if (isStillOn(live.until, span(limit.waitMsMax)))
        throw fail(key, undefined, { fields: { retryAfterMs: live.until - now } })
      const count = live.count + 1
      const doublings = Math.min(count - limit.free, 20)
      const until = doublings < 0 ? 0 : now + Math.min(limit.waitMsMax, limit.waitMs * 2 ** doublings)
      return { count, until, ttl: new Date(Math.max(now, until) + limit.quietMs) }
    })
    return { ...counted, until: taken?.until ?? 0 }
  }

  /** A right password clears what was counted for this person here, and takes one off the shared counters. */
  async #forgive(taken: readonly Taken[]): Promise<void> {
    const [own, ...shared] = taken
    if (own) await this.#store.delete(own.ref)
    await this.#giveBack(shared)
  }

  /** A wait that began with the attempt ends with it; one that another attempt began stays. */
  async #giveBack(taken: readonly Taken[]): Promise<void> {
    for (const { limit, ref, until } of taken)
      await this.#store.change(ref, (current) => {
        if (!current) return 'keep'
        const count = Math.max(0, current.count - 1)
        const isOver = count < limit.free || current.until === until
        return { ...current, count, until: isOver ? 0 : current.until }
      })
  }
}

function counter(scope: keyof typeof limits, who: string): Counter {
  const key = scope === 'address' ? 'auth.slowed' : 'auth.locked'
  return { limit: limits[scope], ref: failures.ref(`${scope}:${hashSecret(who)}`), key }
}
