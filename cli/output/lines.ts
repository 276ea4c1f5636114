/** What a running agent writes when nobody watches a terminal: a line an event, with the time in front. */
import { formatBytes } from '@porttunneler/shared/base/amounts'
import type { AgentEvent, Problem } from '../agent/events.ts'
import { withoutExcerpts } from '../config-excerpt.ts'
import { sayPolicy } from '../policy.ts'
import { formatDuration, printable } from './format.ts'
import { shortNames, together } from './ranges.ts'
import type { Alike } from './told-once.ts'

export type LineOptions = {
  /** Lines for single connections too. */
  readonly isVerbose: boolean
}

/**
 * An event as one sentence, without the time; undefined when it is too small to be told.
 * Cures are told where the user can do something, not where the agent heals itself.
 */
export function sentenceOf([event, ...more]: Alike, options: LineOptions): string | undefined {
  const sentence = more.length === 0 ? write(event, options) : writeAll([event, ...more])
  return sentence === undefined ? undefined : printable(sentence).replaceAll('\n', ' ')
}

/** The line for several tunnels at once, from the first: the others differ only in their port. */
function writeAll(events: Alike): string | undefined {
  const [event] = events
  const names = shortNames(events.flatMap((one) => ('tunnel' in one ? [one.tunnel] : [])))
  const count = `${events.length} tunnels (${names})`
  switch (event.event) {
    case 'tunnel.online': {
      const all = events.flatMap((one) => (one.event === 'tunnel.online' ? [one] : []))
      const [url, upstream] = [together(all.map((one) => one.url)), together(all.map((one) => one.upstream))]
      return `${names} are online: ${url} -> ${upstream}`
    }
    case 'tunnel.offline':
      return `${count} are offline until a relay is back`
    case 'tunnel.refused':
      return `${count} have no endpoint: ${told(event.problem)}; ${again(event)}. ${event.problem.cure}`
    case 'tunnel.stopped':
      return `${count} are over: ${told(event.problem)}. ${event.problem.cure}`
    default:
      return undefined
  }
}

function write(event: AgentEvent, { isVerbose }: LineOptions): string | undefined {
  switch (event.event) {
    case 'agent.started':
      return `ptun started (agent ${event.agent}, server ${event.server}${event.proxy ? `, through ${event.proxy}` : ''})`
    case 'agent.draining':
      return draining(event)
    case 'agent.stopped':
      return 'stopped'
    case 'server.lost':
      return `the server cannot help now: ${told(event.problem)}; ${again(event)}, tunnels that are up stay up`
    case 'server.found':
      return 'the server answers again'
    case 'state.lost':
      return `ptun goes on without its state: ${told(event.problem)}; started again, it may get another address. ${event.problem.cure}`
    case 'state.found':
      return 'the state of ptun is kept again'
    case 'inspector.ready':
      return `requests can be looked at: ${event.url}`
    case 'inspector.failed':
      return `ptun goes on without its inspector: ${told(event.problem)}. ${event.problem.cure}`
    case 'config.reloaded':
      return reloaded(event)
    case 'config.refused':
      return `${event.path} is not taken, everything stays as it is: ${told(event.problem)}. ${event.problem.cure}`
    case 'relay.connected':
      return `connected to relay ${event.relay}`
    case 'relay.lost':
      return `relay ${event.relay} lost: ${told(event.problem)}; ${again(event)}`
    case 'relay.notice':
      return `notice from relay ${event.relay}: ${event.code} ${event.text}`
    case 'tunnel.online':
      return `${event.tunnel} is online: ${event.url} -> ${event.upstream}`
    case 'tunnel.offline':
      return `${event.tunnel} is offline until a relay is back`
    case 'tunnel.policy':
      return `${event.tunnel}: its policy was changed: ${sayPolicy(event.changed)}`
    case 'tunnel.refused':
      return `${event.tunnel} has no endpoint: ${told(event.problem)}; ${again(event)}. ${event.problem.cure}`
    case 'tunnel.stopped':
      return `${event.tunnel} is over: ${told(event.problem)}. ${event.problem.cure}${instead(event.problem)}`
    case 'upstream.failed':
      return `${event.tunnel}: a visitor was turned away: ${told(event.problem)}. ${event.problem.cure}`
    case 'upstream.recovered':
      return `${event.tunnel}: ${event.upstream} answers again`
    case 'upstream.unhealthy':
      return `${event.tunnel}: the upstream is not healthy: ${told(event.problem)}. ${event.problem.cure}`
    case 'upstream.healthy':
      return `${event.tunnel}: ${event.upstream} is healthy`
    case 'certificate.ordered':
    case 'certificate.ready':
    case 'certificate.failed':
    case 'certificate.unkept':
      return certified(event)
    case 'connection.opened':
      return isVerbose ? `${event.tunnel}: ${event.visitor} connected` : undefined
    case 'connection.closed':
      return isVerbose ? closed(event) : undefined
  }
}

function certified(
  event: Extract<AgentEvent, { readonly event: `certificate.${string}` }>,
): string | undefined {
  const { tunnel, host } = event
  switch (event.event) {
    case 'certificate.ordered':
      return `${tunnel}: waiting for the certificate of ${host}; its key stays on this machine`
    case 'certificate.ready':
      return `${tunnel}: ${host} has its certificate, valid until ${new Date(event.until).toISOString().slice(0, 10)}`
    case 'certificate.failed':
      return `${tunnel}: no certificate for ${host} yet: ${told(event.problem)}; ${again(event)}. ${event.problem.cure}`
    case 'certificate.unkept':
      return `${tunnel}: the key of ${host} stays in memory: ${told(event.problem)}; started again, ptun needs a new certificate, and there are few a week. ${event.problem.cure}`
  }
}

function reloaded({ path, ...lists }: Extract<AgentEvent, { event: 'config.reloaded' }>): string {
  const parts = (['added', 'removed', 'changed'] as const).flatMap((what) =>
    lists[what].length > 0 ? [`${what} ${shortNames(lists[what])}`] : [],
  )
  return `${path} was read again: ${parts.length > 0 ? parts.join('; ') : 'nothing changed'}`
}

function draining({ connections, graceMs }: Extract<AgentEvent, { event: 'agent.draining' }>): string {
  if (connections === 0) return 'stopping'
  const open = connections === 1 ? '1 connection' : `${connections} connections`
  return `stopping: ${open} may finish within ${formatDuration(graceMs)}; Ctrl-C again stops at once`
}

function closed(event: Extract<AgentEvent, { event: 'connection.closed' }>): string {
  const { tunnel, visitor, ms, bytesIn, bytesOut, code } = event
  const figures = `in ${formatBytes(bytesIn)}, out ${formatBytes(bytesOut)}${code ? `, ${code}` : ''}`
  return `${tunnel}: ${visitor} left after ${formatDuration(ms)}, ${figures}`
}

function again({ retryInMs }: { readonly retryInMs: number }): string {
  return `next try in ${formatDuration(retryInMs)}`
}

function instead({ suggestions = [] }: Problem): string {
  return suggestions.length > 0 ? ` Free: ${suggestions.join(', ')}.` : ''
}

/** Without a full stop: a sentence goes on behind it. */
function told({ code, detail }: Problem): string {
  return `${code} ${withoutExcerpts(detail).replace(/\.$/, '')}`
}
