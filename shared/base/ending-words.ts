/** How the end of a connection is told, in the data plane's own codes. */
import { codes, keyOfCode } from './errors.ts'

/**
 * @param number of a PT code, as RESET carries it; 0: it ended in order
 * @returns no code for an end in order, and the title of a code that this release knows
 */
export function endingOf(number: number): { readonly code?: string; readonly reason: string } {
  if (number === 0) return { reason: 'Ended in order' }
  const code = `PT-${String(number).padStart(4, '0')}`
  const key = keyOfCode(code)
  return { code, reason: key === undefined ? 'A reason of a newer release' : codes[key].title }
}
