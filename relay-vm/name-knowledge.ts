/**
 * What this relay knows of names: which tunnel each name leads to, by the highest version that a ticket or a command
 * has told. A removed name is remembered until every ticket that lists it has expired. A relay that has had no contact
 * with the control plane for a day may have missed a removal, and routes no names. docs/decisions/0049
 */

import { wildcardOver } from '@porttunneler/shared/base/wildcards'
import { aliasSchema, type TunnelKind, tunnelKinds } from '@porttunneler/shared/protocol/endpoint'
import { limits } from '@porttunneler/shared/protocol/limits'
import type { TicketClaims } from '@porttunneler/shared/protocol/ticket'
import { z } from 'zod'
import { decreeMs } from './decrees.ts'
import type { Moment } from './server-time.ts'

/**
 * Nobody else gets a name before it has rested this long, or before every relay has applied its removal: name-rules.ts.
 */
const trustMs = 24 * 3_600_000

/**
 * Names without a valid ticket for longer than a ticket may run, kept so that visitors are still told that the tunnel
 * is offline.
 */
const pastMax = 10_000

const knownSchema = aliasSchema.extend({
  account: z.string(),
  /** '' = none: the name was removed. */
  tunnel: z.string(),
  /** As the last ticket said that listed the name; commands do not say it. */
  kind: z.enum(tunnelKinds).optional(),
  /** When the control plane last confirmed it, by its own clock. */
  at: z.int(),
})
type Known = z.infer<typeof knownSchema>
export const keptNamesSchema = z.object({
  /** Server time of the last exchange. undefined: there was none, or the relay has taken its leave. */
  heardAt: z.number().optional(),
  known: z.array(knownSchema),
})

export class NameKnowledge {
  readonly #known: Map<string, Known>
  /** Names that were pruned, oldest first: for pages only, never for routes. */
  readonly #past = new Map<string, Pick<Known, 'at' | 'kind'>>()
  #heard: Moment | undefined
  /** The last exchange of the process before this one, by the control plane's clock. */
  #heardBefore: number | undefined
  #onMoved: (host: string) => void = () => {}

  constructor({ heardAt, known }: z.infer<typeof keptNamesSchema> = { known: [] }) {
    this.#known = new Map(known.map((one) => [one.host, one]))
    this.#heardBefore = heardAt
  }

  /** `listen` is called when a name leads elsewhere now: visitors who came by it are not that tunnel's any more. */
  whenMoved(listen: (host: string) => void): void {
    this.#onMoved = listen
  }

  /** @returns whether it was new */
  hear(said: Known): boolean {
    const known = this.#known.get(said.host)
    if (known && known.version > said.version) return false
    if (known?.version === said.version) {
      // A version leads to one tunnel. Two tunnels for one version are a fault, and the relay does not guess.
      if (known.tunnel === said.tunnel) {
        known.at = Math.max(known.at, said.at)
        known.kind = said.kind ?? known.kind
      } else if (known.tunnel !== '') this.#set({ ...known, tunnel: '' })
      return false
    }
    this.#set({ ...said })
    return true
  }

  /** Takes the names that a checked ticket lists. */
  takeTicket({ sub: tunnel, account, kind, iat, names = [] }: TicketClaims): void {
    for (const { host, version } of names) this.hear({ host, version, account, tunnel, kind, at: iat * 1000 })
  }

  /**
   * Where visitors of the host are led: by its own name, or else by the wildcard that stands for it. A wildcard does
   * not take over while the tunnel of the host's own name is offline.
   */
  lead(host: string): { readonly tunnel: string; readonly account: string } | undefined {
    return this.find(this.#nameFor(host))
  }

  /** Where exactly this name leads; undefined: nowhere, or not known. */
  find(host: string): { readonly tunnel: string; readonly account: string } | undefined {
    const known = this.#known.get(host)
    return known && known.tunnel !== '' ? known : undefined
  }

  /** What kind of tunnel visitors of the host are led to, or were within a day; undefined: none that is known. */
  kindOf(host: string): TunnelKind | undefined {
    const name = this.#nameFor(host)
    const known = this.find(name) ? this.#known.get(name) : this.#past.get(name)
    // Only `http` and `tls` tunnels have names, and most are `http`.
    return known && (known.kind ?? 'http')
  }

  /** Whether its knowledge counts. */
  isTrusted({ serverMs, wallMs, monotonicMs }: Moment): boolean {
    if (this.#heard) {
      // A machine that sleeps stops the one clock, and setting the time changes the other.
      const { wallMs: wall, monotonicMs: monotonic } = this.#heard
      return Math.max(wallMs - wall, monotonicMs - monotonic) <= trustMs
    }
    if (this.#heardBefore === undefined) return false
    const ageMs = serverMs - this.#heardBefore
    return ageMs >= -limits.skewMs && ageMs <= trustMs
  }

  /**
   * Call it when an exchange that began at `sent` has been answered, and its commands are about to be applied. After
   * too long a silence only names confirmed within a ticket's lifetime stay, because earlier commands are gone by now.
   */
  answered(sent: Moment, now: Moment): void {
    if (!this.isTrusted(now)) this.#forgetBefore(now.serverMs - decreeMs)
    // The control plane's present time; before its answer this machine may have been wrong.
    this.#heard = { ...sent, serverMs: now.serverMs - (now.monotonicMs - sent.monotonicMs) }
  }

  /** From now on the control plane will not wait for this relay. */
  takeLeave(): void {
    this.#heard = undefined
    this.#heardBefore = undefined
  }

  /** Forgets names that no tunnel here has, once no older ticket can bind. */
  prune(nowMs: number, isServed: (tunnel: string) => boolean): void {
    for (const [host, { at }] of this.#past) if (at < nowMs - trustMs) this.#past.delete(host)
    for (const [host, { at, version, tunnel, kind }] of this.#known) {
      if (Math.max(at, version) >= nowMs - decreeMs || isServed(tunnel)) continue
      this.#known.delete(host)
      if (tunnel !== '') this.#past.set(host, { at, kind })
    }
    for (const host of this.#past.keys()) {
      if (this.#past.size <= pastMax) break
      this.#past.delete(host)
    }
  }

  toJSON(): z.infer<typeof keptNamesSchema> {
    const heardAt = this.#heard ? this.#heard.serverMs : this.#heardBefore
    return { ...(heardAt !== undefined && { heardAt }), known: [...this.#known.values()] }
  }

  /** The name that counts for the host: its own, if one is known, or the wildcard that stands for it. */
  #nameFor(host: string): string {
    return this.find(host) || this.#past.has(host) ? host : wildcardOver(host)
  }

  #set(known: Known): void {
    const { host } = known
    // Until now the wildcard may have led visitors of a name that is new.
    const before = this.#known.get(host) ?? this.#known.get(wildcardOver(host))
    this.#known.set(host, known)
    this.#past.delete(host)
    if (before && before.tunnel !== known.tunnel) this.#onMoved(host)
  }

  #forgetBefore(atMs: number): void {
    this.#past.clear()
    for (const [host, { at }] of this.#known) {
      if (at >= atMs) continue
      this.#known.delete(host)
      this.#onMoved(host)
    }
  }
}
