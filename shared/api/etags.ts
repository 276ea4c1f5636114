/** Revisions of documents as ETags, and how to read If-Match. */
import { fail } from '../base/errors.ts'

export function etagOf({ revision }: { readonly revision: number }): string {
  return `"${revision}"`
}

/** @throws api.conflict for an ETag that none of our revisions can have */
export function revisionOf(ifMatch: string | undefined): number | undefined {
  if (ifMatch === undefined || ifMatch === '*') return undefined
  const digits = /^"(\d{1,15})"$/.exec(ifMatch)?.[1]
  if (digits === undefined) throw fail('api.conflict')
  return Number(digits)
}
