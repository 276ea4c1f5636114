/**
 * Carries out the commands of the control plane at this relay. Decrees are versioned by subject, so the bus and `sync`
 * may both bring the same command, in any order, any number of times.
 */
import type { Command } from '@porttunneler/shared/api/schemas/relays'
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'
import { unreachable } from '@porttunneler/shared/base/unreachable'
import type { TicketClaims } from '@porttunneler/shared/protocol/ticket'
import type { Certificates } from './certificates.ts'
import { decreeMs } from './decrees.ts'
import type { Places } from './places.ts'
import type { Routes } from './routes.ts'
import type { ServerTime } from './server-time.ts'
import type { AgentSessions } from './sessions.ts'
import type { RelayState } from './state.ts'
import type { Visitors } from './visitors.ts'

export type CommandTargets = {
  readonly state: RelayState
  readonly routes: Routes
  readonly places: Pick<Places, 'gone'>
  readonly visitors: Pick<Visitors, 'cut'>
  readonly sessions: Pick<AgentSessions, 'tellTransfer'>
  readonly time: Pick<ServerTime, 'startedAtMs'>
  readonly certificates?: Pick<Certificates, 'hear' | 'serve'>
  onKeys(): void
  onDrain(): void
}

/**
 * Carries out a command that came by the bus. The bus may hold a command for long, and an operator may replay it. An
 * old command is refused, because later decrees that overruled it may be forgotten by now.
 * @returns `late` when it was too old and not carried out; otherwise whether it changed what the relay must remember
 */
export function applyFromBus(command: Command, targets: CommandTargets, nowMs: number): boolean | 'late' {
  return command.at < nowMs - decreeMs ? 'late' : applyCommand(command, targets)
}

/**
 * One line for a command that changed something, so that the request it comes from is found here too; repeats change
 * nothing. @returns `isNews`
 */
export function noteCommand(log: Log, { id, kind, request }: Command, isNews: boolean): boolean {
  if (isNews && request !== undefined)
    log.info({ requestId: request, command: id, kind }, 'A command was carried out')
  return isNews
}

/** @returns whether it changed what the relay must remember */
export function applyCommand(command: Command, targets: CommandTargets): boolean {
  const { state, routes, sessions } = targets
  switch (command.kind) {
    case 'revoke': {
      const { endpoint, epoch, at, reason, vacant, agents } = command
      if (reason === 'deleted' || vacant === true) targets.places.gone(endpoint)
      const key = reasons.get(reason) ?? withdrawals.get(reason)
      const told = { ...(key && { key }), ...(agents && { agents }) }
      if (!state.decrees.revoke({ endpoint, epoch, at, ...told })) return false
      end(targets, (claims) => claims.endpoint === endpoint && claims.epoch < epoch, { reason, agents })
      return true
    }
    case 'suspend': {
      const { account, suspended, version, at } = command
      if (!state.decrees.suspend({ account, suspended, version, at })) return false
      if (suspended) end(targets, (claims) => claims.account === account, { reason: 'suspended' })
      return true
    }
    case 'policy': {
      const { tunnel, policy, policyVersion, at } = command
      if (!state.decrees.setPolicy({ tunnel, policy, policyVersion, at })) return false
      routes.setPolicy(tunnel, { policy, policyVersion })
      return true
    }
    case 'name': {
      const { host, version, account, tunnel, at } = command
      const isNews = state.names.hear({ host, version, account, tunnel, at })
      if (routes.ofTunnel(tunnel)?.claims.kind === 'http') targets.certificates?.serve(host)
      return isNews
    }
    case 'takedown':
      return state.takenDown.hear(command)
    case 'certificate':
      targets.certificates?.hear(command)
      return false
    case 'transfer':
      sessions.tellTransfer(command)
      return false
    case 'keys':
      if (command.version > state.keys.version) targets.onKeys()
      return false
    case 'leaked':
      if (!state.refuseKey(command.kid)) return false
      targets.onKeys()
      return true
    case 'drain':
      if (command.relay === state.relay && isForThisProcess(command.at, targets)) targets.onDrain()
      return false
    default:
      return unreachable(command)
  }
}

/**
 * An order to drain that is older than this process was meant for the one before it. An order that comes before the
 * time is known waits for `sync`, which brings it again.
 */
function isForThisProcess(at: number, { time: { startedAtMs } }: CommandTargets): boolean {
  return startedAtMs !== undefined && at >= startedAtMs
}

/**
 * Ends the leases that match. Visitors of a tunnel that goes on elsewhere may finish here; visitors of a withdrawn
 * tunnel are cut.
 */
function end(
  { routes, visitors }: CommandTargets,
  matches: (claims: TicketClaims) => boolean,
  { reason, agents = [] }: { readonly reason: string; readonly agents?: readonly string[] | undefined },
): void {
  const key = reasons.get(reason) ?? withdrawals.get(reason) ?? 'session.revoked'
  routes.revoke(matches, key, agents)
  if (!reasons.has(reason)) visitors.cut((route) => matches(route.claims), key)
}

/** What the agent is told when its tunnel goes on. Every other reason means that the tunnel is over. */
const reasons: ReadonlyMap<string, ErrorKey> = new Map([
  ['superseded', 'session.superseded'],
  // The agent moved the tunnel to another endpoint: it goes on, and may claim again.
  ['moved', 'lease.gone'],
])

/** For withdrawn tunnels, the reason where it says more than "withdrawn". */
const withdrawals: ReadonlyMap<string, ErrorKey> = new Map([
  ['displaced', 'quota.displaced'],
  ['taken_down', 'tunnel.taken_down'],
])
