/**
 * What the sessions of one account share in this process. It is made for the account's first session and removed with
 * its last.
 */
import { Budget } from '@porttunneler/shared/mux/budget'
import type { MuxShared } from '@porttunneler/shared/mux/fresh-carrier'
import { type JoinWork, LoopWork, WorkShare } from '@porttunneler/shared/mux/work-share'
import type { Origin } from './listeners/origins.ts'
import { SourceShares } from './source-shares.ts'

export type AccountShare = {
  /** Memory that the account's streams may hold. */
  readonly budget: Budget
  /** The account's part of the event loop. */
  readonly work: WorkShare
}

export class AccountShares {
  readonly #memory: Budget
  readonly #loop: LoopWork
  readonly #sources: SourceShares
  readonly #accounts = new Map<string, AccountShare & { sessions: number }>()

  /**
   * @param budget the memory of the process, which it divides fairly among its children
   * @param exempt networks whose work counts for nobody
   */
  constructor({ budget, clock }: Pick<MuxShared, 'budget' | 'clock'>, exempt: readonly string[]) {
    this.#memory = budget
    this.#loop = new LoopWork({ clock })
    this.#sources = new SourceShares(clock, exempt)
  }

  /** Counts a carrier's work for its account and for its address, because anybody can have many accounts. */
  workOf({ work }: AccountShare, { address }: Origin): JoinWork {
    return (worker) => this.#sources.join(address, worker, [work])
  }

  /** For one more session. */
  take(account: string): AccountShare {
    const known = this.#accounts.get(account) ?? {
      budget: new Budget(Number.POSITIVE_INFINITY, this.#memory),
      work: new WorkShare(this.#loop),
      sessions: 0,
    }
    known.sessions += 1
    this.#accounts.set(account, known)
    return known
  }

  /** Call it when a session of the account is over. */
  release(account: string): void {
    const known = this.#accounts.get(account)
    if (!known || --known.sessions > 0) return
    known.work.whenPaid(() => {
      if (known.sessions > 0 || this.#accounts.get(account) !== known) return
      known.budget.close()
      known.work.close()
      this.#accounts.delete(account)
    })
  }
}
