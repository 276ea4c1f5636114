/** Counts how often something happens a minute, in fixed windows: enough to tell a flood from a working peer. */
export class PerMinute {
  readonly #max: number
  #sinceMs = Number.NEGATIVE_INFINITY
  #count = 0

  constructor(max: number) {
    this.#max = max
  }

  /** True while the limit holds. `nowMs` is monotonic; `weight` is how many events this one counts as. */
  allows(nowMs: number, weight = 1): boolean {
    if (nowMs - this.#sinceMs >= 60_000) {
      this.#sinceMs = nowMs
      this.#count = 0
    }
    this.#count += weight
    return this.#count <= this.#max
  }
}
