/**
 * Leads own domains to the tunnels of this agent: as soon as a tunnel is online, it gets its domain, which is added if
 * the account does not have it yet. Failures are shown and stop no tunnel.
 */
import type { Domain } from '@porttunneler/shared/api/schemas/domains'
import { sleep } from '@porttunneler/shared/base/clock'
import { isFailure } from '@porttunneler/shared/base/errors'
import type { AgentEvent, AgentSnapshot } from '../agent/events.ts'
import type { WantedTunnel } from '../agent/tunnels.ts'
import { type Connection, type Context, paintOf, tell } from '../context.ts'
import { type AgentOutput, openAgentOutput } from '../output/agent-output.ts'
import type { Inspection } from '../output/live/acts.ts'
import { certificateLine, findingLine, recordLines } from './domain-words.ts'
import { tunnelIdOf } from './tunnels.ts'

/** How long the first certificate is waited for; usually it takes some seconds. */
const certificateMs = 3 * 60_000
const readMs = 2_000

type Online = Extract<AgentEvent, { readonly event: 'tunnel.online' }>
type Keeping = {
  readonly context: Context
  readonly connection: Pick<Connection, 'client'>
  readonly wanted: readonly WantedTunnel[]
  /** The inspector's offer to the terminal, once it runs. */
  readonly inspection?: () => Inspection | undefined
}

/** What a changed ptun.yaml means for domains. */
export type LeadingOutput = AgentOutput & { follow(wanted: readonly WantedTunnel[]): void }

/** The output of an agent that also leads its domains. */
export function openLeadingOutput(keeping: Keeping, snapshot: () => AgentSnapshot): LeadingOutput {
  const output = openAgentOutput(keeping.context, snapshot, keeping.inspection)
  let { wanted } = keeping
  const online = new Map<string, Online>()
  /** What was asked for, as `tunnel domain`. */
  const done = new Set<string>()
  const closing = new AbortController()
  const print = (lines: readonly string[]) => output.print(lines)
  const leading = { ...keeping, print, signal: closing.signal }
  const report = (error: unknown, { tunnel, domain, what }: Place & { readonly what: string }) => {
    if (closing.signal.aborted) return
    const said = isFailure(error) ? `${error.entry.title} (${error.code}). ${error.detail}` : String(error)
    print([`${domain} ${what} ${tunnel}: ${said}`])
    tell(keeping.context, { event: 'domain.failed', domain, tunnel, error: said })
  }
  const begin = (event: Online) => {
    const { tunnel } = event
    const domain = domainOf(wanted, tunnel)
    if (domain === undefined || done.has(`${tunnel} ${domain}`)) return
    done.add(`${tunnel} ${domain}`)
    lead(leading, domain, event).catch((error: unknown) => {
      // It is reported, and tried again when the tunnel comes back.
      done.delete(`${tunnel} ${domain}`)
      report(error, { tunnel, domain, what: 'does not lead to' })
    })
  }
  const follow = async (next: readonly WantedTunnel[]) => {
    const given = givenUp(wanted, next)
    wanted = next
    const asked = new Set(next.map(({ name, domain }) => `${name} ${domain}`))
    for (const which of done) if (!asked.has(which)) done.delete(which)
    for (const place of given)
      await release(leading, place).catch((error: unknown) =>
        report(error, { ...place, what: 'still leads to' }),
      )
    if (!closing.signal.aborted) for (const event of online.values()) begin(event)
  }
  return {
    print,
    qr: (url, picture) => output.qr(url, picture),
    follow: (next) => void follow(next),
    onEvent(event) {
      output.onEvent(event)
      if (event.event === 'tunnel.online') {
        online.set(event.tunnel, event)
        begin(event)
      } else if (event.event === 'tunnel.offline' || event.event === 'tunnel.stopped')
        online.delete(event.tunnel)
    },
    close() {
      closing.abort()
      output.close()
    },
  }
}

type Place = { readonly tunnel: string; readonly domain: string }

/** Domains that a tunnel had and that no tunnel of the file has now. Those of tunnels that are gone stay theirs. */
function givenUp(before: readonly WantedTunnel[], next: readonly WantedTunnel[]): readonly Place[] {
  return before.flatMap(({ name, domain }) => {
    const isHere = name !== undefined && next.some((one) => one.name === name)
    const isWanted = next.some((one) => one.domain === domain)
    return domain !== undefined && isHere && !isWanted ? [{ tunnel: name, domain }] : []
  })
}

/** A tunnel without a name is the only one of its command. */
function domainOf(wanted: readonly WantedTunnel[], tunnel: string): string | undefined {
  const named = wanted.find(({ name }) => name === tunnel)
  return (named ?? wanted.find(({ name }) => name === undefined))?.domain
}

/** The account keeps the domain, which leads nowhere then, unless somebody has given it to another tunnel. */
async function release(
  { context, connection: { client }, print }: Leading,
  { tunnel, domain }: Place,
): Promise<void> {
  const found = await client.domain(domain)
  if (found.tunnel?.name !== tunnel) return
  await client.giveDomain(found.host, { tunnel: null })
  tell(context, { event: 'domain.released', domain: found.host, tunnel })
  print([`${found.host} no longer leads to ${tunnel}`])
}

type Leading = Keeping & Pick<AgentOutput, 'print'> & { readonly signal: AbortSignal }

async function lead(leading: Leading, host: string, { tunnel, url }: Online): Promise<void> {
  const { context, connection, print } = leading
  const { client } = connection
  const id = await tunnelIdOf(client, tunnel)
  const added = await client.addDomain({ host, tunnel: id })
  const domain = added.tunnel?.id === id ? added : await client.giveDomain(added.host, { tunnel: id })
  const own = new URL(url)
  own.hostname = domain.host
  tell(context, { event: 'domain.led', domain: domain.host, tunnel, url: own.origin, state: domain.state })
  if (domain.state !== 'verified') {
    const missing = recordLines(domain, paintOf(context))
    return print([`${domain.host} is ${domain.state}. ${findingLine(domain)}`, ...missing])
  }
  print([`${own.origin} leads to ${tunnel}`])
  if (own.protocol === 'https:') await awaitCertificate(leading, domain)
}

/** Tells when visitors can trust the host, or why they cannot yet. */
async function awaitCertificate(
  { context, connection: { client }, print, signal }: Leading,
  domain: Domain,
): Promise<void> {
  const { clock } = context
  const until = clock.monotonic() + certificateMs
  let now = domain
  let isTold = false
  for (;;) {
    const { certificate } = now
    // The agent itself tells of those that it orders.
    if (!certificate || certificate.key === 'agent') return
    const isOpen = certificate.state === 'none' || certificate.state === 'ordering'
    if (!isOpen || clock.monotonic() >= until) break
    if (!isTold) print([`The certificate of ${now.host} is being ordered.`])
    isTold = true
    await sleep(clock, readMs, signal)
    // The domain leads here already: while the API does not answer it is asked again.
    now = await client.domain(now.host).catch(() => now)
  }
  const { host, certificate } = now
  tell(context, { event: 'domain.certificate', domain: host, ...certificate })
  print([certificateLine(now) ?? ''])
}
