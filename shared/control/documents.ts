/**
 * The documents of the control plane, a type and a collection each (docs: data model). Times are integer ms; `ttl` is
 * the one Date, after which the store may delete the document; readers check expiry themselves.
 * Indexed fields are never absent: what has no account or time yet holds '' or 0.
 */
import type { Role, Scope } from '../api/schemas/access.ts'
import type { AgentMode, Alias, Policy, TunnelKind } from '../protocol/endpoint.ts'
import { collection, globalCollection, outboxCollection, ownIdCollection, sharedCollection } from './names.ts'
import type { Doc } from './platform.ts'

/** A person. Bearers whose `authTime` is before `validSince` are refused: that is how "log out everywhere" works. */
export type UserDoc = {
  readonly email: string
  /** The sign-in, by its time, that an outside service gave a changed address with; absent until then. */
  readonly emailAt?: number
  readonly emailVerified: boolean
  /** Time of the last sign-in at an outside service that the audit log tells of; absent before the first. */
  readonly signedInAt?: number
  readonly status: 'active' | 'disabled'
  readonly validSince: number
  readonly providers: readonly string[]
}
/** Id: `<provider>:<subject>`; its creation is the unique claim of the sign-in. */
export type IdentityDoc = {
  /** '' = the person was erased. */
  readonly user: string
  /** When they were: sign-ins from before are nobody's any more. */
  readonly erasedAt?: number
  /** Of an erased one, far beyond the life of every token. */
  readonly ttl?: Date
}

/** Id: the sign-in, as its identity names it. It has ended, though tokens of it may not have expired yet. */
export type EndedSignInDoc = { readonly ttl: Date }

export type AccountDoc = {
  readonly name: string
  readonly plan: string
  readonly status: 'active' | 'suspended' | 'closed'
  /** Rises with every change of status; relays keep the highest. */
  readonly statusVersion: number
  readonly createdAt: number
  readonly closedAt?: number
  /** When a period of usage begins, and every month from then; absent: with the calendar month, UTC. */
  readonly periodAnchor?: number
  /** Limits of the plan changed for this account alone. */
  readonly overrides: { readonly [limit: string]: number }
}
/**
 * Id: `<account>:<user>`. The only truth of roles. A service member is the account's own: `user` is its `svc_…` id,
 * nobody signs in as it, and its keys outlive the people who made them.
 */
export type MemberDoc = {
  readonly account: string
  readonly user: string
  /** Releases up to 0.1 wrote `member` for a developer: read by `roleOf`. */
  readonly role: Role | 'member'
  readonly since: number
  /** Absent in documents of releases up to 0.1: active. */
  readonly status?: 'active' | 'disabled'
  /** Of a service member alone. */
  readonly name?: string
  /** Keys made before this are refused (earlier-keys.ts); absent: all count. */
  readonly keysSince?: number
}
/** Id: SHA-256 of the secret. `key` is the id that people see. */
export type KeyDoc = {
  readonly account: string
  /** The member whose rights limit the key, and with whose membership it ends; '' in some of releases up to 0.1. */
  readonly user: string
  readonly key: string
  /** What the maker was, written by releases up to 0.1; it counts only where `user` is ''. */
  readonly role?: Role | 'member'
  readonly scopes: readonly Scope[]
  /** Names of the only tunnels it may touch; absent: all. */
  readonly tunnels?: readonly string[]
  readonly name: string
  readonly hint: string
  readonly createdAt: number
  readonly lastUsedDay: string
  /** When it ends by itself; absent: never. */
  readonly expiresAt?: number
  /** 0 = valid. */
  readonly revokedAt: number
}
/** Id: SHA-256 of the device code. Nothing in it lets anybody sign in. */
export type DeviceCodeDoc = {
  /** SHA-256 of the normalised user code. */
  readonly userCode: string
  readonly state: 'pending' | 'approved' | 'denied' | 'used'
  readonly device: string
  readonly scopes: readonly Scope[]
  readonly from: string
  readonly createdAt: number
  readonly expiresAt: number
  readonly polledAt: number
  readonly intervalMs: number
  readonly account?: string
  readonly user?: string
  /** What the person gave, which may be less than was asked for; absent in documents of earlier releases. */
  readonly granted?: readonly Scope[]
  readonly ttl: Date
}
/** Exact limits that protect accounts. Id: `<scope>:<hash>:<window>`. */
export type RateDoc = { readonly count: number; readonly ttl: Date }

export type TunnelDoc = {
  readonly account: string
  readonly name: string
  readonly kind: TunnelKind
  /** Tunnels from before pools have none: compare with `many`. */
  readonly agents: AgentMode
  /** Named by the service, not by its owner: a claim without a name may take it again. */
  readonly generated: boolean
  /** Of a generated one: digest of the request that made it, which finds it again by its name. */
  readonly request?: string
  readonly policy: Partial<Policy>
  readonly policyVersion: number
  /** Rises with every edit by the user; the ETag. */
  readonly revision: number
  /** The endpoint it holds or held last: asked for again at the next claim. '' = none yet. */
  readonly endpoint: string
  readonly cell: string
  /** The cell that served it before it moved: its last usage may still come from there. */
  readonly formerCell?: string
  /** Every cell that it left of late, and when: their relays may still know its names, and report its usage. */
  readonly formerCells?: { readonly [cell: string]: number }
  /** Hosts that lead to it beside its endpoint, with the versions of `names/{host}`; changed together with them. */
  readonly names?: readonly Alias[]
  /** A reserved endpoint that was given to it, and the cell of that: claimed instead of one by its name, or of any. */
  readonly wish?: string
  readonly wishCell?: string
  /** The agent that claimed it last. */
  readonly agent: string
  readonly createdAt: number
  readonly updatedAt: number
}
/** Id: `<account>:<name>`; its creation is the unique claim. */
export type TunnelNameDoc = { readonly account: string; readonly tunnel: string }
/** What is left of a deleted tunnel, so that its last usage report still finds its account. */
export type DeletedTunnelDoc = {
  readonly account: string
  readonly cell: string
  readonly formerCell?: string
  readonly formerCells?: { readonly [cell: string]: number }
  readonly deletedAt: number
  readonly ttl: Date
}

/** One agent's part in a lease. */
export type HolderDoc = {
  readonly since: number
  /** Its own tickets end by then, and without a renewal so does its part. */
  readonly expiresAt: number
  /** Relay instance -> since when it is away there. */
  readonly away: { readonly [instance: string]: number }
  /** The key, or the person, that claimed it; absent: from before, until the next renewal. */
  readonly key?: string
}
export type EndpointState = 'free' | 'leased' | 'resting' | 'reserved' | 'denied'
/** Id: `tcp:<cell>:<port>`, made with the cell and never deleted, or `host:<name>`, made by its first claim. */
export type EndpointDoc = {
  readonly cell: string
  readonly kind: 'tcp' | 'host'
  readonly state: EndpointState
  /** 0..1, fixed: claims start at a random place of this order. */
  readonly pick: number
  readonly account: string
  readonly tunnel: string
  /** By agent: one, or several of one epoch and lease. Leased and held by nobody: whoever of its tunnel comes first. */
  readonly holders?: { readonly [agent: string]: HolderDoc }
  readonly epoch: number
  readonly leasedAt: number
  /** When a relay first had it bound; 0 = not yet. For people to see; no rule depends on it. Absent: of before. */
  readonly servedAt?: number
  /** The latest that any holder had; never falls while it is leased. */
  readonly expiresAt: number
  /** When the last lease ended; relays must have read the commands of this time before a stranger gets it. */
  readonly releasedAt: number
  /** Before this nobody but its own tunnel gets it: an old ticket could still bind. */
  readonly restUntil: number
  /** Until then it waits for its own tunnel, unless endpoints run out. */
  readonly keepUntil: number
  /** The limit of the account ended the last lease, and whoever had it is to hear so. */
  readonly isDisplaced?: boolean
  /** Its account keeps it, leased or not, since then (reservation-rules.ts); these three are there together. */
  readonly reservedAt?: number
  /** The only tunnel that gets it; '' = any of the account. */
  readonly reservedTunnel?: string
  /** Rises with every change of the reservation; the ETag. */
  readonly reservedRevision?: number
  /** While it rests: its last tickets are another account's, which had it before. */
  readonly wasAnothers?: boolean
}
export type CellDoc = {
  readonly state: 'open' | 'closed'
  readonly createdAt: number
  /** Host of tcp endpoints. */
  readonly host: string
  /** Parent of http and tls endpoints. */
  readonly domain: string
  readonly portFrom: number
  readonly portTo: number
  /** What http endpoints look like to visitors. */
  readonly httpScheme: 'http' | 'https'
  readonly httpPort: number
  readonly tlsPort: number
}
/** Id: `<relay>:<instance>`, one a process. */
export type RelayDoc = {
  readonly relay: string
  readonly instance: string
  readonly cell: string
  readonly boot: string
  /** When this boot was first heard of: what its predecessor said of away agents no longer counts. */
  readonly bootAt: number
  readonly version: string
  readonly state: 'starting' | 'ready' | 'draining'
  readonly agentAddress: {
    readonly host: string
    readonly port: number
    readonly sni: string
    readonly certificate: string
  }
  readonly watchUrl: string
  readonly load: {
    readonly sessions: number
    readonly streams: number
    readonly cpu: number
    readonly rssBytes: number
  }
  readonly seenAt: number
  /** Since when its place is heard of without a long pause, over boots; absent from control planes of before. */
  readonly heardSince?: number
  /** Commands up to this time have reached it for certain. */
  readonly appliedAt: number
  readonly boundHash: string
  readonly boundChunks: number
  /** Of the request that this comes from; absent from control planes of before. */
  readonly sequence?: number
}
/** Id: `<relay>:<instance>:<n>`: a slice of the endpoints bound there. */
export type BoundDoc = {
  readonly cell: string
  readonly endpoints: readonly string[]
  /** Of the lease of each, in the same order; absent from control planes of before. */
  readonly epochs?: readonly number[]
  /** Those whose agents have no connection for now. */
  readonly detached?: readonly string[]
}
/** Never updated. `body` is the command as relays read it. */
export type CommandDoc = {
  readonly cell: string
  readonly body: Doc
  readonly createdAt: number
  readonly ttl: Date
}
export type SigningKeyDoc = {
  /** JWK as JSON. */
  readonly public: string
  readonly wrappedPrivate: string
  readonly state: 'next' | 'active' | 'old'
  readonly createdAt: number
  readonly useFrom: number
  readonly verifyUntil: number
}
/** Id: `current`. Rises with every rotation, and keeps two rotations from running at once. */
export type SigningStateDoc = { readonly version: number; readonly rotatedAt: number }
/** Secrets of the service itself, wrapped. Id: their purpose. */
export type ServiceSecretDoc = { readonly wrapped: string }

/** Id: `<principal>:<sha256(key)>`. Commits with the effect; never holds a secret. */
export type IdempotencyDoc = {
  readonly account: string
  readonly fingerprint: string
  readonly status: number
  /** JSON of the answer, at most 32 KiB. */
  readonly body: string
  readonly ttl: Date
}
/**
 * Something that must happen. Id: `<kind>:<subject>`. A live job is due at `dueAt`, which is also the end of the lease
 * of the worker that has claimed it; a finished one is gone, or due again.
 */
export type JobDoc = {
  /** '' = of the service itself. */
  readonly account: string
  /** By account, else by id: 0 to 15. Workers read shards, so that one account's jobs stand before nobody else's. */
  readonly shard: number
  readonly state: 'live' | 'dead'
  readonly dueAt: number
  /** Rises with every enqueue: what was asked for while it ran is done once more. */
  readonly wanted: number
  /** Claims since the last progress. */
  readonly attempts: number
  /** Of the worker that has it; '' = nobody. */
  readonly claim: string
  readonly body: Doc
  /** How far it has come, as its kind keeps it. */
  readonly progress: Doc
  /** Code of the last failure; '' = none. */
  readonly error: string
  readonly ttl?: Date
}

/** Id: user. People who may act as operators through the service. */
export type OperatorDoc = { readonly state: 'active'; readonly since: number; readonly by: string }

export const users = globalCollection<UserDoc>('users')
export const identities = globalCollection<IdentityDoc>('identities')
export const endedSignIns = globalCollection<EndedSignInDoc>('endedSignIns')
export const operators = globalCollection<OperatorDoc>('operators')
export const accounts = ownIdCollection<AccountDoc>('accounts')
export const members = collection<MemberDoc>('members')
export const keys = collection<KeyDoc>('keys')
export const deviceCodes = globalCollection<DeviceCodeDoc>('deviceCodes')
export const rates = globalCollection<RateDoc>('rates')
export const tunnels = collection<TunnelDoc>('tunnels')
export const tunnelNames = collection<TunnelNameDoc>('tunnelNames')
export const deletedTunnels = collection<DeletedTunnelDoc>('deletedTunnels')
/** Shared: a free one belongs to nobody, and claims look at those of others. */
export const endpoints = sharedCollection<EndpointDoc>('endpoints')
export const cells = globalCollection<CellDoc>('cells')
export const relays = globalCollection<RelayDoc>('relays')
export const bound = globalCollection<BoundDoc>('bound')
export const commands = outboxCollection<CommandDoc>('commands')
export const signingKeys = globalCollection<SigningKeyDoc>('signingKeys')
export const signingState = globalCollection<SigningStateDoc>('signingState')
export const serviceSecrets = globalCollection<ServiceSecretDoc>('serviceSecrets')
/** A worker crosses accounts; whoever asks for a job sees their own account's alone. */
export const jobs = collection<JobDoc>('jobs')
export const idempotency = collection<IdempotencyDoc>('idempotency')
