/** `ptunctl logs`: finds lines of the log, and with `--follow` goes on with those that come. */
import { stripVTControlCharacters } from 'node:util'
import { type Clock, sleep } from '@porttunneler/shared/base/clock'
import { isFailure, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import type { LogLine } from '@porttunneler/shared/control/logs/line'
import { z } from 'zod'
import { limited } from './arguments.ts'
import type { SendOrder } from './audit.ts'
import type { Verb } from './money-verbs.ts'

/** Cloud Logging lets a project ask 60 times a minute. */
const everyMs = 3_000
/** A line may be written down a moment after its time, at Google some seconds. */
const lateMs = 15_000
/** At once; Cloud Logging gives no more. */
const batchMax = 1_000

export function addLogs(verb: Verb): void {
  const search = verb('logs.search', 'search', 'list lines that have all words and fields, the newest last', {
    isDefault: true,
  }).argument('[query...]', 'words, code:PT-5108, request:ID, relay:r1, account:acc_…, level>=warn, since:2h')
  limited(search).option('--follow', 'go on with lines that come, until Ctrl-C')
}

const wishSchema = z.object({
  query: z.array(z.string()).default([]),
  limit: z.number(),
  follow: z.boolean().default(false),
})

type LogsIo = {
  /** Gets new lines, the oldest first. */
  show(lines: readonly LogLine[]): void
  /** Following goes on: a server restarts, or Google lets nobody ask more often. Called once for each time. */
  onTrouble(failure: PortTunnelerError): void
  readonly clock: Clock
  readonly signal: AbortSignal
}

/**
 * Shows what is there, and with `follow` what comes, until `signal` is aborted.
 * @throws the act's errors; while following only those that trying again does not mend
 */
export async function showLogs(
  order: SendOrder,
  input: object,
  { show, onTrouble, clock, signal }: LogsIo,
): Promise<void> {
  const { query: words, limit, follow } = wishSchema.parse(input)
  const query = words.join(' ')
  const ask = async (wish: object) => (await order('logs.search', { query, ...wish })) as readonly LogLine[]
  const found = await ask({ limit })
  show(found.toReversed())
  if (!follow) return
  let shown = new Map(found.map(({ id, at }) => [id, at]))
  let newestAt = found[0]?.at ?? clock.now()
  let isAway = false
  const askAgain = async (from: number) => {
    try {
      const lines = await ask({ limit: batchMax, from, again: true })
      isAway = false
      return lines
    } catch (error) {
      if (!isFailure(error) || error.entry.retry === 'never') throw error
      if (!isAway) onTrouble(error)
      isAway = true
      return []
    }
  }
  while (!signal.aborted) {
    await sleep(clock, everyMs, signal).catch(() => {})
    if (signal.aborted) return
    const from = Math.max(0, newestAt - lateMs)
    const lines = await askAgain(from)
    const fresh = lines.filter(({ id }) => !shown.has(id))
    show(fresh.toReversed())
    for (const { at } of fresh) newestAt = Math.max(newestAt, at)
    // Only those that may come again.
    shown = new Map(
      [...shown, ...fresh.map(({ id, at }) => [id, at] as const)].filter(([, at]) => at >= from),
    )
  }
}

/** One line, such as `2026-01-31 12:00:00.000 warn  relay r1  Sync failed  code=PT-1234 failures=3`. */
export function lineText({
  at,
  level,
  source,
  relay,
  message,
  code,
  request,
  account,
  fields,
}: LogLine): string {
  const time = new Date(at).toISOString().replace('T', ' ').slice(0, 23)
  const who = relay === undefined ? source : `${source} ${relay}`
  const named = { code, request, account, ...fields }
  const rest = Object.entries(named).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`],
  )
  return printable([time, level.padEnd(5), who, '', message, '', ...rest].join(' ').trimEnd())
}

/** Addresses and names in it come from strangers: none of them may control the terminal. */
function printable(text: string): string {
  return stripVTControlCharacters(text).replace(/\p{Cc}/gu, ' ')
}
