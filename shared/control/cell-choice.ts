/** Chooses a tunnel's cell: the one it was in, the one its agent names, the nearest, or the one with most room. */
import type { OpenCells } from '../api/schemas/tunnels.ts'
import { fail } from '../base/errors.ts'
import { type Cell, readyRelays } from './cells.ts'
import type { Control } from './control.ts'
import { silentMs } from './presence.ts'

/** An agent measures the way to each, so list only as many as it can measure in a second beside its other work. */
const cellsListed = 16

export type CellWish = {
  /** The cell it was in: it stays there while that is open. */
  readonly preferred: string
  /** The cell it must go to, wherever it was. */
  readonly named?: string | undefined
  /** Nearest first, for a tunnel that has no cell yet. */
  readonly near?: readonly string[] | undefined
  /** Cells that just had no room. */
  readonly full?: readonly string[]
}

/** @throws cell.none, cell.unknown */
export async function chooseCell(
  control: Control,
  { preferred, named, near = [], full = [] }: CellWish,
): Promise<Cell> {
  const wanted = named ?? preferred
  const known = wanted === '' ? undefined : await control.cells.find(wanted)
  if (known?.state === 'open' && !full.includes(known.id)) {
    if (readyRelays(control, known).length === 0) throw fail('cell.none')
    return known
  }
  // This may be some seconds old: a claim that takes an endpoint there looks again.
  const ready = await readyCells(control)
  if (named !== undefined) throw unknownCell(named, { isThere: known !== undefined, ready })
  const roomy = ready.filter(({ id }) => !full.includes(id))
  const nearest = near.flatMap((id) => roomy.find((cell) => cell.id === id) ?? [])[0]
  const [emptiest] = roomy.toSorted((a, b) => sessionsOf(a) - sessionsOf(b))
  const best = nearest ?? emptiest
  if (!best) throw fail('cell.none')
  return control.cells.now(best.id)
}

/** The cells that take new tunnels, with one relay each, so that agents can measure the way to them. */
export async function listCells(control: Control): Promise<OpenCells> {
  const ready = await readyCells(control)
  return {
    cells: ready.slice(0, cellsListed).flatMap((cell) => {
      const [relay] = readyRelays(control, cell)
      if (!relay) return []
      const { host, port, sni } = relay.agentAddress
      return [{ id: cell.id, host, port, sni }]
    }),
  }
}

/**
 * Whether a closed cell is lost: none of its relays reports, while those of an open one were heard all along. Without
 * the second, the control plane may have been away itself, and agents are back before the relays that serve them.
 */
export async function isLost(control: Control, cell: Cell): Promise<boolean> {
  const since = control.clock.now() - silentMs
  if (cell.state !== 'closed' || cell.relays.some(({ data }) => data.seenAt >= since)) return false
  const others = (await readyCells(control)).flatMap(({ relays }) => relays.map(({ data }) => data))
  return others.some(({ seenAt, bootAt, heardSince = bootAt }) => seenAt >= since && heardSince <= since)
}

/** Oldest first. */
async function readyCells(control: Control): Promise<readonly Cell[]> {
  const open = await control.cells.open()
  return open.filter((cell) => readyRelays(control, cell).length > 0)
}

function unknownCell(id: string, { isThere, ready }: { isThere: boolean; ready: readonly Cell[] }) {
  const ids = ready.slice(0, cellsListed).map((cell) => cell.id)
  const what = isThere ? `The cell "${id}" takes no new tunnels.` : `There is no cell "${id}".`
  return fail('cell.unknown', `${what} Open: ${ids.length > 0 ? ids.join(', ') : 'none now'}.`)
}

function sessionsOf(cell: Cell): number {
  return cell.relays.reduce((sum, { data }) => sum + data.load.sessions, 0) / cell.relays.length
}
