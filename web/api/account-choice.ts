/**
 * Which of a person's accounts this tab works on. Each tab keeps its own choice, so two tabs can show two accounts; a
 * new tab begins with the last one chosen. Without a choice the API is asked for none, which is right for most people:
 * they have one account.
 */
type Kept = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>

const storageKey = 'porttunneler.account'

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

  choose(id: string): void {
    this.#tab.setItem(storageKey, id)
    this.#browser.setItem(storageKey, id)
  }

  forget(): void {
    this.#tab.removeItem(storageKey)
    this.#browser.removeItem(storageKey)
  }
}
