/**
 * Finds free tcp endpoints for the claims of this process. Claims that look at the same moment share one query and get
 * different results. When hundreds of agents start together, separate queries would read the same documents, and their
 * claims would then race for the same ports.
 */
import type { Control } from './control.ts'
import { queries } from './query-table.ts'

/** Rows read for each claim: some of them are taken by the time they are claimed. */
const rowsEach = 4
const rowsMax = 200
/** By then the claim is over. */
const givenMs = 10_000

type Looking = {
  /** Whether it must not get this one. */
  readonly isOut: (id: string) => boolean
  /** How many those may be. */
  readonly outs: number
  readonly resolve: (id: string | undefined) => void
  readonly reject: (error: unknown) => void
}

export class FreeEndpoints {
  /** By cell; present while a query runs. */
  readonly #looking = new Map<string, Looking[]>()
  /** Endpoints given lately -> when. */
  readonly #given = new Map<string, number>()

  /** Returns one at a random place, or undefined when there is none. */
  find(control: Control, cell: string, outs: readonly ReadonlySet<string>[]): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      const isOut = (id: string) => outs.some((set) => set.has(id))
      const one = { isOut, outs: outs.reduce((sum, { size }) => sum + size, 0), resolve, reject }
      const others = this.#looking.get(cell)
      if (others) others.push(one)
      else void this.#drain(control, cell, one)
    })
  }

  /** Never rejects. */
  async #drain(control: Control, cell: string, first: Looking): Promise<void> {
    const waiting = [first]
    this.#looking.set(cell, waiting)
    while (waiting.length > 0) await this.#serve(control, cell, waiting.splice(0, rowsMax / rowsEach))
    this.#looking.delete(cell)
  }

  async #serve(control: Control, cell: string, group: readonly Looking[]): Promise<void> {
    try {
      let left = group
      // The second query starts at the beginning of the order: the random place may have been near its end.
      for (const from of [control.random(), 0]) {
        if (left.length > 0) left = this.#give(control, left, await this.#read(control, cell, { left, from }))
      }
      for (const { resolve } of left) resolve(undefined)
    } catch (error) {
      for (const { reject } of group) reject(error)
    }
  }

  async #read(
    control: Control,
    cell: string,
    { left, from }: { left: readonly Looking[]; from: number },
  ): Promise<readonly string[]> {
    const where = { cell, kind: 'tcp', state: 'free' }
    const outs = Math.min(100, Math.max(...left.map((one) => one.outs)))
    const limit = Math.min(rowsMax, rowsEach * left.length) + outs
    const { items } = await control.store.query(queries.freeEndpoints, { where, from, limit })
    return items.map(({ ref }) => ref.id)
  }

  /** @returns the claims that got none */
  #give({ clock, random }: Control, group: readonly Looking[], ids: readonly string[]): readonly Looking[] {
    const now = clock.monotonic()
    for (const [id, at] of this.#given) if (at <= now - givenMs) this.#given.delete(id)
    const fresh = ids.filter((id) => !this.#given.has(id))
    const others = ids.filter((id) => this.#given.has(id))
    return group.filter(({ isOut, resolve }) => {
      const id = takeOne(fresh, { isOut, random }) ?? takeOne(others, { isOut, random })
      if (id === undefined) return true
      this.#given.set(id, now)
      resolve(id)
      return false
    })
  }
}

function takeOne(
  ids: string[],
  { isOut, random }: { isOut: (id: string) => boolean; random: () => number },
): string | undefined {
  const fits = ids.filter((id) => !isOut(id))
  const id = fits[Math.floor(random() * fits.length)]
  if (id !== undefined) ids.splice(ids.indexOf(id), 1)
  return id
}
