/**
 * The hosts of endpoints that this relay has served within a day, `places.json` in the data folder. When a tunnel's
 * agent has left, or is not back yet after a restart of the relay, its visitors are told that it is offline and not
 * that there is no such tunnel. It serves only pages and alerts: a route never begins here. docs/relay.md
 */
import { join } from 'node:path'
import { type TunnelKind, tunnelKinds } from '@porttunneler/shared/protocol/endpoint'
import { limits } from '@porttunneler/shared/protocol/limits'
import { z } from 'zod'
import { KeptFile, listText, type OnSetAside, readJson } from './files.ts'
import { makePool } from './policy/pools.ts'

/** A place that stays is saved again after this time, and not with every look. */
const refreshMs = 3_600_000
/** The number that a report names at most. */
const placesMax = 20_000

const placesSchema = z.object({
  version: z.literal(1),
  /** `at`: when it was last served, by the control plane's clock. */
  places: z
    .array(z.object({ host: z.string(), account: z.string(), kind: z.enum(tunnelKinds), at: z.number() }))
    .max(placesMax),
})
type Place = z.infer<typeof placesSchema>['places'][number]

/** The part of a route that is needed here. */
type Served = {
  readonly endpoint: string
  readonly claims: { readonly account: string; readonly kind: TunnelKind }
}

const prefix = 'host:'

export class Places {
  readonly #file: KeptFile
  readonly #places = new Map<string, Place>()
  readonly #hosts = makePool<string>('places', placesMax)

  private constructor(path: string, kept: readonly Place[]) {
    for (const place of kept) this.#set(place)
    this.#file = new KeptFile(path, () => listText('places', this.#places.values()))
  }

  /** @throws relay.data */
  static async load(dataDir: string, onSetAside?: OnSetAside): Promise<Places> {
    const path = join(dataDir, 'places.json')
    return new Places(path, (await readJson(path, placesSchema, onSetAside))?.places ?? [])
  }

  /** An agent serves the endpoint; `nowMs` is server-corrected wall time. */
  serves({ endpoint, claims: { account, kind } }: Served, nowMs: number): void {
    if (!endpoint.startsWith(prefix)) return
    const host = endpoint.slice(prefix.length)
    const known = this.#places.get(host)
    const isSame = known?.kind === kind && known.account === account
    if (isSame && Math.abs(nowMs - known.at) < refreshMs) return
    this.#forget(host)
    this.#set({ host, account, kind, at: Math.round(nowMs) })
    this.#file.changed()
  }

  /** The tunnel is no more. */
  gone(endpoint: string): void {
    this.#forget(endpoint.slice(prefix.length))
    this.#file.changed()
  }

  /** What kind of tunnel had the host within a day; undefined: none that this relay has served. */
  kindOf(host: string): TunnelKind | undefined {
    return this.#places.get(host)?.kind
  }

  /** Forgets hosts that nobody has served for a day, or that a wrong clock put as far ahead. */
  prune(nowMs: number, served: readonly Served[]): void {
    for (const route of served) this.serves(route, nowMs)
    for (const { host, at } of this.#places.values())
      if (Math.abs(nowMs - at) > limits.placeMs) this.gone(`${prefix}${host}`)
  }

  /** Writes them when they changed. @throws relay.data */
  save(): Promise<void> {
    return this.#file.save()
  }

  #set(place: Place): void {
    const { host, account } = place
    this.#places.set(host, place)
    this.#hosts.add(host, [account], () => this.#places.delete(host))
  }

  #forget(host: string): void {
    this.#places.delete(host)
    this.#hosts.remove(host)
  }
}
