/**
 * Limits how often this process asks strangers' name servers, so that nobody can use us to flood a server by pointing
 * many names at it or one name at many. Bounded: when it is full, new zones and addresses wait a minute.
 */
const perMinute = { zone: 240, address: 600 } as const
const entriesMax = 10_000

export class AskingPace {
  /** Counts of this minute; an entry that is missing was not asked. */
  #counts = new Map<string, number>()
  #minute = 0

  /** True when the zone's server at this address may be asked once more. @param nowMs monotonic */
  allows({ zone, address }: { readonly zone: string; readonly address: string }, nowMs: number): boolean {
    const minute = Math.floor(nowMs / 60_000)
    if (minute !== this.#minute) {
      this.#minute = minute
      this.#counts = new Map()
    }
    const ofZone = this.#add(`zone ${zone}`)
    const ofAddress = this.#add(`address ${address}`)
    return ofZone <= perMinute.zone && ofAddress <= perMinute.address
  }

  #add(key: string): number {
    const count = (this.#counts.get(key) ?? 0) + 1
    // Full within a minute: new ones wait for the next minute.
    if (count === 1 && this.#counts.size >= entriesMax) return Number.POSITIVE_INFINITY
    this.#counts.set(key, count)
    return count
  }
}
