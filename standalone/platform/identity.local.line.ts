/**
 * Decides who may hash a password now. A hash costs 200 ms of a core, so few run at once, few wait, none of them long,
 * and the rest is told to come back. Sources share the places: when the line is full its largest holder yields to a
 * smaller one. Sources also take turns, and known devices have turns apart from all others. So a flood waits for
 * itself.
 */
import { sourceOf } from '@porttunneler/shared/base/addresses'
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import { FairPool } from '@porttunneler/shared/base/fair-pool'

/** Half of libuv's four threads: files and DNS share them. */
export const runningMax = 2
/** At 200 ms each, the last in line waits 3 s. */
export const waitingMax = 30
/** More than the line needs when hashing is not slower than usual. A browser gives up much later, and tries again. */
export const waitMsMax = 5_000

/** Known devices share half of the turns, whoever owns them; strangers share by their network. */
export type Place = readonly [kind: 'known' | 'stranger', who: string]

/** @param device the id of a known one */
export function placeOf({
  from,
  device,
}: {
  readonly from: string
  readonly device?: string | undefined
}): Place {
  return device === undefined ? ['stranger', sourceOf(from)] : ['known', device]
}

type Waiter = { readonly place: Place; readonly go: () => void; timer?: Timer }

export class Line {
  readonly #pool = new FairPool<Waiter>({ limit: waitingMax, yields: 'newest' })
  /** The next turn comes first, both among the kinds and among those who wait in each. */
  readonly #turns = new Map<string, Map<string, Waiter[]>>()
  readonly #clock: Pick<Clock, 'after'>
  #running = 0

  constructor(clock: Pick<Clock, 'after'>) {
    this.#clock = clock
  }

  /** Resolves when it is the caller's turn, which `leave` ends. @throws auth.busy */
  enter(place: Place): Promise<void> {
    if (this.#running < runningMax) {
      this.#running++
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { place, go: resolve }
      const drop = () => {
        this.#forget(waiter)
        reject(busy())
      }
      if (this.#pool.add(waiter, place, drop) !== undefined) return reject(busy())
      this.#append(waiter)
      const giveUp = () => {
        this.#pool.remove(waiter)
        drop()
      }
      waiter.timer = this.#clock.after(waitMsMax, giveUp, { background: true })
    })
  }

  /** Passes the turn on directly, so that nobody slips in between. */
  leave(): void {
    const next = this.#next()
    if (next) next.go()
    else this.#running--
  }

  #append(waiter: Waiter): void {
    const [kind, who] = waiter.place
    const sources = this.#turns.get(kind) ?? new Map<string, Waiter[]>()
    this.#turns.set(kind, sources)
    const waiting = sources.get(who) ?? []
    sources.set(who, waiting)
    waiting.push(waiter)
  }

  #next(): Waiter | undefined {
    const [first] = this.#turns
    if (!first) return undefined
    const [kind, sources] = first
    const [[who, [waiter]] = ['', []]] = sources
    if (!waiter) return undefined
    this.#pool.remove(waiter)
    this.#forget(waiter)
    rotate(sources, who)
    rotate(this.#turns, kind)
    return waiter
  }

  #forget(waiter: Waiter): void {
    waiter.timer?.clear()
    const [kind, who] = waiter.place
    const sources = this.#turns.get(kind)
    const waiting = sources?.get(who)
    waiting?.splice(waiting.indexOf(waiter), 1)
    if (waiting?.length === 0) sources?.delete(who)
    if (sources?.size === 0) this.#turns.delete(kind)
  }
}

/** Moves `key` to the end, if it is there. */
function rotate<T>(map: Map<string, T>, key: string): void {
  const value = map.get(key)
  if (value === undefined) return
  map.delete(key)
  map.set(key, value)
}

function busy() {
  return fail('auth.busy', undefined, { fields: { retryAfterMs: 3_000 } })
}
