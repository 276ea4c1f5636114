/** Rows of an account or a tunnel, hour by hour, page by page. */
import type { AnyControl } from '../control.ts'
import type { Page, QueryOptions } from '../platform.ts'
import { queries } from '../query-table.ts'
import type { UsageHourDoc } from '../usage-documents.ts'
import { hourMs } from './calendar.ts'

/** `boot`: of the relay that counted it. */
export type UsageRow = UsageHourDoc & { readonly boot: string }

type RowsAsked = {
  readonly account: string
  readonly tunnel?: string | undefined
  /** Any time within the first hour; `to` is any time within the last. */
  readonly from: number
  readonly to: number
}

export async function* eachRows(
  control: AnyControl,
  { account, tunnel, from, to }: RowsAsked,
): AsyncGenerator<readonly UsageRow[]> {
  const query = tunnel === undefined ? queries.usageOfAccount : queries.usageOfTunnel
  const where = { account, ...(tunnel !== undefined && { tunnel }) }
  let after: QueryOptions['after']
  do {
    const options = { where, from: from - (from % hourMs), to, limit: 500, ...(after && { after }) }
    const page: Page<UsageHourDoc> = await control.store.query(query, options)
    yield page.items.map(({ ref: { id }, data }) => ({ ...data, boot: id.slice(id.lastIndexOf(':') + 1) }))
    after = page.next
  } while (after)
}
