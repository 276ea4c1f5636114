/**
 * Tunnels that operators have taken down, whose visitors are told so for as long as the control plane says: a takedown
 * lasts for months, decrees and places for a day at most. It serves only pages: what a takedown forbids, the end of the
 * lease and the control plane forbid. Kept in `state.json`. docs/decisions/0104
 */
import type { Command } from '@porttunneler/shared/api/schemas/relays'
import { z } from 'zod'
import { decreeMs } from './decrees.ts'

/** The oldest yield: their visitors then hear that the tunnel is offline, or unknown. */
const takedownsMax = 5_000

const takedownSchema = z.object({
  tunnel: z.string(),
  endpoint: z.string(),
  /** 0 = it is back; kept for a while, because an earlier command may still come. */
  until: z.int(),
  version: z.int(),
  at: z.int(),
})
type Takedown = z.infer<typeof takedownSchema>
export const takedownsSchema = z.array(takedownSchema).max(takedownsMax)

export class TakenDown {
  /** By tunnel, the oldest first. */
  readonly #takedowns = new Map<string, Takedown>()
  /** From endpoint to tunnel. */
  readonly #endpoints = new Map<string, string>()

  constructor(kept: readonly Takedown[] = []) {
    for (const takedown of kept) this.#set(takedown)
  }

  /** @returns whether it was new */
  hear({ tunnel, endpoint, until, version, at }: Extract<Command, { kind: 'takedown' }>): boolean {
    if ((this.#takedowns.get(tunnel)?.version ?? 0) >= version) return false
    this.#forget(tunnel)
    this.#set({ tunnel, endpoint, until, version, at })
    const [oldest] = this.#takedowns.keys()
    if (this.#takedowns.size > takedownsMax && oldest !== undefined) this.#forget(oldest)
    return true
  }

  /** Whether one has the host as its endpoint, or is the tunnel that the host leads to as a further name. */
  has(host: string, tunnel: string | undefined): boolean {
    return this.#isOn(tunnel) || this.#isOn(this.#endpoints.get(`host:${host}`))
  }

  /** @param nowMs server-corrected wall time */
  prune(nowMs: number): void {
    for (const { tunnel, until, at } of this.#takedowns.values())
      if (until > 0 ? until < nowMs : at < nowMs - decreeMs) this.#forget(tunnel)
  }

  toJSON(): readonly Takedown[] {
    return [...this.#takedowns.values()]
  }

  #isOn(tunnel: string | undefined): boolean {
    const takedown = tunnel === undefined ? undefined : this.#takedowns.get(tunnel)
    return takedown !== undefined && takedown.until > 0
  }

  #set(takedown: Takedown): void {
    this.#takedowns.set(takedown.tunnel, takedown)
    this.#endpoints.set(takedown.endpoint, takedown.tunnel)
  }

  #forget(tunnel: string): void {
    const endpoint = this.#takedowns.get(tunnel)?.endpoint ?? ''
    if (this.#endpoints.get(endpoint) === tunnel) this.#endpoints.delete(endpoint)
    this.#takedowns.delete(tunnel)
  }
}
