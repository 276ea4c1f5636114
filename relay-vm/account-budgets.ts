/** The memory that the streams of one account may hold together: made with its first session, gone with its last. */
import { Budget } from '@porttunneler/shared/mux/budget'

export class AccountBudgets {
  readonly #all: Budget
  readonly #accounts = new Map<string, { readonly budget: Budget; sessions: number }>()

  /** @param all the process's, which is fair to its children */
  constructor(all: Budget) {
    this.#all = all
  }

  /** For one more session. */
  take(account: string): Budget {
    const known = this.#accounts.get(account) ?? {
      budget: new Budget(Number.POSITIVE_INFINITY, this.#all),
      sessions: 0,
    }
    known.sessions += 1
    this.#accounts.set(account, known)
    return known.budget
  }

  /** One of its sessions is over. */
  release(account: string): void {
    const known = this.#accounts.get(account)
    if (!known || --known.sessions > 0) return
    known.budget.close()
    this.#accounts.delete(account)
  }
}
