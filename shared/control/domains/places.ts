/** Where the records of own domains lead: cells, and the names under theirs. */
import { liesUnder } from '../../base/host-names.ts'
import { wildcardOver, withoutStar } from '../../base/wildcards.ts'
import type { Cell } from '../cells.ts'
import type { Control } from '../control.ts'
import type { DomainDoc } from './domain-documents.ts'

/**
 * The cell under whose domain the record of a claim leads: always the told one where our own records follow the tunnel,
 * else the tunnel's present one.
 */
export function toldCell(
  { dns }: Pick<Control, 'dns'>,
  { cell, cellAway = '' }: Pick<DomainDoc, 'cell' | 'cellAway'>,
  cells: readonly Cell[],
): Cell | undefined {
  const id = dns.kind === 'none' && cellAway !== '' ? cellAway : cell
  return cells.find((one) => one.id === id) ?? cells[0]
}

/** A name under a cell's names is nobody's own domain, nor is a wildcard that stands for one of these. */
export function isOurs(host: string, cells: readonly Pick<Cell, 'domain' | 'host'>[]): boolean {
  const name = withoutStar(host)
  const names = cells.flatMap((cell) => [cell.domain, cell.host])
  return names.some((ours) => liesUnder(name, ours) || wildcardOver(ours) === host)
}
