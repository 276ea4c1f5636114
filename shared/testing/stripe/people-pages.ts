/** The pages for people, by their address. They need no key: their addresses are secret. */
import { htmlPage, type PageAnswer } from './html.ts'
import { showPayPage, submitPayPage } from './pay-page.ts'
import { showPortal, submitPortal } from './portal.ts'
import { catchUp } from './time.ts'
import type { World } from './world.ts'

type Asked = { readonly method: string; readonly path: string; readonly body: string }

/** @returns undefined for what is no page */
export function pageFor(world: World, { method, path, body }: Asked): PageAnswer | undefined {
  const [, kind, id = ''] = /^\/(c\/pay|p\/session|i)\/([A-Za-z0-9_]+)(?:\/pdf)?$/.exec(path) ?? []
  if (kind === undefined) return undefined
  catchUp(world)
  const isPost = method === 'POST'
  if (isPost) world.touch()
  if (kind === 'c/pay') return isPost ? submitPayPage(world, id, body) : showPayPage(world, id)
  if (kind === 'p/session') return isPost ? submitPortal(world, id, body) : showPortal(world, id)
  const found = world.tables.invoices.get(id) ?? world.tables.creditNotes.get(id)
  return { status: found ? 200 : 404, html: htmlPage(found?.number ?? 'No such invoice', '') }
}
