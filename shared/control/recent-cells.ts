/**
 * Cells and their relays: `now` and `find` read them, `lately` returns what this process read up to 15 s ago. A cell
 * has renewals every second, and all would read the same documents. Decide by `now` who gets an endpoint or is away.
 * It is part of `Control`, so that code that sees only one account can describe an address without the whole store.
 */
import type { Clock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import { limits } from '../protocol/limits.ts'
import { type Cell, type KnownRelay, queryAll } from './cells.ts'
import { cells } from './documents.ts'
import type { Store } from './platform.ts'
import { queries } from './query-table.ts'

/** Half the time between two reports of a relay. */
const latelyMs = 15_000
/** After this silence a relay no longer has a say: every ticket it could have seen has expired. */
const goneMs = limits.ticketMs
const cellsMax = 1_000
/** Commands for every cell reach further cells only by `sync`. */
const openCellsMax = 500

type Kept = { readonly cell: Cell; readonly readAt: number }

export class Cells {
  readonly #store: Pick<Store, 'get' | 'query'>
  readonly #clock: Clock
  readonly #kept = new Map<string, Kept>()
  #open: { readonly ids: readonly string[]; readonly readAt: number } | undefined

  constructor(store: Pick<Store, 'get' | 'query'>, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** The cell with its relays that are not gone. */
  async find(id: string): Promise<Cell | undefined> {
    const where = { cell: id }
    const [cell, relays] = await Promise.all([
      this.#store.get(cells.ref(id)),
      queryAll(this.#store, queries.relaysOfCell, { where, from: this.#clock.now() - goneMs }),
    ])
    return cell && { ...cell.data, id, relays }
  }

  /** The same. @throws cell.none */
  async now(id: string): Promise<Cell> {
    const cell = await this.find(id)
    if (!cell) throw fail('cell.none')
    return cell
  }

  /** As it was up to 15 s ago. @throws cell.none */
  async lately(id: string): Promise<Cell> {
    const before = this.#kept.get(id)
    if (before && this.#isRecent(before)) return before.cell
    const cell = await this.now(id)
    if (this.#kept.size >= cellsMax) this.#kept.clear()
    this.#kept.set(id, { cell, readAt: this.#clock.monotonic() })
    return cell
  }

  /** Several of them, each once; '' is none. @throws cell.none */
  async latelyAll(ids: Iterable<string>): Promise<ReadonlyMap<string, Cell>> {
    const wanted = [...new Set(ids)].filter((id) => id !== '')
    return new Map(await Promise.all(wanted.map(async (id) => [id, await this.lately(id)] as const)))
  }

  /** The cells that take new tunnels, oldest first. */
  async openIds(): Promise<readonly string[]> {
    if (this.#open && this.#isRecent(this.#open)) return this.#open.ids
    const options = { where: { state: 'open' }, limit: openCellsMax }
    const { items } = await this.#store.query(queries.cellsByState, options)
    const ids = items.map(({ ref }) => ref.id)
    this.#open = { ids, readAt: this.#clock.monotonic() }
    return ids
  }

  /** Those of `openIds`, as of lately. */
  async open(): Promise<readonly Cell[]> {
    return Promise.all((await this.openIds()).map((id) => this.lately(id)))
  }

  /** Records a relay's report at once, in the process that got it. */
  note(relay: KnownRelay): void {
    const before = this.#kept.get(relay.data.cell)
    if (!before) return
    const others = before.cell.relays.filter(({ ref }) => ref.id !== relay.ref.id)
    const isGone = relay.data.seenAt < this.#clock.now() - goneMs
    const cell = { ...before.cell, relays: isGone ? others : [...others, relay] }
    this.#kept.set(relay.data.cell, { ...before, cell })
  }

  /** The cell was changed here, so the next look reads it anew. */
  forget(id: string): void {
    this.#kept.delete(id)
    this.#open = undefined
  }

  #isRecent({ readAt }: { readonly readAt: number }): boolean {
    return this.#clock.monotonic() - readAt < latelyMs
  }
}
