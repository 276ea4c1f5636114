/** Revisions of documents as ETags, and how to read If-Match. */
import { fail } from '../base/errors.ts'

export function etagOf({ revision }: { readonly revision: number }): string {
  return `"${revision}"`
}

/**
 * For things without revisions: no If-Match that names one can hold (RFC 9110, section 13.1.1).
 * @throws api.conflict
 */
export function requireNoRevision(ifMatch: string | undefined): void {
  if (revisionOf(ifMatch) !== undefined) throw fail('api.conflict')
}

/** @throws api.conflict for an ETag that none of our revisions can have */
export function revisionOf(ifMatch: string | undefined): number | undefined {
  if (ifMatch === undefined || ifMatch === '*') return undefined
  const digits = /^"(\d{1,15})"$/.exec(ifMatch)?.[1]
  if (digits === undefined) throw fail('api.conflict')
  return Number(digits)
}
