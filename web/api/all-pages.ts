/** Reads a list of the API to its end, page after page. */

type Page<T> = { readonly items: readonly T[]; readonly next?: string | undefined }

export type List<T> = {
  readonly items: readonly T[]
  /** There is more than the console shows. */
  readonly isCut: boolean
}

/** At 100 an answer: more than anybody reads, and a bound for what one page load may ask. */
const pagesMax = 10

export async function readAllPages<T>(
  readPage: (cursor: string | undefined, signal: AbortSignal) => Promise<Page<T>>,
  signal: AbortSignal,
): Promise<List<T>> {
  const items: T[] = []
  let cursor: string | undefined
  for (let pages = 0; pages < pagesMax; pages += 1) {
    const page = await readPage(cursor, signal)
    items.push(...page.items)
    cursor = page.next
    if (cursor === undefined) return { items, isCut: false }
  }
  return { items, isCut: true }
}
