/**
 * The role `Dns` on Cloudflare. Our records carry a comment of ours, and nothing else is ever changed or deleted: a
 * foreign record at one of our names is reported and left alone. Every step can be repeated.
 */
import type { Clock } from '../base/clock.ts'
import { sleep } from '../base/clock.ts'
import { fail, isFailure } from '../base/errors.ts'
import { liesUnder } from '../base/host-names.ts'
import type { Dns, Kept, ZoneRecord } from '../control/platform.ts'
import {
  type Batch,
  batchMax,
  CloudflareApi,
  type CloudflareOptions,
  type CloudRecord,
  type CloudZone,
  existsCodes,
} from './cloudflare-api.ts'

const comments = { kept: 'porttunneler', challenge: 'porttunneler challenge' } as const
/** Short: the address of a relay that is gone must not stay in caches for long. */
const ttlSeconds = 60
const zonesKnownMs = 10 * 60_000
/** An order is over long before; older records were left behind by a process that died. */
const challengeMs = 24 * 3_600_000
const servedEveryMs = 2_000
const triesMax = 3
/** A record that was to be made is there, or one that was to be changed or deleted is not. */
const overtakenCodes: readonly number[] = [...existsCodes, 81_044]
const servedMs = 60_000

export type CloudflareDnsOptions = CloudflareOptions & {
  /** Whether the zone's own servers have the text. */
  readonly isServed: (name: string, text: string, signal: AbortSignal) => Promise<boolean>
}

export function openCloudflareDns(options: CloudflareDnsOptions): Dns {
  return new CloudflareDns(options)
}

class CloudflareDns implements Dns {
  readonly kind = 'cloudflare'
  readonly #api: CloudflareApi
  readonly #clock: Clock
  readonly #isServed: CloudflareDnsOptions['isServed']
  #zones: { readonly list: readonly CloudZone[]; readonly until: number } | undefined

  constructor(options: CloudflareDnsOptions) {
    this.#api = new CloudflareApi(options)
    this.#clock = options.clock
    this.#isServed = options.isServed
  }

  async keep(wanted: readonly ZoneRecord[], signal: AbortSignal): Promise<Kept> {
    const byZone = new Map<CloudZone, ZoneRecord[]>()
    const foreign: string[] = []
    for (const record of wanted) {
      const zone = await this.#zoneOf(record.name, signal)
      if (zone) byZone.set(zone, [...(byZone.get(zone) ?? []), record])
      else foreign.push(`${record.name} lies in no zone of the token`)
    }
    let [made, removed] = [0, 0]
    for (const [zone, records] of byZone) {
      const done = await this.#keepZone(zone, records, signal)
      made += done.made
      removed += done.removed
      foreign.push(...done.foreign)
    }
    return { made, removed, foreign }
  }

  async put(name: string, value: string, signal: AbortSignal): Promise<void> {
    const zone = await this.#zoneOrFail(name, signal)
    await this.#settle(zone, signal, async () => {
      const there = await this.#textsAt(zone, name, signal)
      const isThere = there.some((record) => textOf(record) === value)
      return {
        ...nothing,
        posts: isThere ? [] : [newRecord({ type: 'TXT', name, value }, comments.challenge)],
      }
    })
    const until = this.#clock.monotonic() + servedMs
    while (!(await this.#isServed(name, value, signal))) {
      if (this.#clock.monotonic() >= until)
        throw fail('dns.unavailable', `${name} is not served after a minute.`)
      await sleep(this.#clock, servedEveryMs, signal)
    }
  }

  async remove(name: string, value: string, signal: AbortSignal): Promise<void> {
    const zone = await this.#zoneOf(name, signal)
    if (!zone) return
    await this.#settle(zone, signal, async () => {
      const there = await this.#textsAt(zone, name, signal)
      const ours = there.filter((record) => record.comment === comments.challenge && textOf(record) === value)
      return { ...nothing, deletes: ours.map(({ id }) => ({ id })) }
    })
  }

  #textsAt(zone: CloudZone, name: string, signal: AbortSignal): Promise<readonly CloudRecord[]> {
    return this.#api.records(zone.id, { type: 'TXT', 'name.exact': name }, signal)
  }

  async #keepZone(zone: CloudZone, wanted: readonly ZoneRecord[], signal: AbortSignal): Promise<Kept> {
    const { posts, deletes, foreign } = await this.#settle(zone, signal, async () =>
      planOf(await this.#api.records(zone.id, {}, signal), wanted, this.#clock.now()),
    )
    return { made: posts.length, removed: deletes.length, foreign }
  }

  /** Plans by what is there, and does it. If another process has done part of it meanwhile, it plans again. */
  async #settle<P extends Batch>(
    zone: CloudZone,
    signal: AbortSignal,
    planNow: () => Promise<P>,
  ): Promise<P> {
    for (let tries = 1; ; tries++) {
      const plan = await planNow()
      try {
        for (const batch of batchesOf(plan)) await this.#api.batch(zone.id, batch, signal)
        return plan
      } catch (error) {
        if (tries === triesMax || !codesOf(error).some((code) => overtakenCodes.includes(code))) throw error
      }
    }
  }

  async #zoneOf(name: string, signal: AbortSignal): Promise<CloudZone | undefined> {
    const nowMs = this.#clock.monotonic()
    if (!this.#zones || this.#zones.until <= nowMs)
      this.#zones = { list: await this.#api.zones(signal), until: nowMs + zonesKnownMs }
    const found = this.#zones.list.filter((zone) => liesUnder(name, zone.name))
    return found.toSorted((a, b) => b.name.length - a.name.length)[0]
  }

  async #zoneOrFail(name: string, signal: AbortSignal): Promise<CloudZone> {
    const zone = await this.#zoneOf(name, signal)
    if (!zone) throw fail('dns.refused', `${name} lies in no zone that the token may change.`)
    return zone
  }
}

/** Cloudflare's codes in a refusal. */
function codesOf(error: unknown): readonly number[] {
  const codes = isFailure(error, 'dns.refused') ? error.fields.codes : undefined
  return Array.isArray(codes) ? codes : []
}

const nothing: Batch = { deletes: [], patches: [], posts: [] }

type Plan = Batch & { readonly foreign: readonly string[] }

/** The changes that turn our records into the wanted ones. */
function planOf(there: readonly CloudRecord[], wanted: readonly ZoneRecord[], nowMs: number): Plan {
  const ours = there.filter(({ comment }) => comment === comments.kept)
  const others = there.filter(({ comment }) => comment !== comments.kept)
  const keys = new Set(wanted.map(keyOf))
  const present = new Map(there.map((record) => [keyOf(recordOf(record)), record]))
  const clashes = (record: ZoneRecord) =>
    others.find(
      ({ name, type, content }) =>
        name === record.name && (type === 'CNAME' || (type === record.type && content !== record.value)),
    )
  const missing = wanted.filter((record) => !present.has(keyOf(record)))
  const stale = others.filter(
    ({ comment, created_on: made }) =>
      comment === comments.challenge && made !== undefined && Date.parse(made) < nowMs - challengeMs,
  )
  const drifted = ours.filter(
    (record) => keys.has(keyOf(recordOf(record))) && (record.proxied || record.ttl !== ttlSeconds),
  )
  return {
    deletes: [...ours.filter((record) => !keys.has(keyOf(recordOf(record)))), ...stale].map(({ id }) => ({
      id,
    })),
    patches: drifted.map(({ id }) => ({ id, ttl: ttlSeconds, proxied: false })),
    posts: missing.filter((record) => !clashes(record)).map((record) => newRecord(record, comments.kept)),
    foreign: wanted.flatMap((record) => {
      const other = clashes(record)
      return other
        ? [`${record.name} has a ${other.type} record that is not ours: ${other.content.slice(0, 100)}`]
        : []
    }),
  }
}

/** New records go first, so that no name is without an address between two batches. */
function batchesOf({ deletes, patches, posts }: Batch): readonly Batch[] {
  if (deletes.length + patches.length + posts.length <= batchMax)
    return deletes.length + patches.length + posts.length === 0 ? [] : [{ deletes, patches, posts }]
  return [
    ...pieces(posts).map((some) => ({ ...nothing, posts: some })),
    ...pieces(patches).map((some) => ({ ...nothing, patches: some })),
    ...pieces(deletes).map((some) => ({ ...nothing, deletes: some })),
  ]
}

function pieces<T>(list: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / batchMax) }, (_, n) =>
    list.slice(n * batchMax, (n + 1) * batchMax),
  )
}

function newRecord({ type, name, value }: ZoneRecord, comment: string) {
  const content = type === 'TXT' ? `"${value}"` : value
  return { type, name, content, ttl: ttlSeconds, proxied: false as const, comment }
}

function recordOf(record: CloudRecord): ZoneRecord {
  return { type: record.type as ZoneRecord['type'], name: record.name, value: textOf(record) }
}

/** Cloudflare keeps texts as they were written, with quotation marks or without. */
function textOf({ type, content }: CloudRecord): string {
  return type === 'TXT' ? content.replace(/^"(.*)"$/, '$1') : content.toLowerCase()
}

function keyOf({ type, name, value }: ZoneRecord): string {
  return `${type} ${name} ${value}`
}
