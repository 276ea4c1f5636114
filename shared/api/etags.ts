/** Revisions of documents as ETags, and what If-Match says of them. */
import { fail } from '../base/errors.ts'

export function etagOf({ revision }: { readonly revision: number }): string {
  return `"${revision}"`
}

/** @throws api.conflict for an ETag that no revision of ours can have */
export function revisionOf(ifMatch: string | undefined): number | undefined {
  if (ifMatch === undefined || ifMatch === '*') return undefined
  const digits = /^"(\d{1,15})"$/.exec(ifMatch)?.[1]
  if (digits === undefined) throw fail('api.conflict')
  return Number(digits)
}
