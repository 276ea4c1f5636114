/**
 * The certificates of the names that are served here. They are fetched when an agent binds a name, before any visitor
 * asks, and kept with their keys in the data folder (mode 0600) until the name is gone, so a relay can restart while
 * the control plane is down. For most of them only the PEM is in memory (1.2 KB); a TLS context takes forty times that,
 * so only 2,000 are kept, those of the names that were used last. docs/decisions/0063-certificates.md
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import type { SecureContext } from 'node:tls'
import type { RelayCertificate } from '@porttunneler/shared/api/schemas/relays'
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import type { Log } from '@porttunneler/shared/base/log'
import { Secret } from '@porttunneler/shared/base/secret'
import { isWildcard, wildcardOver } from '@porttunneler/shared/base/wildcards'
import { z } from 'zod'
import { KeptFile, type OnSetAside, readJson } from './files.ts'
import { certificateLimits } from './policy/pools.ts'
import { type ContextOptions, TlsContexts } from './tls-contexts.ts'

const leafEnd = '-----END CERTIFICATE-----\n'
/** Issuers have a handful; more are not shared. */
const uppersMax = 100
/** The most names in one request. */
const askedAtOnce = 100
/** The time between requests. */
const askEveryMs = 200
/**
 * A name without a certificate is requested at once, again after the first of these, and then after each second one.
 */
const retryMs = [30_000, 5 * 60_000] as const
/** A certificate in the last quarter of its life is requested every hour, in case its command was missed. */
const lateShare = 0.75
const lateMs = 3_600_000

const keptSchema = z.object({
  host: z.string(),
  hosts: z.array(z.string()),
  version: z.number(),
  chain: z.string(),
  key: z.string().transform((text) => new Secret(text)),
  /** Written once leaf and key were checked; earlier releases omit it. */
  lateAt: z.number().optional(),
})
const fileSchema = z.object({ version: z.literal(1).default(1), certificates: z.array(keptSchema) })
type Kept = z.infer<typeof keptSchema>
type Entry = Omit<Kept, 'chain'> & {
  /** PEM of the chain, in two parts: many chains have the second in common. */
  readonly leaf: string
  readonly above: string
  readonly lateAt: number
}
type Wish = { tries: number; dueAt: number }

export type AskCertificates = (
  hosts: readonly string[],
  signal: AbortSignal,
) => Promise<readonly RelayCertificate[]>

export type CertificatesOptions = {
  readonly clock: Clock
  readonly log: Log
  readonly dataDir: string
  /** The options of all contexts. */
  readonly tls: ContextOptions
  /** Whether the name is the relay's own, or leads to a tunnel here. */
  isServed(name: string): boolean
  readonly contextsMax?: number
}

export class Certificates {
  readonly #options: CertificatesOptions
  readonly #file: KeptFile
  /** By the name that each was ordered for. */
  readonly #entries = new Map<string, Entry>()
  /** By each name in it; a wildcard with its asterisk. */
  readonly #byName = new Map<string, Entry>()
  readonly #contexts: TlsContexts<Entry>
  /** The parts of chains above the leaves: a few for all, where each parsed file or answer has its own copy. */
  readonly #uppers = new Map<string, string>()
  readonly #wishes = new Map<string, Wish>()
  readonly #closing = new AbortController()
  #ask: AskCertificates | undefined
  #timer: Timer | undefined
  #isAsking = false
  #thumbprint: string | undefined

  private constructor(options: CertificatesOptions, kept: readonly Kept[]) {
    this.#options = options
    this.#contexts = new TlsContexts(options.tls, options.contextsMax ?? certificateLimits.contexts)
    this.#file = new KeptFile(join(options.dataDir, 'certificates.json'), () => {
      const certificates = [...this.#entries.values()].map(({ leaf, above, key, ...rest }) => ({
        ...rest,
        chain: leaf + above,
        key: key.reveal(),
      }))
      return JSON.stringify({ version: 1, certificates })
    })
    for (const each of kept)
      if (each.lateAt === undefined) this.#take(each)
      else this.#put(this.#entryOf(each, each.lateAt))
  }

  /** @throws relay.data */
  static async load(options: CertificatesOptions, onSetAside?: OnSetAside): Promise<Certificates> {
    const file = await readJson(join(options.dataDir, 'certificates.json'), fileSchema, onSetAside)
    return new Certificates(options, file?.certificates ?? [])
  }

  /** The thumbprint for HTTP-01 (RFC 8555, section 8.3); undefined where no certificates are ordered. */
  get thumbprint(): string | undefined {
    return this.#thumbprint
  }

  /** Takes the thumbprint from the control plane; certificates are requested only if there is one. */
  tell(thumbprint: string | undefined): void {
    this.#thumbprint = thumbprint
    this.#arm(0)
  }

  /** Call it when the control plane can be asked; a kept certificate may have a successor by now. */
  start(ask: AskCertificates): void {
    this.#ask = ask
    for (const name of this.#entries.keys()) this.#wish(name)
    this.#arm(0)
  }

  covers(name: string): boolean {
    return this.#find(name) !== undefined
  }

  /** Call it when a name is served from now on. */
  serve(name: string): void {
    if (this.#hasOwn(name) || this.#wishes.has(name)) return
    this.#wish(name)
    this.#arm(askEveryMs)
  }

  /** Call it when there is a certificate of this version. */
  hear({ host, version }: { readonly host: string; readonly version: number }): void {
    const known = this.#entries.get(host)
    if ((known?.version ?? 0) >= version) return
    if (known === undefined && !this.#options.isServed(host)) return
    this.#wishes.delete(host)
    this.#wish(host)
    this.#arm(0)
  }

  /** Makes the context of a requested name if there is none: 0.2 ms. */
  prepare(name: string): void {
    const entry = this.#find(name)
    if (entry && !this.#contexts.has(entry)) this.#make(entry)
  }

  /**
   * For SNICallback; undefined: the relay's own certificate is used. Since `prepare` a renewal or the contexts of other
   * names may have taken the place of what was made: then it is made again.
   */
  contextOf(name: string): SecureContext | undefined {
    this.prepare(name)
    const entry = this.#find(name)
    return entry && this.#contexts.use(entry)
  }

  /** Call it every few seconds: forgets names that are gone, and requests certificates that expire soon. */
  look(): void {
    const nowMs = this.#options.clock.now()
    for (const entry of [...this.#entries.values()]) {
      const isServed = entry.hosts.some(
        (name) => (isWildcard(name) && name !== entry.host) || this.#options.isServed(name),
      )
      if (!isServed) this.#drop(entry)
      else if (entry.lateAt <= nowMs) {
        this.#put({ ...entry, lateAt: nowMs + lateMs })
        this.#wish(entry.host)
      }
    }
    for (const name of [...this.#wishes.keys()])
      if (!this.#options.isServed(name) && !this.#entries.has(name)) this.#wishes.delete(name)
    this.#arm(0)
  }

  /** @throws relay.data */
  save(): Promise<void> {
    return this.#file.save()
  }

  close(): void {
    this.#closing.abort()
    this.#timer?.clear()
    this.#contexts.clear()
  }

  #find(name: string): Entry | undefined {
    return this.#byName.get(name) ?? this.#byName.get(wildcardOver(name))
  }

  /** Whether nothing is to be requested. A wildcard of an own domain does not count: it may be another account's. */
  #hasOwn(name: string): boolean {
    const entry = this.#find(name)
    return entry !== undefined && (entry.host === name || !isWildcard(entry.host))
  }

  #wish(name: string): void {
    if (this.#wishes.size >= certificateLimits.wishes) return
    if (!this.#wishes.has(name)) this.#wishes.set(name, { tries: 0, dueAt: 0 })
  }

  #arm(ms: number): void {
    if (this.#ask === undefined || this.#thumbprint === undefined || this.#isAsking) return
    if (this.#timer || this.#closing.signal.aborted) return
    if (this.#due().length === 0) return
    this.#timer = this.#options.clock.after(
      ms,
      () => {
        this.#timer = undefined
        void this.#askNow()
      },
      { background: true },
    )
  }

  #due(): readonly string[] {
    const nowMs = this.#options.clock.monotonic()
    const due: string[] = []
    for (const [name, { dueAt }] of this.#wishes) {
      if (dueAt <= nowMs) due.push(name)
      if (due.length === askedAtOnce) break
    }
    return due
  }

  async #askNow(): Promise<void> {
    const names = this.#due()
    const { clock, log } = this.#options
    if (names.length === 0 || this.#ask === undefined) return
    this.#isAsking = true
    for (const name of names) {
      const wish = this.#wishes.get(name)
      if (wish === undefined) continue
      wish.dueAt = clock.monotonic() + (wish.tries === 0 ? retryMs[0] : retryMs[1])
      wish.tries++
    }
    try {
      const found = await this.#ask(names, this.#closing.signal)
      for (const each of found) this.#take({ ...each, key: new Secret(each.key) })
      for (const name of names) if (this.#hasOwn(name)) this.#wishes.delete(name)
    } catch (error) {
      if (!this.#closing.signal.aborted) log.warn({ error, names: names.length }, 'Certificates were not had')
    } finally {
      this.#isAsking = false
      this.#arm(askEveryMs)
    }
  }

  #take(given: Kept): void {
    const before = this.#entries.get(given.host)
    if (before && before.version >= given.version) return
    try {
      const leaf = new X509Certificate(given.chain)
      const [from, to] = [leaf.validFromDate.getTime(), leaf.validToDate.getTime()]
      // A wrong key is refused now, not in a handshake.
      if (!leaf.checkPrivateKey(createPrivateKey(given.key.reveal()))) throw new Error('its key is another')
      if (before) this.#drop(before)
      this.#put(this.#entryOf(given, from + (to - from) * lateShare))
      this.#file.changed()
    } catch (error) {
      this.#options.log.error({ error, host: given.host }, 'A certificate cannot be used')
    }
  }

  #entryOf({ chain, ...rest }: Kept, lateAt: number): Entry {
    const end = chain.indexOf(leafEnd) + leafEnd.length
    const above = chain.slice(end)
    const known = this.#uppers.get(above)
    if (known === undefined && this.#uppers.size < uppersMax) this.#uppers.set(flat(above), flat(above))
    return { ...rest, leaf: flat(chain.slice(0, end)), above: known ?? flat(above), lateAt }
  }

  #put(entry: Entry): void {
    const before = this.#entries.get(entry.host)
    if (before) this.#contexts.move(before, entry)
    this.#entries.set(entry.host, entry)
    for (const name of entry.hosts) this.#byName.set(name, entry)
  }

  #drop(entry: Entry): void {
    this.#contexts.drop(entry)
    this.#entries.delete(entry.host)
    for (const name of entry.hosts) if (this.#byName.get(name) === entry) this.#byName.delete(name)
    this.#file.changed()
  }

  #make(entry: Entry): void {
    const { clock, log } = this.#options
    try {
      this.#contexts.make(entry, { cert: entry.leaf + entry.above, key: entry.key.reveal() })
    } catch (error) {
      // Until now only the leaf of the chain was checked.
      log.error({ error, host: entry.host }, 'A certificate cannot be used')
      this.#drop(entry)
      // Most likely the same comes again.
      this.#wishes.set(entry.host, { tries: 1, dueAt: clock.monotonic() + retryMs[1] })
    }
  }
}

/** A part of a text keeps the whole in memory: this one does not. */
function flat(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}
