/**
 * Who may come in, the cheapest question first: the source's bucket at accept, then (once the endpoint is known) the
 * tunnel's and the account's. Every refusal is a key that the caller counts. The pools limit how many there may be at a
 * time.
 */

import { sourcePath } from '@porttunneler/shared/base/addresses'
import type { Clock } from '@porttunneler/shared/base/clock'
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import { compileMatcher, type NetworkMatcher } from '@porttunneler/shared/base/networks'
import type { Policy, TicketClaims } from '@porttunneler/shared/protocol/ticket'
import { FairRates, type Rate, takeOfSource } from './fair-rates.ts'

export type AdmissionLimits = {
  /** New connections from one /24 or /64. */
  readonly source: Rate
  /** New connections to all tunnels of one account; its plan may set a lower limit. */
  readonly account: Rate
  /** Addresses and CIDRs that the source bucket does not count: load balancers' probes, this machine. */
  readonly exempt: readonly string[]
}

/** What admission has to know about the tunnel that a visitor wants. */
export type AdmissionSubject = {
  readonly tunnel: string
  readonly account: string
  readonly policy: Policy
  readonly accountLimits?: TicketClaims['accountLimits']
}

/** Sources, tunnels and accounts remembered: 100 bytes each, so a flood from everywhere costs at most some MB. */
const keysMax = 50_000

/** People who close pages take back a hundred requests at once; a flood does nothing else. */
const takenBackRate: Rate = { perMinute: 6_000, burst: 1_000 }

export class Admission {
  readonly #limits: AdmissionLimits
  readonly #sources: FairRates
  readonly #tunnels: FairRates
  readonly #accounts: FairRates
  readonly #requests: FairRates
  readonly #takenBack: FairRates
  readonly #isExempt: NetworkMatcher

  constructor(clock: Clock, limits: AdmissionLimits) {
    this.#limits = limits
    this.#sources = new FairRates(clock, { keysMax })
    this.#tunnels = new FairRates(clock, { keysMax })
    this.#accounts = new FairRates(clock, { keysMax })
    this.#requests = new FairRates(clock, { keysMax })
    this.#takenBack = new FairRates(clock, { keysMax })
    this.#isExempt = compileMatcher(limits.exempt)
  }

  /**
   * The first check, for every socket, and for a visitor behind a proxy, whom nobody counted when the proxy connected.
   * @returns undefined when it may come in
   */
  atAccept(address: string): ErrorKey | undefined {
    if (this.#isExempt(address)) return undefined
    return takeOfSource(this.#sources, address, this.#limits.source) ? undefined : 'visitor.rate'
  }

  /** The second check, once it is known which tunnel the visitor wants, for each stream that would be opened. */
  atTunnel(address: string, subject: AdmissionSubject): ErrorKey | undefined {
    const { policy } = subject
    const { tunnel, account, accountLimits } = subject
    const perMinute = policy.connectionsPerMinute
    const source = sourcePath(address)
    if (!this.#tunnels.take(tunnel, { perMinute, burst: perMinute }, source)) return 'tunnel.rate'
    if (!this.#accounts.take(account, this.#accountRate(accountLimits), [tunnel, ...source]))
      return 'account.rate'
    return undefined
  }

  /** Called for each request of an http tunnel whose policy limits those of one visitor: an address, or a /64. */
  atRequest(
    address: string,
    { tunnel, policy }: Pick<AdmissionSubject, 'tunnel' | 'policy'>,
  ): ErrorKey | undefined {
    const { requestsPerMinute: perMinute } = policy
    if (perMinute === undefined) return undefined
    const key = `${tunnel} ${sourcePath(address)[1]}`
    return this.#requests.take(key, { perMinute, burst: perMinute }) ? undefined : 'http.requests_rate'
  }

  /** Called for each request over HTTP/2 that a visitor takes back. @returns false: its network did so too often */
  atTakeBack(address: string): boolean {
    return this.#isExempt(address) || takeOfSource(this.#takenBack, address, takenBackRate)
  }

  #accountRate(told: TicketClaims['accountLimits']): Rate {
    const { perMinute, burst } = this.#limits.account
    const mostMinute = told?.connectionsPerMinute ?? perMinute
    return { perMinute: Math.min(perMinute, mostMinute), burst: Math.min(burst, mostMinute) }
  }
}
