/**
 * Where the relays are, cell by cell, from the control plane's answers. An agent with tunnels in several cells learns
 * of each cell from the answers about its own tunnels, so an answer about some cells leaves the others alone.
 */
import type { ClaimResult, RelayAddress } from '@porttunneler/shared/api/schemas/tunnels'

/** `cell` is undefined if an older server did not name it: then every ticket is shown there. */
export type PlacedRelay = { readonly address: RelayAddress; readonly cell: string | undefined }

/** Whether a ticket of one cell may be shown to a relay of the other. */
export function isSameCell(one: string | undefined, other: string | undefined): boolean {
  return one === undefined || other === undefined || one === other
}

export class Directory {
  readonly #relays = new Map<string | undefined, readonly RelayAddress[]>()

  set(cell: string | undefined, relays: readonly RelayAddress[]): void {
    // An empty list is not news: agents that are there should not leave.
    if (relays.length > 0) this.#relays.set(cell, relays)
  }

  /**
   * @param leased the cells of all leases that the agent has now
   * @returns whether it changed anything
   */
  take({ relays, cell, otherCells = [] }: ClaimResult, leased: ReadonlySet<string | undefined>): boolean {
    const named = new Map([[cell, relays], ...otherCells.map((one) => [one.cell, one.relays] as const)])
    for (const [where, list] of named) this.set(where, list)
    for (const known of this.#relays.keys())
      if (!named.has(known) && !leased.has(known)) this.#relays.delete(known)
    return [...named.values()].some((list) => list.length > 0)
  }

  all(): readonly PlacedRelay[] {
    return [...this.#relays].flatMap(([cell, relays]) => relays.map((address) => ({ address, cell })))
  }
}
