/**
 * What this relay knows of names: which tunnel each of them leads to, by the highest version that a ticket or a command
 * has told. A name that was removed is remembered until every ticket that lists it has run out; a relay that the
 * control plane has not heard of for a day may have missed a removal, and routes no names. docs/decisions/0049
 */
import { aliasSchema, type TunnelKind, tunnelKinds } from '@porttunneler/shared/protocol/endpoint'
import { limits } from '@porttunneler/shared/protocol/limits'
import type { TicketClaims } from '@porttunneler/shared/protocol/ticket'
import { z } from 'zod'
import { decreeMs } from './decrees.ts'
import type { Moment } from './server-time.ts'

/** Nobody else gets a name before it has rested so long, or every relay has applied its removal: name-rules.ts. */
const trustMs = 24 * 3_600_000

/** Names without a ticket for longer than any may run, by which visitors are still told that the tunnel is offline. */
const pastMax = 10_000

const knownSchema = aliasSchema.extend({
  account: z.string(),
  /** '' = none: the name was removed. */
  tunnel: z.string(),
  /** As the last ticket said that listed the name; a command does not say it. */
  kind: z.enum(tunnelKinds).optional(),
  /** When the control plane last vouched for it, by its own clock. */
  at: z.int(),
})
type Known = z.infer<typeof knownSchema>
export const keptNamesSchema = z.object({
  /** Server time of the last exchange; absent: none, or the relay has taken its leave. */
  heardAt: z.number().optional(),
  known: z.array(knownSchema),
})

export class NameKnowledge {
  readonly #known: Map<string, Known>
  /** Pages only, never routes: what was pruned, longest ago first. */
  readonly #past = new Map<string, Pick<Known, 'at' | 'kind'>>()
  #heard: Moment | undefined
  /** Of the life before this one, by the control plane's clock. */
  #heardBefore: number | undefined
  #onMoved: (host: string) => void = () => {}

  constructor({ heardAt, known }: z.infer<typeof keptNamesSchema> = { known: [] }) {
    this.#known = new Map(known.map((one) => [one.host, one]))
    this.#heardBefore = heardAt
  }

  /** `listen` hears that a name leads elsewhere now: visitors who came by it are not that tunnel's any more. */
  whenMoved(listen: (host: string) => void): void {
    this.#onMoved = listen
  }

  /** @returns whether it says something new */
  hear(said: Known): boolean {
    const known = this.#known.get(said.host)
    if (known && known.version > said.version) return false
    if (known?.version === said.version) {
      // One version leads to one tunnel: two that are told of it are a fault, and nobody guesses.
      if (known.tunnel === said.tunnel) {
        known.at = Math.max(known.at, said.at)
        known.kind = said.kind ?? known.kind
      } else if (known.tunnel !== '') this.#set({ ...known, tunnel: '' })
      return false
    }
    this.#set({ ...said })
    return true
  }

  /** The names that a checked ticket lists. */
  takeTicket({ sub: tunnel, account, kind, iat, names = [] }: TicketClaims): void {
    for (const { host, version } of names) this.hear({ host, version, account, tunnel, kind, at: iat * 1000 })
  }

  /** Where the name leads; undefined: nowhere, or not known. */
  find(host: string): { readonly tunnel: string; readonly account: string } | undefined {
    const known = this.#known.get(host)
    return known && known.tunnel !== '' ? known : undefined
  }

  /** What kind of tunnel has the name, or had it within a day; undefined: none that this relay has heard of. */
  kindOf(host: string): TunnelKind | undefined {
    const known = this.find(host) ? this.#known.get(host) : this.#past.get(host)
    // Only `http` and `tls` tunnels have names, and the first are by far more.
    return known && (known.kind ?? 'http')
  }

  /** Whether what it knows counts. */
  isTrusted({ serverMs, wallMs, monotonicMs }: Moment): boolean {
    if (this.#heard) {
      // A machine that sleeps stops the one clock, and whoever sets the time changes the other.
      const { wallMs: wall, monotonicMs: monotonic } = this.#heard
      return Math.max(wallMs - wall, monotonicMs - monotonic) <= trustMs
    }
    if (this.#heardBefore === undefined) return false
    const ageMs = serverMs - this.#heardBefore
    return ageMs >= -limits.skewMs && ageMs <= trustMs
  }

  /**
   * An exchange that began at `sent` has been answered, and its commands are about to be applied. After too long a
   * silence only what was vouched for within a ticket's lifetime stays: commands of before are gone by now.
   */
  answered(sent: Moment, now: Moment): void {
    if (!this.isTrusted(now)) this.#forgetBefore(now.serverMs - decreeMs)
    // As the control plane has it now; before its answer this machine may have been wrong.
    this.#heard = { ...sent, serverMs: now.serverMs - (now.monotonicMs - sent.monotonicMs) }
  }

  /** The control plane will not wait for this relay from now on. */
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

  #set(known: Known): void {
    const before = this.#known.get(known.host)
    this.#known.set(known.host, known)
    this.#past.delete(known.host)
    if (before && before.tunnel !== known.tunnel) this.#onMoved(known.host)
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
