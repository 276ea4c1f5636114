/**
 * The agents that serve one tunnel at this relay, and which of them gets the next visitor: the one with the fewest
 * open, and equals take turns. An agent that did not accept its last visitor is skipped while another is there.
 */
import type { TicketClaims } from '@porttunneler/shared/protocol/ticket'
import type { SessionHandle } from './session-handle.ts'

/** Where a visitor is opened. */
export type Binding = { readonly session: SessionHandle; readonly bind: number }

/** An agent at a route; changed by the functions below. */
export type Member = Binding & {
  readonly agent: string
  /** How many visitors it has now. */
  active: number
  /** Monotonic: when its upstream was last out of reach, unless it has accepted a visitor since. */
  failedAtMs: number
}

const never = Number.NEGATIVE_INFINITY
/** After this time one visitor tests whether the upstream is back, and is handed on if not. */
const passOverMs = 5_000

export function newMember({ session, bind }: Binding, agent: string): Member {
  return { session, bind, agent, active: 0, failedAtMs: never }
}

/** Whether visitors are offered to one agent after the other. */
export function isPool({ claims, members }: { claims: TicketClaims; members: readonly Member[] }): boolean {
  return isShared(claims) || members.length > 1
}

/** Whether the ticket was made for a tunnel that several agents share. */
export function isShared({ agents }: Pick<TicketClaims, 'agents'>): boolean {
  return agents === 'many'
}

export function isOpen({ session }: Binding): boolean {
  return session.state === 'open'
}

/** Whether it is there, and its upstream too as far as is known. */
export function isWell(member: Member, nowMs: number): boolean {
  return isOpen(member) && nowMs - member.failedAtMs >= passOverMs
}

export function gaveVisitor(member: Member): void {
  member.active += 1
}

export function visitorLeft(member: Member): void {
  member.active -= 1
}

export function failed(member: Member, nowMs: number): void {
  member.failedAtMs = nowMs
}

export function succeeded(member: Member): void {
  member.failedAtMs = never
}

/**
 * Chooses the agent for the next visitor.
 * @param tried those that have refused this visitor
 * @param turn rises from visitor to visitor
 */
export function chooseMember(
  members: readonly Member[],
  { tried, nowMs, turn }: { tried: ReadonlySet<Member>; nowMs: number; turn: number },
): Member | undefined {
  const open = members.filter((member) => isOpen(member) && !tried.has(member))
  const well = open.filter((member) => isWell(member, nowMs))
  const candidates = well.length > 0 ? well : open
  const least = Math.min(...candidates.map(({ active }) => active))
  const equals = candidates.filter(({ active }) => active === least)
  return equals[turn % equals.length]
}
