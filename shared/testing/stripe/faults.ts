/** What goes wrong when a test wants it to. */

/**
 * - `unreachable`: the line breaks before anything happens.
 * - `lost`: it happens, then the line breaks: nobody knows.
 * - `failed`: 500, nothing happened; Stripe keeps that answer for its idempotency key.
 * - `failedAfter`: it happened, and 500 says that it did not.
 * - `busy`: 429 before anything happens.
 * - `slow`: it happens, and the answer waits for `release`.
 */
export type FaultKind = 'unreachable' | 'lost' | 'failed' | 'failedAfter' | 'busy' | 'slow'
export type Fault = {
  readonly kind: FaultKind
  /** Part of "POST /v1/subscriptions"; absent: any request. */
  readonly request?: string | RegExp
  /** How often; 1 unless given. */
  readonly times?: number
}

export class Faults {
  readonly #planned: (Fault & { left: number })[] = []
  #waiting: (() => void)[] = []

  /** The next requests that fit meet this fault, after the faults that were planned earlier. */
  plan(fault: Fault): void {
    this.#planned.push({ ...fault, left: fault.times ?? 1 })
  }

  /** The outage is over: what was planned and has not happened never does. */
  clear(): void {
    this.#planned.length = 0
  }

  /** Lets slow answers go. @returns how many there were */
  release(): number {
    const waiting = this.#waiting
    this.#waiting = []
    for (const go of waiting) go()
    return waiting.length
  }

  /** How many slow answers wait. */
  get waiting(): number {
    return this.#waiting.length
  }

  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
    })
  }

  take(request: string): FaultKind | undefined {
    const found = this.#planned.find(
      ({ left, request: asked = '' }) =>
        left > 0 && (typeof asked === 'string' ? request.includes(asked) : asked.test(request)),
    )
    if (!found) return undefined
    found.left -= 1
    return found.kind
  }
}
