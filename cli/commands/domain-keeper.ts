/**
 * Leads own domains to the tunnels of this agent: as soon as a tunnel is online, it gets its domain, which is added if
 * the account does not have it yet. Failures are shown and stop no tunnel.
 */
import { isFailure } from '@porttunneler/shared/base/errors'
import type { AgentEvent, AgentSnapshot } from '../agent/events.ts'
import type { WantedTunnel } from '../agent/tunnels.ts'
import { type Connection, type Context, paintOf, tell } from '../context.ts'
import { type AgentOutput, openAgentOutput } from '../output/agent-output.ts'
import { findingLine, recordLines } from './domain-words.ts'
import { tunnelIdOf } from './tunnels.ts'

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
  const print = (lines: readonly string[]) => output.print(lines)
  const onOnline = (event: Online) => {
    const domain = done.has(event.tunnel) ? undefined : domainOf(keeping.wanted, event.tunnel)
    if (domain === undefined) return
    done.add(event.tunnel)
    lead({ ...keeping, print }, domain, event).catch((error: unknown) => {
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
  }
}

/** A tunnel without a name is the only one of its command. */
function domainOf(wanted: readonly WantedTunnel[], tunnel: string): string | undefined {
  const named = wanted.find(({ name }) => name === tunnel)
  return (named ?? wanted.find(({ name }) => name === undefined))?.domain
}

async function lead(
  { context, connection: { client }, print }: Keeping & Pick<AgentOutput, 'print'>,
  host: string,
  { tunnel, url }: Online,
): Promise<void> {
  const id = await tunnelIdOf(client, tunnel)
  const added = await client.addDomain({ host, tunnel: id })
  const domain = added.tunnel?.id === id ? added : await client.giveDomain(added.host, { tunnel: id })
  const own = new URL(url)
  own.hostname = domain.host
  tell(context, { event: 'domain.led', domain: domain.host, tunnel, url: own.origin, state: domain.state })
  if (domain.state === 'verified') print([`${own.origin} leads to ${tunnel}`])
  else
    print([
      `${domain.host} is ${domain.state}. ${findingLine(domain)}`,
      ...recordLines(domain, paintOf(context)),
    ])
}
