/** Usage as people and programs ask for it: sums of a span by hour and by tunnel. */
import type { UsageAnswer } from '../api/schemas/service.ts'
import { fail } from '../base/errors.ts'
import type { Caller } from './caller.ts'
import type { AccountControl } from './control.ts'
import { tunnelNames, type UsageHourDoc } from './documents.ts'
import type { Page, QueryOptions } from './platform.ts'
import { queries } from './query-table.ts'
import type { Counts } from './usage.ts'

const hourMs = 3_600_000
const spanMs = 31 * 24 * hourMs
const documentsMax = 20_000

/**
 * Sums of a span by hour and by tunnel. @throws api.invalid for a span that is empty or longer than 31 days,
 * api.too_large
 */
export async function readUsage(
  control: AccountControl,
  caller: Caller,
  asked: { from?: number | undefined; to?: number | undefined; tunnel?: string | undefined },
): Promise<UsageAnswer> {
  const to = asked.to ?? control.clock.now()
  const from = asked.from ?? to - 24 * hourMs
  if (from > to || to - from > spanMs)
    throw fail('api.invalid', 'The span must begin before its end and be at most 31 days long.')
  const reach = await idsInReach(control, caller)
  const total = zero()
  const hours = new Map<number, Mutable>()
  const byTunnel = new Map<string, Mutable>()
  let seen = 0
  for await (const page of pages(control, { ...asked, from, to })) {
    seen += page.length
    if (seen > documentsMax) throw fail('api.too_large', 'The span holds too much; ask for a shorter one.')
    for (const row of page) {
      if (reach && !reach.has(row.tunnel)) continue
      add(total, row)
      add(entry(hours, row.hour), row)
      add(entry(byTunnel, row.tunnel), row)
    }
  }
  return {
    from,
    to,
    total,
    hours: [...hours].map(([hour, counts]) => ({ hour, ...counts })),
    tunnels: [...byTunnel].map(([tunnel, counts]) => ({ tunnel, ...counts })),
  }
}

async function* pages(
  control: AccountControl,
  { from, to, tunnel }: { from: number; to: number; tunnel?: string | undefined },
): AsyncGenerator<readonly UsageHourDoc[]> {
  const [query, where] =
    tunnel === undefined ? [queries.usageOfAccount, {}] : [queries.usageOfTunnel, { tunnel }]
  let after: QueryOptions['after']
  do {
    const firstHour = from - (from % hourMs)
    const options = { where, from: firstHour, to, limit: 500, ...(after && { after }) }
    const page: Page<UsageHourDoc> = await control.store.query(query, options)
    yield page.items.map(({ data }) => data)
    after = page.next
  } while (after)
}

type Mutable = { -readonly [N in keyof Counts]: number }

function zero(): Mutable {
  return { in: 0, out: 0, opened: 0, refused: 0 }
}

function entry<K>(map: Map<K, Mutable>, key: K): Mutable {
  const counts = map.get(key) ?? zero()
  map.set(key, counts)
  return counts
}

function add(sum: Mutable, row: Counts): void {
  sum.in += row.in
  sum.out += row.out
  sum.opened += row.opened
  sum.refused += row.refused
}

/** Ids of the only tunnels that a bound key may ask about; undefined: all. */
async function idsInReach(
  control: AccountControl,
  { account, tunnels }: Caller,
): Promise<ReadonlySet<string> | undefined> {
  if (!tunnels) return undefined
  const named = await control.store.getAll(
    Array.from(tunnels, (name) => tunnelNames.ref(`${account}:${name}`)),
  )
  return new Set(named.flatMap((found) => (found ? [found.data.tunnel] : [])))
}
