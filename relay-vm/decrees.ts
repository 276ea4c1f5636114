/**
 * What the control plane has decreed and tickets do not say yet: revoked leases, suspended accounts, newer policies.
 * Each subject keeps its highest version, so commands may come twice, late and in any order. A decree is forgotten when
 * every ticket made before it has expired: from then on the tickets themselves say it.
 */
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import { limits } from '@porttunneler/shared/protocol/limits'
import { endpointIdSchema, policySchema, type TicketClaims } from '@porttunneler/shared/protocol/ticket'
import { z } from 'zod'
import type { Decrees as DecreesForRoutes } from './routes.ts'

const timeSchema = z.int().min(0)

export const decreesSchema = z.strictObject({
  /** By endpoint: leases with a lower epoch are over. */
  revocations: z.array(z.strictObject({ endpoint: endpointIdSchema, epoch: z.int(), at: timeSchema })),
  suspensions: z.array(
    z.strictObject({ account: z.string(), suspended: z.boolean(), version: z.int(), at: timeSchema }),
  ),
  policies: z.array(
    z.strictObject({ tunnel: z.string(), policy: policySchema, policyVersion: z.int(), at: timeSchema }),
  ),
})
type Kept = z.infer<typeof decreesSchema>
type Revocation = Kept['revocations'][number] & {
  /** What the agent is told if not that its tunnel was withdrawn. A restart forgets it. */
  readonly key?: ErrorKey
  /** Those that somebody stopped hear that. A restart forgets it, and they hear it from the control plane. */
  readonly agents?: readonly string[]
}
type Suspension = Kept['suspensions'][number]
type PolicyDecree = Kept['policies'][number]

/** A ticket made just before a decree, by a clock with the largest error that we allow, is valid for this long. */
export const decreeMs = limits.ticketMs + 2 * limits.skewMs

export class Decrees implements DecreesForRoutes {
  readonly #revocations: Map<string, Revocation>
  readonly #suspensions: Map<string, Suspension>
  readonly #policies: Map<string, PolicyDecree>

  constructor(kept: Kept = { revocations: [], suspensions: [], policies: [] }) {
    this.#revocations = new Map(kept.revocations.map((decree) => [decree.endpoint, decree]))
    this.#suspensions = new Map(kept.suspensions.map((decree) => [decree.account, decree]))
    this.#policies = new Map(kept.policies.map((decree) => [decree.tunnel, decree]))
  }

  /** @returns whether it was new */
  revoke(decree: Revocation): boolean {
    if ((this.#revocations.get(decree.endpoint)?.epoch ?? 0) >= decree.epoch) return false
    this.#revocations.set(decree.endpoint, decree)
    return true
  }

  suspend(decree: Suspension): boolean {
    if ((this.#suspensions.get(decree.account)?.version ?? -1) >= decree.version) return false
    this.#suspensions.set(decree.account, decree)
    return true
  }

  setPolicy(decree: PolicyDecree): boolean {
    if ((this.#policies.get(decree.tunnel)?.policyVersion ?? -1) >= decree.policyVersion) return false
    this.#policies.set(decree.tunnel, decree)
    return true
  }

  refusal(claims: TicketClaims): ErrorKey | undefined {
    const revocation = this.#revocations.get(claims.endpoint)
    const isRevoked = claims.epoch < (revocation?.epoch ?? 0)
    if (this.isSuspended(claims.account)) return 'session.revoked'
    if (!isRevoked) return undefined
    if (revocation?.agents?.includes(claims.agent)) return 'agent.stopped'
    return revocation?.key ?? 'session.revoked'
  }

  isSuspended(account: string): boolean {
    return this.#suspensions.get(account)?.suspended === true
  }

  policyOf(tunnel: string): PolicyDecree | undefined {
    return this.#policies.get(tunnel)
  }

  /** @param nowMs server-corrected wall time */
  prune(nowMs: number): void {
    const oldest = nowMs - decreeMs
    for (const decrees of [this.#revocations, this.#suspensions, this.#policies])
      for (const [subject, { at }] of decrees) if (at < oldest) decrees.delete(subject)
  }

  toJSON(): Kept {
    return {
      revocations: [...this.#revocations.values()].map(({ key: _, agents: __, ...kept }) => kept),
      suspensions: [...this.#suspensions.values()],
      policies: [...this.#policies.values()],
    }
  }
}
