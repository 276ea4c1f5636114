/**
 * Says in the live view that something is wrong with the account which this agent cannot see itself: other tunnels, a
 * domain, a payment. Asked at the start and each hour, at a terminal alone, because each look costs the server reads.
 */
import type { Client } from '@porttunneler/shared/api/client'
import type { Alert } from '@porttunneler/shared/api/schemas/alerts'
import type { Context } from './context.ts'
import { formatDate, printable } from './output/format.ts'

/** By then the tunnels are up and what the agent says of itself is said. */
const firstMs = 10_000
const everyMs = 3_600_000

type Count = Awaited<ReturnType<Client['alertCount']>>

/** "Tunnel is down: shop, since 2026-11-30 14:02" */
export function alertLine({ title, name, since }: Pick<Alert, 'title' | 'name' | 'since'>): string {
  return `${printable(title)}: ${printable(name)}, since ${formatDate(since)}`.replaceAll('\n', ' ')
}

/** @returns undefined when nobody need be told */
export function noticeOfAlerts({ firing, newest }: Count): string | undefined {
  if (firing === 0 || !newest) return undefined
  const others = firing === 1 ? '' : ` and ${firing - 1} more`
  return `Alert: ${alertLine(newest)}${others}. ptun alerts list shows ${firing === 1 ? 'it' : 'them'}.`
}

/** Tells each newest alert once, and never fails: a server that is away is said by others. @returns what ends it */
export function followAlerts(
  { clock, stdout, env, isJson }: Context,
  client: Pick<Client, 'alertCount'>,
  print: (lines: readonly string[]) => void,
): { close(): void } {
  if (isJson || !stdout.isTTY || env.CI) return { close() {} }
  let told = ''
  const look = async () => {
    const count = await client.alertCount().catch(() => undefined)
    const notice = count && noticeOfAlerts(count)
    const key = count?.newest ? `${count.newest.id} ${count.newest.since}` : ''
    if (notice !== undefined && key !== told) print([notice])
    told = key
  }
  const first = clock.after(firstMs, () => void look(), { background: true })
  const timer = clock.every(everyMs, () => void look(), { background: true })
  return {
    close() {
      first.clear()
      timer.clear()
    },
  }
}
