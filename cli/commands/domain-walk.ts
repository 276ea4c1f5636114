/** The steps by which `--domain` takes a host from "not yours yet" to yours, while a person makes its record. */
import type { Client } from '@porttunneler/shared/api/client'
import type { Domain } from '@porttunneler/shared/api/schemas/domains'
import { sleep } from '@porttunneler/shared/base/clock'
import { isFailure, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import { type Context, paintOf, say, tell, warn } from '../context.ts'
import { formatDuration } from '../output/format.ts'
import { findingLine, recordLines } from './domain-words.ts'

/** How often a look is requested while a person waits; later less often. */
const askMs = [5_000, 15_000] as const
const askOftenMs = 2 * 60_000
/** A look takes up to 15 s. */
const readMs = 1_500
/** How often a look is requested while others request looks too. */
const asksMax = 3

/**
 * Resolves when the host is the account's: shows a person the record to make, and waits for it. A server that is away
 * for a while ends nothing.
 * @throws name.*, domain.*, quota.domains and the API's errors
 */
export async function walkThrough(context: Context, client: Client, text: string): Promise<Domain> {
  const added = await client.addDomain({ host: text })
  if (added.state !== 'pending') {
    if (added.state !== 'verified') warn(context, `${added.host} is ${added.state}. ${findingLine(added)}`)
    return added
  }
  tell(context, { event: 'domain.pending', ...added })
  say(context, ...recordLines(added, paintOf(context)), '')
  const progress = progressOf(context, added.host)
  try {
    for (;;) {
      const domain = await lookNow(context, client, added.host).catch((error: unknown) => {
        if (!isFailure(error) || error.entry.retry === 'never') throw error
        progress.trouble(error)
      })
      if (domain && domain.state !== 'pending') {
        progress.end()
        say(context, `${domain.host} is yours.`, '')
        tell(context, { event: 'domain.verified', ...domain })
        return domain
      }
      if (domain) progress.found(domain)
      await sleep(context.clock, progress.pauseMs())
    }
  } finally {
    progress.end()
  }
}

/** @returns the domain after a look that began now, or a moment ago */
export async function lookNow({ clock }: Context, client: Client, host: string): Promise<Domain> {
  const before = await askFor(clock, client, host)
  const until = clock.monotonic() + 30_000
  for (;;) {
    const now = await client.domain(host)
    if (now.checkedAt !== before.checkedAt || now.state !== before.state || clock.monotonic() >= until)
      return now
    await sleep(clock, readMs)
  }
}

/** If others ask all the time, their looks are good enough. */
async function askFor(clock: Context['clock'], client: Client, host: string): Promise<Domain> {
  for (let asks = 1; asks <= asksMax; asks++)
    try {
      return await client.checkDomain(host)
    } catch (error) {
      if (!isFailure(error, 'domain.too_soon')) throw error
      await sleep(clock, askMs[0])
    }
  return client.domain(host)
}

/** Each finding once, as it changes; on a terminal also a line that shows that the waiting goes on. */
function progressOf(context: Context, host: string) {
  const { clock, stdout, isJson } = context
  const since = clock.monotonic()
  const isLive = stdout.isTTY === true && !isJson && context.env.TERM !== 'dumb'
  let last = ''
  let note = 'Asking the name servers.'
  let isOpen = true
  const clear = () => isLive && stdout.write('\r\u001b[2K')
  const paint = () => {
    const width = Math.max(20, (stdout.columns ?? 80) - 1)
    const waited = formatDuration(Math.max(1_000, clock.monotonic() - since))
    const text = `Waiting for ${host} (${waited}; Ctrl-C ends). ${note}`
    stdout.write(`\r\u001b[2K${text.slice(0, width)}`)
  }
  const timer = isLive ? clock.every(1_000, paint) : undefined
  const sayOnce = (sentence: string) => {
    if (sentence !== last) {
      clear()
      say(context, isLive ? sentence : `Waiting for ${host}. ${sentence}`)
    }
    const isNew = sentence !== last
    last = sentence
    if (isLive) paint()
    return isNew
  }
  if (isLive) paint()
  return {
    pauseMs: () => (clock.monotonic() - since < askOftenMs ? askMs[0] : askMs[1]),
    found(domain: Domain) {
      const [first] = domain.findings
      if (!first) return
      note = `${first.title} (${first.code}).`
      if (sayOnce(findingLine(domain)))
        tell(context, { event: 'domain.waiting', host, findings: domain.findings })
    },
    trouble({ code, detail, entry: { title, cure } }: PortTunnelerError) {
      note = `${title} (${code}).`
      if (sayOnce(`${title} (${code}): ${detail} It is asked again.`))
        tell(context, { event: 'domain.waiting', host, problem: { code, title, detail, cure } })
    },
    end() {
      if (isOpen) clear()
      isOpen = false
      timer?.clear()
    },
  }
}
