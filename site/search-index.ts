/** What the search reads: each section of each page, with its words. Browsers fetch it at the first search. */
import { pathOfPage, type Rendered } from './render.ts'

/** Page, id of the heading ('' for the page itself), page's title, heading, text. An array is a third of the size. */
type Row = readonly [page: string, id: string, title: string, heading: string, text: string]

/** Decisions explain the code to those who change it; their index is found, and each of them by its title. */
const byTitleAlone = /^decisions\/\d/

export function searchIndex(pages: ReadonlyMap<string, Rendered>): string {
  const rows = [...pages].flatMap(([path, { title, sections }]): readonly Row[] => {
    const page = pathOfPage(path)
    if (byTitleAlone.test(path)) return [[page, '', title, title, '']]
    // The index of codes repeats what the page of each code says.
    if (path === 'errors/README.md') return [[page, '', title, title, 'every code']]
    return sections.map(({ heading, text }) => [
      page,
      heading.level === 1 ? '' : heading.id,
      title,
      heading.text,
      text.replace(/\s+/g, ' ').trim(),
    ])
  })
  return JSON.stringify(rows)
}
