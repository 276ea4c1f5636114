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
}

/** The output of an agent that also leads its domains. */
export function openLeadingOutput(keeping: Keeping, snapshot: () => AgentSnapshot): AgentOutput {
  const output = openAgentOutput(keeping.context, snapshot)
  const done = new Set<string>()
  const closing = new AbortController()
  const print = (lines: readonly string[]) => output.print(lines)
  const onOnline = (event: Online) => {
    const domain = done.has(event.tunnel) ? undefined : domainOf(keeping.wanted, event.tunnel)
    if (domain === undefined) return
    done.add(event.tunnel)
    lead({ ...keeping, print, signal: closing.signal }, domain, event).catch((error: unknown) => {
      if (closing.signal.aborted) return
      // It is reported, and tried again when the tunnel comes back.
      done.delete(event.tunnel)
      const said = isFailure(error) ? `${error.entry.title} (${error.code}). ${error.detail}` : String(error)
      print([`${domain} does not lead to ${event.tunnel}: ${said}`])
      tell(keeping.context, { event: 'domain.failed', domain, tunnel: event.tunnel, error: said })
    })
  }
  return {
    ...output,
    onEvent(event) {
      output.onEvent(event)
      if (event.event === 'tunnel.online') onOnline(event)
    },
    close() {
      closing.abort()
      output.close()
    },
  }
}

/** A tunnel without a name is the only one of its command. */
function domainOf(wanted: readonly WantedTunnel[], tunnel: string): string | undefined {
  const named = wanted.find(({ name }) => name === tunnel)
  return (named ?? wanted.find(({ name }) => name === undefined))?.domain
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
    if (!certificate) return
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
