/** `ptun domains`: own domains are listed, added, checked and removed. */
import type { Client } from '@porttunneler/shared/api/client'
import type { Domain } from '@porttunneler/shared/api/schemas/domains'
import { fail } from '@porttunneler/shared/base/errors'
import { readSpelling } from '@porttunneler/shared/base/host-names'
import { type Context, connectApi, paintOf, say, tell } from '../context.ts'
import { nearest } from '../nearest.ts'
import { formatDate, formatTable } from '../output/format.ts'
import { askYes } from './ask-yes.ts'
import { lookNow } from './domain-walk.ts'
import { certificateLine, certificateWord, findingLine, recordLines, stateWord } from './domain-words.ts'
import { tunnelIdOf } from './tunnels.ts'

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
  const host = hostOf(text)
  const { client } = await connectApi(context)
  const domain = await lookNow(context, client, host)
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
  const leads = domain.tunnel ? ` It leads to ${domain.tunnel.name} now.` : ''
  const question = `Remove ${domain.host}?${leads} Added again, it needs a new record.`
  if (!yes && !(await askYes(context, { act: 'Removing', question }))) {
    say(context, 'Nothing was removed.')
    return 1
  }
  await client.removeDomain(host)
  say(context, `Removed ${host}. It leads nowhere in seconds; delete its record too.`)
  tell(context, { event: 'domain.removed', ...domain })
  return 0
}

/**
 * The host as the server keeps it. It refuses `%41.com` and the like, which a mapping would take for another host.
 * @throws name.*
 */
function hostOf(text: string): string {
  const read = readSpelling(text)
  if ('error' in read) throw read.error
  return read.host
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
