/** Where the records of own domains lead: cells, and the names under theirs. */
import { liesUnder } from '../../base/host-names.ts'
import type { Cell } from '../cells.ts'
import type { Control } from '../control.ts'

export async function openCells({ cells }: Pick<Control, 'cells'>): Promise<readonly Cell[]> {
  return Promise.all((await cells.openIds()).map((id) => cells.lately(id)))
}

/** A name under a cell's names is nobody's own domain. */
export function isOurs(host: string, cells: readonly Pick<Cell, 'domain' | 'host'>[]): boolean {
  return cells.some((cell) => liesUnder(host, cell.domain) || liesUnder(host, cell.host))
}
