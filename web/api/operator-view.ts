/**
 * The account that an operator looks at in this tab, if they do. Only the tab that began it shows it, and only until
 * its end; every call names it then (requests.ts), so that no page can show the operator's own account by mistake. The
 * API decides what it shows.
 */
import type { Clock } from '@porttunneler/shared/base/clock'
import type { View } from './operator-calls.ts'

type Kept = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>
/** `untilMs`: by this browser's clock, which may be wrong. */
export type ViewHere = Pick<View, 'id' | 'account' | 'accountName' | 'email'> & { readonly untilMs: number }

const storageKey = 'porttunneler.view'

export class OperatorView {
  readonly #tab: Kept
  readonly #clock: Pick<Clock, 'now'>
  readonly #onOver: () => void

  /** @param onOver shows the operator's own pages, because the view has ended without them */
  constructor(tab: Kept, clock: Pick<Clock, 'now'>, onOver: () => void) {
    this.#tab = tab
    this.#clock = clock
    this.#onOver = onOver
  }

  get now(): ViewHere | undefined {
    const text = this.#tab.getItem(storageKey)
    return text === null ? undefined : parse(text)
  }

  begin({ id, account, accountName, email, startedAt, endsAt }: View): void {
    const untilMs = this.#clock.now() + endsAt - startedAt
    const here: ViewHere = { id, account, accountName, untilMs, ...(email !== undefined && { email }) }
    this.#tab.setItem(storageKey, JSON.stringify(here))
  }

  forget(): void {
    this.#tab.removeItem(storageKey)
  }

  /** It has ended: by its time, or as the API says. */
  over(): void {
    if (!this.now) return
    this.forget()
    this.#onOver()
  }
}

/** Anything else in its place was not written by this console: then nothing is viewed. */
function parse(text: string): ViewHere | undefined {
  try {
    const { id, account, accountName, email, untilMs } = JSON.parse(text) as Partial<ViewHere>
    if (typeof id !== 'string' || typeof account !== 'string' || typeof untilMs !== 'number') return undefined
    return {
      id,
      account,
      accountName: accountName ?? account,
      untilMs,
      ...(email !== undefined && { email }),
    }
  } catch {
    return undefined
  }
}
