/**
 * Who may in, cheapest question first: source bucket and relay-wide cap at accept, then (once the endpoint is known)
 * the tunnel's IP filter, its cap, the account's cap, and both buckets. Every no is a key that the caller counts.
 */
import type { Clock } from '@porttunneler/shared/base/clock'
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import type { Policy, TicketClaims } from '@porttunneler/shared/protocol/ticket'
import { sourceNetwork } from './addresses.ts'
import { Buckets, type Rate } from './buckets.ts'
import { compileMatcher, type IpFilter } from './ip-filter.ts'

export type AdmissionLimits = {
  /** Visitor connections open at a time, over all tunnels. */
  readonly visitorsMax: number
  /** New connections from one /24 or /64. */
  readonly source: Rate
  /** New connections to all tunnels of one account; its plan may say less. */
  readonly account: Rate
  /** Addresses and CIDRs that the source bucket does not count: load balancers' probes, this machine. */
  readonly exempt: readonly string[]
}

/** What admission has to know of a tunnel that a visitor wants. */
export type AdmissionSubject = {
  readonly tunnel: string
  readonly account: string
  readonly policy: Policy
  readonly ipFilter: IpFilter
  /** Open streams of the tunnel at this relay now, and of all tunnels of the account. */
  readonly active: number
  readonly accountActive: number
  readonly accountLimits?: TicketClaims['accountLimits']
}

/** Sources, tunnels and accounts remembered: 100 bytes each, so a flood from everywhere costs at most some MB. */
const keysMax = 50_000

export class Admission {
  readonly #limits: AdmissionLimits
  readonly #sources: Buckets
  readonly #tunnels: Buckets
  readonly #accounts: Buckets
  readonly #isExempt: IpFilter

  constructor(clock: Clock, limits: AdmissionLimits) {
    this.#limits = limits
    this.#sources = new Buckets(clock, { keysMax })
    this.#tunnels = new Buckets(clock, { keysMax })
    this.#accounts = new Buckets(clock, { keysMax })
    this.#isExempt = compileMatcher(limits.exempt)
  }

  /** First, for every socket. `open` = visitor sockets the relay holds now. Undefined = come in. */
  atAccept(address: string, open: number): ErrorKey | undefined {
    if (!this.#isExempt(address) && !this.#sources.take(sourceNetwork(address), this.#limits.source))
      return 'visitor.rate'
    return open >= this.#limits.visitorsMax ? 'visitor.limit' : undefined
  }

  /** Second, once it is known which tunnel the visitor wants; for each stream that would be opened. */
  atTunnel(address: string, subject: AdmissionSubject): ErrorKey | undefined {
    const { policy } = subject
    if (!subject.ipFilter(address)) return 'visitor.denied'
    if (subject.active >= policy.connectionsMax) return 'tunnel.limit'
    const { accountActive, accountLimits } = subject
    if (accountLimits && accountActive >= accountLimits.connectionsMax) return 'account.limit'
    const perMinute = policy.connectionsPerMinute
    if (!this.#tunnels.take(subject.tunnel, { perMinute, burst: perMinute })) return 'tunnel.rate'
    if (!this.#accounts.take(subject.account, this.#accountRate(accountLimits))) return 'account.rate'
    return undefined
  }

  #accountRate(told: TicketClaims['accountLimits']): Rate {
    const { perMinute, burst } = this.#limits.account
    const mostMinute = told?.connectionsPerMinute ?? perMinute
    return { perMinute: Math.min(perMinute, mostMinute), burst: Math.min(burst, mostMinute) }
  }
}
