/**
 * The outside world as the domain sees it: one interface for each role, each with a contract suite in shared/testing
 * that every implementation passes (`ls *\/platform` lists them). No SDK type appears in this file.
 */
import type { PortTunnelerError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'
import type { Certificates } from './certificates/role.ts'
import type { Evidence, Inquiry } from './domains/evidence.ts'
import type { Payments } from './money/payments.ts'
import type { SignInMethod } from './sign-ins/sign-in-documents.ts'
import type { Watching } from './watching.ts'

// --- Store -------------------------------------------------------------------------------------------------------

export type Value =
  | string
  | number
  | boolean
  | null
  | Date
  | readonly Value[]
  | { readonly [field: string]: Value }
export type Doc = { readonly [field: string]: Value }

/** Names one document; `T` is its shape. Made by `collection<T>(name).ref(id)` in control/names.ts. */
export type Ref<T extends Doc = Doc> = {
  readonly collection: string
  readonly id: string
  /** Default: 'account'. */
  readonly reach?: Reach
  /** Only carries the type; never present. */
  readonly doc?: T
}

/** What a store scoped to one account may do with a collection; names.ts explains the kinds. */
export type Reach = 'account' | 'global' | 'ownId' | 'shared' | 'outbox'

/** A document as read. `version` changes with every write and is opaque; preconditions compare it. */
export type Snapshot<T extends Doc = Doc> = {
  readonly ref: Ref<T>
  readonly data: T
  readonly version: string
}

export type Precondition = { readonly version: string }

export type Write =
  | { readonly op: 'create' | 'set'; readonly ref: Ref; readonly data: Doc }
  | { readonly op: 'update'; readonly ref: Ref; readonly fields: Doc; readonly if?: Precondition }
  | { readonly op: 'delete'; readonly ref: Ref; readonly if?: Precondition }

/**
 * A query is declared once (control/queries.ts): equalities and one ordered field, with the id as tie-break. SQLite and
 * Firestore indexes are generated from the declarations.
 */
export type Query<T extends Doc = Doc> = {
  readonly name: string
  readonly collection: string
  readonly equals: readonly string[]
  readonly order: string
  readonly direction: 'ascending' | 'descending'
  readonly reach: Reach
  /** Only carries the type; never present. */
  readonly doc?: T
}

export type QueryOptions = {
  /** A value for every field in `equals`. */
  readonly where: Doc
  /** Bounds of the ordered field, both inclusive. */
  readonly from?: string | number
  readonly to?: string | number
  readonly limit: number
  /** `next` of the previous page. */
  readonly after?: readonly [order: string | number, id: string]
}

export type Page<T extends Doc> = {
  readonly items: readonly Snapshot<T>[]
  readonly next?: readonly [order: string | number, id: string]
}

export type Transaction = {
  get<T extends Doc>(ref: Ref<T>): Promise<Snapshot<T> | undefined>
  /** Reads a query. The commit also validates what it would have matched (no phantoms). */
  query<T extends Doc>(query: Query<T>, options: QueryOptions): Promise<Page<T>>
  create<T extends Doc>(ref: Ref<T>, data: T): void
  set<T extends Doc>(ref: Ref<T>, data: T): void
  update<T extends Doc>(ref: Ref<T>, fields: Partial<T>): void
  delete(ref: Ref): void
}

/**
 * Documents with compare-and-set. Every call may reject with `store.unavailable` (retry later) and, where stated,
 * with a precondition's failure. Written objects are copied; read objects are the caller's.
 */
export interface Store {
  get<T extends Doc>(ref: Ref<T>): Promise<Snapshot<T> | undefined>
  /** In the order of `refs`; missing ones are undefined. */
  getAll<T extends Doc>(refs: readonly Ref<T>[]): Promise<readonly (Snapshot<T> | undefined)[]>
  /** @throws store.exists */
  create<T extends Doc>(ref: Ref<T>, data: T): Promise<void>
  set<T extends Doc>(ref: Ref<T>, data: T): Promise<void>
  /** Replaces the named top-level fields. @throws store.missing, store.changed */
  update<T extends Doc>(ref: Ref<T>, fields: Partial<T>, condition?: Precondition): Promise<void>
  /** Deleting a missing document is not an error unless a condition is given. @throws store.changed */
  delete(ref: Ref, condition?: Precondition): Promise<void>
  /** All or nothing, at most 400 writes. @throws store.exists, store.missing, store.changed */
  batch(writes: readonly Write[]): Promise<void>
  /**
   * Compare-and-set of one document: `fn` gets the present document and returns the new one ('keep' writes nothing,
   * 'delete' removes). It runs again when another writer was faster, with jitter, until `deadlineMs` (10 s), so it must
   * have no side effects. Resolves to the document afterwards. @throws store.contention
   */
  change<T extends Doc>(
    ref: Ref<T>,
    fn: (current: T | undefined) => T | 'keep' | 'delete',
    options?: { readonly deadlineMs?: number },
  ): Promise<T | undefined>
  /**
   * At most 60 documents; all reads before the first write; writes take effect together at the end or not at all.
   * The body runs again on conflict and must have no side effects.
   * @throws store.contention, store.exists, store.missing
   */
  transact<T>(fn: (tx: Transaction) => Promise<T>, options?: { readonly deadlineMs?: number }): Promise<T>
  query<T extends Doc>(query: Query<T>, options: QueryOptions): Promise<Page<T>>
  close(): Promise<void>
}

// --- Bus: commands to relays, events from them --------------------------------------------------------------------

/**
 * Fire and forget, at least once, in any order. Everything that must arrive is in the store too, and `sync` repairs
 * losses; the bus only makes it fast. Topics are in control/names.ts.
 */
export interface Bus {
  /** Settles within seconds. A rejected message may still arrive. */
  publish(topic: string, message: Doc): Promise<void>
  /**
   * `key` names the subscriber: subscriptions with the same key share the messages; with different keys each gets all.
   */
  subscribe(
    topic: string,
    key: string,
    onMessage: (message: Doc) => Promise<void> | void,
  ): Promise<Subscription>
  close(): Promise<void>
}

export interface Subscription {
  close(): Promise<void>
}

// --- Identity -----------------------------------------------------------------------------------------------------

/** The person of a bearer token, before the domain adds account, role and scopes. */
export type IdentityClaims = {
  /** `local:<usr id>` or `firebase:<uid>`: unique over all issuers. */
  readonly subject: string
  readonly email: string
  readonly emailVerified: boolean
  /** When the person last signed in, ms; compared with `users.validSince`. */
  readonly authTimeMs: number
  /**
   * Names the sign-in that the token is of, the same in all its tokens, `[0-9a-f]{64}`. Undefined in tokens of earlier
   * releases.
   */
  readonly signIn?: string | undefined
  /** How the person signed in; undefined: the token does not say. */
  readonly method?: SignInMethod | undefined
  /** The sign-in began because the person had shown a factor to us. */
  readonly hasShownFactor?: boolean
}

export interface Identity {
  readonly kind: 'local' | 'firebase'
  /** @throws auth.invalid for anything that is not a valid, unexpired token of this issuer */
  verify(token: string): Promise<IdentityClaims>
  /**
   * Ends these sign-ins: at once here, within 30 s in other processes. Their records go too. Ending one again does
   * nothing.
   */
  endSignIns(ids: readonly string[]): Promise<void>
  /** Whether the outside service that it asks answers; missing where there is none. @throws cloud.unavailable */
  check?(): Promise<void>
  /**
   * Makes a token that begins another sign-in of this person, who has shown a factor to us. Only where sign-ins cannot
   * be marked themselves (factors/vouching.ts). @throws cloud.unavailable
   */
  readonly vouch?: (subject: string) => Promise<string>
  /**
   * Gives a person another address, whose mailbox they have proven. Repeating it changes nothing.
   * @throws auth.taken when somebody else has it; cloud.unavailable
   */
  moveAddress(move: MovedAddress): Promise<void>
  /**
   * Deletes what sign-in stores about a person, also at an outside service. Repeating it changes nothing.
   * @throws cloud.unavailable when the outside service failed to do it
   */
  forget(person: Forgotten): Promise<void>
}

export type MovedAddress = {
  readonly id: string
  readonly from: string
  readonly to: string
  /** As in the claims, each way of signing in. */
  readonly subjects: readonly string[]
}

/** A person whom the domain lets in nowhere any more. */
export type Forgotten = {
  readonly id: string
  readonly email: string
  /** As in the claims, each way of signing in. */
  readonly subjects: readonly string[]
}

// --- RelayIdentity ------------------------------------------------------------------------------------------------

/** What a relay's bearer proves. The cell is never the relay's own claim. */
export type RelayClaims = { readonly relay: string; readonly cell: string }

export interface RelayIdentity {
  readonly kind: 'enrolled' | 'google'
  /** @throws relay.unknown */
  verify(token: string): Promise<RelayClaims>
}

// --- Mail ---------------------------------------------------------------------------------------------------------

export type MailMessage = {
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly html?: string
  /** Stays the same when a mail is sent again; becomes its Message-ID. */
  readonly id: string
  /** A POST to it turns mails of this kind off (RFC 8058); a browser gets a page. */
  readonly offUrl?: string
}

export interface Mail {
  /** There is no mail service here: `send` always fails. */
  readonly isAbsent?: true
  /**
   * Resolves when another system has the mail and will not lose it.
   * @throws mail.failed; mail.refused when nobody has the address, with `fields.reply`
   */
  send(message: MailMessage): Promise<void>
  /** Where mails go nowhere: how the operator reads them. */
  readonly kept?: KeptMails
}

export type KeptMail = {
  readonly id: string
  readonly at: number
  readonly to: string
  readonly subject: string
}

export interface KeptMails {
  /** The newest first. */
  list(limit: number): Promise<readonly KeptMail[]>
  read(id: string): Promise<(KeptMail & Pick<MailMessage, 'text' | 'html'>) | undefined>
}

// --- Keys at rest -------------------------------------------------------------------------------------------------

/** Wraps the private signing keys in the store: with KMS in the cloud, with a 0600 key file on one machine. */
export interface KeyVault {
  wrap(plain: Secret): Promise<string>
  /** @throws vault.unreadable */
  unwrap(wrapped: string): Promise<Secret>
}

// --- What the DNS says of strangers' hosts -----------------------------------------------------------------------

export interface InquiryDesk {
  /** Ends within 15 s, whatever strangers' servers do; what could not be found out stands in the evidence. */
  look(inquiry: Inquiry, signal: AbortSignal): Promise<Evidence>
}

// --- What stands in front of us -----------------------------------------------------------------------------------

/**
 * The networks from which Cloudflare's proxy reaches origins, as CIDRs that need not be plausible.
 * @throws proxies.unavailable, proxies.refused
 */
export type AskNetworks = (signal: AbortSignal) => Promise<readonly string[]>

// --- Addresses that strangers chose ---------------------------------------------------------------------------------

/**
 * Sends a text by HTTPS to the public internet, and nowhere else.
 * @throws webhook.address when the host has an address that is not public, webhook.failed when there is no answer
 */
export type PostPublic = (
  asked: {
    readonly url: string
    readonly headers: Readonly<Record<string, string>>
    readonly body: string
  },
  signal: AbortSignal,
) => Promise<{ readonly status: number; readonly text: string }>

// --- Dns: records of the service's own zones ----------------------------------------------------------------------

export type ZoneRecord = {
  readonly type: 'A' | 'AAAA' | 'TXT'
  readonly name: string
  readonly value: string
}
export type Kept = {
  readonly made: number
  readonly removed: number
  /** What stands in the way and is not ours, in words. */
  readonly foreign: readonly string[]
}

/** @throws dns.unavailable, dns.limited, dns.refused from every call */
export interface Dns {
  readonly kind: 'none' | 'cloudflare'
  /** Makes ours exactly so, and leaves whatever is not ours alone. An empty list takes nothing away. */
  keep(wanted: readonly ZoneRecord[], signal: AbortSignal): Promise<Kept>
  /** One TXT record of a challenge; resolves when the zone's own servers have it. */
  put(name: string, value: string, signal: AbortSignal): Promise<void>
  /** What is not there is not an error. */
  remove(name: string, value: string, signal: AbortSignal): Promise<void>
}

/** All of it, as handed to the domain. */
export type Platform = Watching & {
  readonly store: Store
  readonly bus: Bus
  readonly identity: Identity
  readonly relayIdentity: RelayIdentity
  readonly mail: Mail
  readonly vault: KeyVault
  readonly certificates: Certificates
  readonly inquiries: InquiryDesk
  readonly dns: Dns
  readonly askNetworks: AskNetworks
  readonly payments: Payments
  /** Undefined: this process sends no webhooks. */
  readonly post?: PostPublic
}

/** How the domain reports that a background task failed; never swallowed. */
export type OnBackgroundError = (task: string, error: PortTunnelerError | Error) => void
