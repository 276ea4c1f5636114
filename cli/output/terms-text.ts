/** What `ptun` says while the operator's documents wait for the person who made the key. */
import type { Me } from '@porttunneler/shared/api/schemas/accounts'
import { formatDate } from './format.ts'

/** @returns undefined while nothing waits */
export function termsText(
  { termsDue }: Pick<Me, 'termsDue'>,
  server: string,
  nowMs: number,
): string | undefined {
  if (termsDue === undefined) return undefined
  const page = `${server}/terms`
  if (termsDue <= nowMs)
    return `Nothing can be changed before you have accepted the terms of this service: ${page}`
  return `Accept the terms of this service by ${formatDate(termsDue - 1)}: ${page}`
}
