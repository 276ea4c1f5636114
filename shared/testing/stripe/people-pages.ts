/** The pages for people, by their address. They need no key: their addresses are secret. */
import { escaped, htmlPage, money, type PageAnswer } from './html.ts'
import { showPayPage, submitPayPage } from './pay-page.ts'
import { showPortal, submitPortal } from './portal.ts'
import { catchUp } from './time.ts'
import type { World } from './world.ts'

type Asked = { readonly method: string; readonly path: string; readonly body: string }

/** @returns undefined for what is no page */
export function pageFor(world: World, { method, path, body }: Asked): PageAnswer | undefined {
  const [, kind, id = '', asFile] = /^\/(c\/pay|p\/session|i)\/([A-Za-z0-9_]+)(\/pdf)?$/.exec(path) ?? []
  if (kind === undefined) return undefined
  catchUp(world)
  const isPost = method === 'POST'
  if (isPost) world.touch()
  if (kind === 'c/pay') return isPost ? submitPayPage(world, id, body) : showPayPage(world, id)
  if (kind === 'p/session') return isPost ? submitPortal(world, id, body) : showPortal(world, id)
  const found = world.tables.invoices.get(id) ?? world.tables.creditNotes.get(id)
  if (!found) return { status: 404, html: htmlPage('No such invoice', '') }
  const title = found.number ?? 'Draft'
  if (asFile)
    return {
      status: 200,
      file: { name: `Invoice-${title}.pdf`, type: 'application/pdf', text: pdfOf(title) },
    }
  const { currency, total, lines } = found
  const rows = [
    ...lines.data.map(({ description, amount }) => [description ?? '', money(amount, currency)]),
    ['Total', money(total, currency)],
  ].map((cells) => `<tr>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`)
  return {
    status: 200,
    html: htmlPage(title, `<table>${rows.join('')}</table><p><a href="${found.id}/pdf">Download</a></p>`),
  }
}

/** The smallest file that a reader of PDF opens: an empty page with a title. */
function pdfOf(title: string): string {
  return `%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj
4 0 obj<</Title(${title})>>endobj
trailer<</Root 1 0 R/Info 4 0 R>>
%%EOF
`
}
