/**
 * Which of a person's accounts this tab works on. Each tab keeps its own choice, so two tabs can show two accounts; a
 * new tab begins with the last one chosen. Without a choice the API is asked for none, which is right for most people:
 * they have one account.
 *
 * The choice ends with the session. What stays is the last one of each person, by opaque ids alone: after a new sign-in
 * they land where they worked last, and nobody else of this browser does.
 */
type Kept = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>

const storageKey = 'porttunneler.account'
const lastKey = 'porttunneler.accounts'
/** People of one browser whose last account is kept; the longest absent is forgotten. */
const peopleMax = 10

type Last = readonly (readonly [person: string, account: string])[]

export class AccountChoice {
  readonly #tab: Kept
  readonly #browser: Kept

  constructor(tab: Kept, browser: Kept) {
    this.#tab = tab
    this.#browser = browser
    const id = this.id
    // Else the tab would follow when another one chooses.
    if (id !== undefined) tab.setItem(storageKey, id)
  }

  get id(): string | undefined {
    return this.#tab.getItem(storageKey) ?? this.#browser.getItem(storageKey) ?? undefined
  }

  /** @param person whose choice it is, where that is known */
  choose(id: string, person?: string): void {
    this.#tab.setItem(storageKey, id)
    this.#browser.setItem(storageKey, id)
    if (person === undefined) return
    const others = this.#last().filter(([one]) => one !== person)
    this.#browser.setItem(lastKey, JSON.stringify([[person, id], ...others].slice(0, peopleMax)))
  }

  /** What this person chose last in this browser, which they may have left since. */
  lastOf(person: string | undefined): string | undefined {
    return this.#last().find(([one]) => one === person)?.[1]
  }

  forget(): void {
    this.#tab.removeItem(storageKey)
    this.#browser.removeItem(storageKey)
  }

  #last(): Last {
    try {
      const kept: unknown = JSON.parse(this.#browser.getItem(lastKey) ?? '[]')
      return Array.isArray(kept) ? kept.filter(isPair) : []
    } catch {
      return []
    }
  }
}

function isPair(value: unknown): value is Last[number] {
  return Array.isArray(value) && value.length === 2 && value.every((one) => typeof one === 'string')
}
