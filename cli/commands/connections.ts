/** `ptun connections`: the connections of a tunnel's visitors, open ones from its relays and kept ones from the API. */
import {
  type EndedConnection,
  type LiveConnections,
  liveConnectionsSchema,
} from '@porttunneler/shared/api/schemas/connections'
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { formatBytes } from '@porttunneler/shared/base/amounts'
import { sleep } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import { type Connection, type Context, callOptionsFor, connectApi, paintOf, say, tell } from '../context.ts'
import { formatDate, formatDuration, formatTable, formatTime, printable } from '../output/format.ts'
import { findTunnel } from './tunnels.ts'

export type ConnectionsWish = {
  readonly from?: string
  readonly code?: string
  readonly failed?: boolean
  readonly keep?: 'off' | 'shortened' | 'whole'
  readonly follow?: boolean
}

const shownMax = 100
const followMs = 2_000
const relayDeadlineMs = 5_000
/** Those that were told already; relays list an ended one for a quarter of an hour at most. */
const toldMax = 10_000

/** @throws login.*, server.*, cli.usage, and the API's errors */
export async function connections(context: Context, name: string, wish: ConnectionsWish): Promise<number> {
  const connection = await connectApi(context)
  const tunnel = await findTunnel(connection.client, name)
  if (wish.keep !== undefined) return keep(context, connection, { tunnel, keep: wish.keep })
  if (wish.follow) return follow(context, connection, tunnel)
  const { client } = connection
  const [live, page] = await Promise.all([
    liveOf(context, connection, tunnel.id),
    client.connections(tunnel.id, {
      limit: shownMax,
      ...(wish.from !== undefined && { address: wish.from }),
      ...(wish.code !== undefined && { code: wish.code }),
      ...(wish.failed && { failed: 'true' as const }),
    }),
  ])
  const isAll = wish.from === undefined && wish.code === undefined && !wish.failed
  const open = isAll ? live.flatMap((each) => each.open) : []
  for (const one of open) tell(context, { event: 'visitor.open', tunnel: tunnel.name, ...one })
  const waiting = isAll ? live.flatMap(({ ended }) => ended) : []
  // A connection that a relay has just reported is in both for a moment.
  const ended = [...new Map([...waiting, ...page.items].map((one) => [keyOf(one), one])).values()]
  for (const one of ended) tell(context, { event: 'visitor.ended', tunnel: tunnel.name, ...one })
  const total = live.reduce((sum, each) => sum + each.total, 0)
  const paint = paintOf(context)
  if (isAll) say(context, paint('bold', `Open now: ${total}`), ...openTable(open), '')
  say(context, paint('bold', 'Ended'), ...endedTable(ended))
  say(context, ...notesOf(page, tunnel.name))
  return 0
}

type Page = Awaited<ReturnType<Connection['client']['connections']>>

function notesOf({ keeps, days, counted, kept, next }: Page, name: string): readonly string[] {
  if (keeps === 'off')
    return [
      'Nothing more is kept, because a list of visitors is personal data. To keep one:',
      `  ptun connections ${name} --keep shortened`,
    ]
  return [
    ...(counted > kept
      ? [`${counted} ended and ${kept} were kept: more than 100 in a minute are kept as a sample.`]
      : []),
    ...(next === undefined ? [] : ['There are more; the console and the API show them.']),
    `Kept for ${days} days, addresses ${keeps}. Relays report within a quarter of an hour.`,
  ]
}

/** Sets what the tunnel's policy says about keeping, and nothing else of it. */
async function keep(
  context: Context,
  { client }: Connection,
  { tunnel, keep: wanted }: { tunnel: Tunnel; keep: NonNullable<ConnectionsWish['keep']> },
): Promise<number> {
  const { keepConnections: _, ...rest } = tunnel.policy
  const policy = wanted === 'off' ? rest : { ...rest, keepConnections: wanted }
  await client.updateTunnel(tunnel.id, { policy }, { ifMatch: `"${tunnel.revision}"` })
  tell(context, { event: 'visitor.keeping', tunnel: tunnel.name, keep: wanted })
  const told = {
    off: `Connections of ${tunnel.name} are kept no longer. Those that were stay until their time is over.`,
    shortened: `Connections of ${tunnel.name} are kept from now on, with addresses shortened to /24 and /48.`,
    whole: `Connections of ${tunnel.name} are kept from now on, with whole addresses.`,
  }
  say(context, told[wanted])
  return 0
}

/** Until Ctrl-C: each that comes, and each that ends where they are kept. */
async function follow(context: Context, connection: Connection, tunnel: Tunnel): Promise<number> {
  const stop = new AbortController()
  const onStop = () => stop.abort()
  process.once('SIGINT', onStop)
  if (tunnel.policy.keepConnections === undefined)
    say(
      context,
      `Ends are told only where connections are kept: ptun connections ${tunnel.name} --keep shortened`,
    )
  const told = new Set<string>()
  try {
    for (;;) {
      for (const { open, ended } of await liveOf(context, connection, tunnel.id)) {
        for (const one of open.toReversed())
          if (isNews(told, `open ${one.port} ${one.from} ${one.startedAt}`)) {
            tell(context, { event: 'visitor.open', tunnel: tunnel.name, ...one })
            say(context, `${formatTime(one.startedAt)} ${one.from} came`)
          }
        for (const one of ended.toReversed())
          if (isNews(told, keyOf(one))) {
            tell(context, { event: 'visitor.ended', tunnel: tunnel.name, ...one })
            say(context, `${formatTime(one.endedAt)} ${endedCells(one).slice(1).join('  ')}`)
          }
      }
      await sleep(context.clock, followMs, stop.signal)
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error
    return 0
  } finally {
    process.off('SIGINT', onStop)
  }
}

function isNews(told: Set<string>, key: string): boolean {
  if (told.has(key)) return false
  told.add(key)
  const [oldest] = told
  if (told.size > toldMax && oldest !== undefined) told.delete(oldest)
  return true
}

/** Each relay's own list; one that does not answer is left out. */
async function liveOf(
  context: Context,
  { client, server }: Connection,
  tunnel: string,
): Promise<readonly LiveConnections[]> {
  const { ticket, sources } = await client.watch({ tunnels: [tunnel] })
  const fetchBy = callOptionsFor(context, server).fetch ?? fetch
  const lists = await Promise.all(
    sources.map(async (source) => {
      try {
        const answer = await fetchBy(`${source}/connections?tunnel=${tunnel}`, {
          method: 'GET',
          redirect: 'error',
          headers: { authorization: `Bearer ${ticket}` },
          signal: AbortSignal.timeout(relayDeadlineMs),
        })
        if (answer.status !== 200) throw fail('server.unexpected')
        return liveConnectionsSchema.parse(JSON.parse(await answer.text()))
      } catch {
        return undefined
      }
    }),
  )
  return lists.filter((list) => list !== undefined)
}

function keyOf({ from, startedAt, endedAt, in: bytesIn, out }: EndedConnection): string {
  return `${endedAt} ${startedAt} ${from} ${bytesIn} ${out}`
}

function openTable(open: LiveConnections['open']): readonly string[] {
  if (open.length === 0) return []
  return formatTable([
    ['SINCE', 'FROM', 'FOR', 'IN', 'OUT'],
    ...open
      .slice(0, shownMax)
      .map(({ startedAt, from, port, ms, in: bytesIn, out }) => [
        formatDate(startedAt),
        `${from} ${port}`,
        formatDuration(ms),
        formatBytes(bytesIn),
        formatBytes(out),
      ]),
  ])
}

function endedTable(ended: readonly EndedConnection[]): readonly string[] {
  if (ended.length === 0) return ['None.']
  return formatTable([
    ['ENDED', 'FROM', 'LASTED', 'IN', 'OUT', 'WHY'],
    ...ended.slice(0, shownMax).map(endedCells),
  ])
}

function endedCells({ endedAt, from, ms, in: bytesIn, out, code, reason }: EndedConnection): string[] {
  const why = printable(code === undefined ? reason : `${code} ${reason}`)
  return [formatDate(endedAt), from, formatDuration(ms), formatBytes(bytesIn), formatBytes(out), why]
}
