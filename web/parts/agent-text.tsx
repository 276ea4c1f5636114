/** What people read about an agent. */
import type { Agent } from '@porttunneler/shared/api/schemas/agents'
import { TimeText } from './time-text.tsx'

const systems: Readonly<Record<string, string>> = { linux: 'Linux', darwin: 'macOS', win32: 'Windows' }

/** The name of its machine, or the end of its id where older agents do not say. */
export function agentName({ host, id }: Pick<Agent, 'host' | 'id'>): string {
  return host ?? `Agent …${id.slice(-6)}`
}

export function systemText({ system }: Pick<Agent, 'system'>): string {
  return system === undefined ? 'not known' : (systems[system] ?? system)
}

/** @param served the version of the service: an agent should have it too */
export function versionText({ version }: Pick<Agent, 'version'>, served: string | undefined): string {
  if (version === undefined) return 'not known'
  return served === undefined || version === served ? version : `${version}, update to ${served}`
}

export function relaysText({ relays }: Pick<Agent, 'relays'>): string {
  const there = relays.filter(({ connected }) => connected).length
  return relays.length === 0 ? 'No relay reports' : `${there} of ${relays.length}`
}

export function SeenText({ agent: { state, lastSeenAt } }: { agent: Agent }) {
  if (state !== 'away') return <>Now</>
  return lastSeenAt === undefined ? <>–</> : <TimeText at={lastSeenAt} />
}
