/** `ptun domains`, and the steps by which `--domain` takes a host from "not yours yet" to a tunnel. */
import { createInterface } from 'node:readline/promises'
import { domainToASCII } from 'node:url'
import type { Client } from '@porttunneler/shared/api/client'
import type { Domain } from '@porttunneler/shared/api/schemas/domains'
import { sleep } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { plainName } from '@porttunneler/shared/base/labels'
import { type Context, connectApi, paintOf, say, tell, warn } from '../context.ts'
import { nearest } from '../nearest.ts'
import { formatDate, formatDuration, formatTable } from '../output/format.ts'
import { certificateLine, certificateWord, findingLine, recordLines, stateWord } from './domain-words.ts'
import { tunnelIdOf } from './tunnels.ts'

/** How often a look is requested while a person waits; later less often. */
const askMs = [5_000, 15_000] as const
const askOftenMs = 2 * 60_000
/** A look takes up to 15 s. */
const readMs = 1_500

/** @throws login.*, server.*, and the API's errors */
export async function listDomains(context: Context): Promise<number> {
  const { client } = await connectApi(context)
  const all = await allDomains(client)
  for (const domain of all) tell(context, { event: 'domain', ...domain })
  const paint = paintOf(context)
  const head = ['DOMAIN', 'STATE', 'TUNNEL', 'CERTIFICATE', 'SINCE'].map((title) => paint('dim', title))
  const rows = all.map((domain) => [
    domain.host,
    stateWord(domain),
    domain.tunnel?.name ?? '',
    certificateWord(domain, context.clock.now()),
    formatDate(domain.createdAt),
  ])
  if (all.length === 0) say(context, 'No own domains yet. Add one: ptun domains add app.example.com')
  else say(context, ...formatTable([head, ...rows]))
  return 0
}

/** @throws name.*, domain.ours, domain.no_tunnel, quota.domains and the API's errors */
export async function addDomain(
  context: Context,
  text: string,
  { tunnel }: { readonly tunnel?: string },
): Promise<number> {
  const { client } = await connectApi(context)
  const id = tunnel === undefined ? undefined : await tunnelIdOf(client, tunnel)
  const added = await client.addDomain({ host: text, ...(id !== undefined && { tunnel: id }) })
  const domain =
    id !== undefined && added.tunnel?.id !== id ? await client.giveDomain(added.host, { tunnel: id }) : added
  tell(context, { event: 'domain.added', ...domain })
  if (domain.state === 'verified') say(context, `${domain.host} is yours already.`)
  else say(context, ...recordLines(domain, paintOf(context)), '', `Then: ptun domains check ${domain.host}`)
  return 0
}

/** Looks now, and waits for the result. @returns 0 when nothing is wrong with the domain and its certificate */
export async function checkDomain(context: Context, text: string): Promise<number> {
  const { client } = await connectApi(context)
  const domain = await lookNow(context, client, hostOf(text))
  tell(context, { event: 'domain.checked', ...domain })
  const isCertified = domain.certificate?.state !== 'failing'
  const isFine = domain.state === 'verified' && domain.findings.length === 0
  const certificate = certificateLine(domain)
  if (isFine) say(context, `${domain.host} is yours, and leads here.`)
  else {
    say(context, `${domain.host} is ${stateWord(domain)}.`, findingLine(domain))
    if (domain.state !== 'verified') say(context, '', ...recordLines(domain, paintOf(context)))
  }
  if (certificate !== undefined) say(context, certificate)
  return isFine && isCertified ? 0 : 1
}

/** @throws api.not_found, cli.usage without --yes when nobody can be asked */
export async function removeDomain(
  context: Context,
  text: string,
  { yes = false }: { readonly yes?: boolean },
): Promise<number> {
  const host = hostOf(text)
  const { client } = await connectApi(context)
  const all = await allDomains(client)
  const domain = all.find((one) => one.host === host)
  if (!domain) {
    const guess = nearest(
      host,
      all.map((one) => one.host),
    )
    throw fail(
      'api.not_found',
      `There is no own domain "${host}"${guess ? `; did you mean "${guess}"?` : '.'}`,
    )
  }
  if (!yes && !(await confirm(context, domain))) {
    say(context, 'Nothing was removed.')
    return 1
  }
  await client.removeDomain(host)
  say(context, `Removed ${host}. It leads nowhere in seconds; delete its record too.`)
  tell(context, { event: 'domain.removed', ...domain })
  return 0
}

/**
 * Resolves when the host is the account's: shows a person the record to make, and waits for it.
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
    let domain = added
    for (;;) {
      domain = await lookNow(context, client, added.host)
      if (domain.state !== 'pending') break
      progress.show(domain)
      await sleep(context.clock, progress.pauseMs())
    }
    progress.end()
    say(context, `${domain.host} is yours.`, '')
    tell(context, { event: 'domain.verified', ...domain })
    return domain
  } finally {
    progress.end()
  }
}

/** @returns the domain after a look that began now, or a moment ago */
async function lookNow({ clock }: Context, client: Client, host: string): Promise<Domain> {
  const before = await askFor(clock, client, host)
  const until = clock.monotonic() + 30_000
  for (;;) {
    const now = await client.domain(host)
    if (now.checkedAt !== before.checkedAt || now.state !== before.state || clock.monotonic() >= until)
      return now
    await sleep(clock, readMs)
  }
}

/** Somebody may have asked a moment ago: that look is good enough. */
async function askFor(clock: Context['clock'], client: Client, host: string): Promise<Domain> {
  try {
    return await client.checkDomain(host)
  } catch (error) {
    if (!isFailure(error, 'domain.too_soon')) throw error
    await sleep(clock, askMs[0])
    return client.checkDomain(host)
  }
}

/** On a terminal one line that is overwritten; elsewhere a line for each finding. */
function progressOf(context: Context, host: string) {
  const { clock, stdout, isJson } = context
  const since = clock.monotonic()
  const isLive = stdout.isTTY === true && !isJson && context.env.TERM !== 'dumb'
  let last = ''
  let isOpen = false
  const pauseMs = () => (clock.monotonic() - since < askOftenMs ? askMs[0] : askMs[1])
  return {
    pauseMs,
    show(domain: Domain) {
      const [first] = domain.findings
      const line = first ? `${first.title}: ${first.detail}` : 'no answer yet'
      if (isLive) {
        const waited = formatDuration(clock.monotonic() - since)
        const width = Math.max(20, (stdout.columns ?? 80) - 1)
        const text = `Waiting for ${host} (${waited}; Ctrl-C ends). ${line}`
        stdout.write(`\r\u001b[2K${text.slice(0, width)}`)
        isOpen = true
      } else if (first && line !== last) {
        say(context, `Waiting for ${host}. ${findingLine(domain)}`)
        tell(context, { event: 'domain.waiting', host, findings: domain.findings })
      }
      last = line
    },
    end() {
      if (isOpen) stdout.write('\r\u001b[2K')
      isOpen = false
    },
  }
}

/**
 * The host as the server keeps it. If it cannot be a host at all the server reports that, with its rules and reasons.
 */
function hostOf(text: string): string {
  return domainToASCII(plainName(text)) || text
}

/** All pages; an account has at most a thousand. */
async function allDomains(client: Client): Promise<readonly Domain[]> {
  const all: Domain[] = []
  let cursor: string | undefined
  do {
    const page = await client.domains({ limit: 100, cursor })
    all.push(...page.items)
    cursor = page.next
  } while (cursor !== undefined)
  return all
}

async function confirm({ stdout, isJson }: Context, { host, tunnel }: Domain): Promise<boolean> {
  if (isJson || !stdout.isTTY || !process.stdin.isTTY)
    throw fail('cli.usage', 'Removing asks for confirmation; add --yes where nobody can be asked.')
  const reader = createInterface({ input: process.stdin, output: process.stdout })
  const leads = tunnel ? ` It leads to ${tunnel.name} now.` : ''
  const answer = await reader.question(`Remove ${host}?${leads} Added again, it needs a new record. [y/N] `)
  reader.close()
  return /^y(es)?$/i.test(answer.trim())
}
