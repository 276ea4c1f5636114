/**
 * The documents of the control plane, a type and a collection for each. Times are integer ms, but `ttl` is a Date after
 * which the store may delete the document; readers check expiry. Indexed fields are never absent: they hold '' or 0.
 */

import type { Role, Scope } from '../api/schemas/access.ts'
import type { AgentMode, Alias, Policy, TunnelKind } from '../protocol/endpoint.ts'
import type { HttpEdits } from '../protocol/http-edits.ts'
import type { EndpointMarks, TakedownMarks } from './abuse/taken-down.ts'
import type { FactorMarks, FactorPolicy } from './factors/factor-documents.ts'
import type { HolderDoc } from './holder-document.ts'
import type { LeavingAccount, LeavingPerson } from './leaving/terms.ts'
import type { Granted } from './money/granted.ts'
import { collection, globalCollection, outboxCollection, ownIdCollection, sharedCollection } from './names.ts'
import type { Doc } from './platform.ts'
import type { LoadDoc } from './relay-load.ts'
import type { RelayStart } from './relay-starts.ts'
import type { AcceptedTerms } from './terms/marks.ts'

/** A person. Bearers whose `authTime` is before `validSince` are refused; "log out everywhere" sets it. */
export type UserDoc = {
  readonly email: string
  /** Time, by an outside service's clock, of the sign-in there that brought a changed address; undefined until then. */
  readonly emailAt?: number
  /** On the word of the service `provenBy`, if that is set and not ''; else by a mail of ours. */
  readonly emailVerified: boolean
  readonly provenBy?: string
  /** Time of the last sign-in at an outside service that is in the audit log; undefined before the first. */
  readonly signedInAt?: number
  readonly former?: { readonly email: string; readonly untilMs: number }
  readonly status: 'active' | 'disabled'
  readonly validSince: number
  readonly providers: readonly string[]
  readonly leaving?: LeavingPerson
  readonly terms?: AcceptedTerms
  /** Versions of the operator's documents of which a mail has told them: kind and version, the newest last. */
  readonly termsTold?: readonly string[]
} & FactorMarks
/** Id: `<provider>:<subject>`; its creation is the unique claim of the sign-in. */
export type IdentityDoc = {
  /** '' = the person was erased: sign-ins before `erasedAt` count no more; or the service was removed. */
  readonly user: string
  readonly erasedAt?: number
  /** Other services: the address there, and when it was linked, or who removed it and is not found by it again. */
  readonly email?: string
  readonly linkedAt?: number
  readonly removedFrom?: string
  /** Far beyond the life of every token; set for one that leads to nobody. */
  readonly ttl?: Date
}
export type AccountDoc = {
  readonly name: string
  readonly plan: string
  readonly status: 'active' | 'suspended' | 'closed'
  /** Rises with every change of status; relays keep the highest. */
  readonly statusVersion: number
  readonly createdAt: number
  readonly closedAt?: number
  readonly leaving?: LeavingAccount
  /** When a period of usage begins, and then every month; undefined: with the calendar month, UTC. */
  readonly periodAnchor?: number
  /** What its plan gave it, when it got the plan; releases up to 0.1 omit it. */
  readonly granted?: Granted
  /** The plan's limits that were changed for this account only. */
  readonly overrides: { readonly [limit: string]: number }
  readonly factorPolicy?: FactorPolicy
}
/** Id: `<account>:<user>`. The only source of roles. A service's `user` is its `svc_…` id; nobody signs in as it. */
export type MemberDoc = {
  readonly account: string
  readonly user: string
  /** Releases up to 0.1 wrote `member` for a developer: read by `roleOf`. */
  readonly role: Role | 'member'
  readonly since: number
  /** Omitted by releases up to 0.1: active. `leaving`: disabled until the person undoes their own deletion. */
  readonly status?: 'active' | 'disabled'
  readonly leaving?: true
  /** Only service members have one. */
  readonly name?: string
  /** Keys made before this are refused (earlier-keys.ts); undefined: all count. */
  readonly keysSince?: number
}
/** Id: SHA-256 of the secret. `key` is the id that people see. */
export type KeyDoc = {
  readonly account: string
  /** The member whose rights limit the key, and whose membership ends it; '' in some of releases up to 0.1. */
  readonly user: string
  readonly key: string
  /** The maker's role, written by releases up to 0.1; it counts only where `user` is ''. */
  readonly role?: Role | 'member'
  readonly scopes: readonly Scope[]
  /** Names of the only tunnels that it may touch; undefined: all. */
  readonly tunnels?: readonly string[]
  readonly name: string
  readonly hint: string
  readonly createdAt: number
  readonly lastUsedDay: string
  /** When it ends by itself; undefined: never. */
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
  /** What the person granted, which may be less than the request; earlier releases omit it. */
  readonly granted?: readonly Scope[]
  readonly ttl: Date
}
/** Exact counts of limits that protect accounts. Id: `<scope>:<hash>:<window>`. */
export type RateDoc = { readonly count: number; readonly ttl: Date }

export type TunnelDoc = {
  readonly account: string
  readonly name: string
  readonly kind: TunnelKind
  /** Tunnels older than pools have none: compare with `many`. */
  readonly agents: AgentMode
  /** The service named it, not its owner: a claim without a name may take it again. */
  readonly generated: boolean
  /** For a generated name: digest of the request that made it. A repeated request finds it by this. */
  readonly request?: string
  readonly policy: Partial<Policy>
  readonly policyVersion: number
  /** What agents change in requests and answers. */
  readonly edits?: HttpEdits
  /** Words that sort it; absent: none. */
  readonly tags?: readonly string[]
  /** Rises with every edit by the user; also the ETag. */
  readonly revision: number
  /** The endpoint it holds or held last, asked for again at the next claim. '' = none yet. */
  readonly endpoint: string
  readonly cell: string
  /** The cell that served it before it moved: its last usage may still come from there. */
  readonly formerCell?: string
  /** Every cell that it left lately, and when: relays there may still know its names, and report its usage. */
  readonly formerCells?: { readonly [cell: string]: number }
  /** Hosts that lead to it besides its endpoint, with the versions of `names/{host}`; both change together. */
  readonly names?: readonly Alias[]
  /** A reserved endpoint that was given to it, with its cell: claimed instead of the one by its name, or any. */
  readonly wish?: string
  readonly wishCell?: string
  /** The agent that last claimed it. */
  readonly agent: string
  /** Why the last claim got nothing (refusals.ts); removed by the next lease. */
  readonly refused?: RefusedDoc
  /** Its `at`, for a query that finds the refused ones; while it is taken down, the end of that. */
  readonly refusedAt?: number
  readonly createdAt: number
  readonly updatedAt: number
} & TakedownMarks
/** `at`: when it was last so, to the hour. */
export type RefusedDoc = { readonly code: string; readonly since: number; readonly at: number }
/** Id: `<account>:<name>`; its creation is the unique claim. */
export type TunnelNameDoc = { readonly account: string; readonly tunnel: string }
/** The rest of a deleted tunnel, so that its last usage report still finds its account. */
export type DeletedTunnelDoc = {
  readonly account: string
  readonly cell: string
  readonly formerCell?: string
  readonly formerCells?: { readonly [cell: string]: number }
  readonly deletedAt: number
  readonly ttl: Date
}

export type EndpointState = 'free' | 'leased' | 'resting' | 'reserved' | 'denied'
/** Id: `tcp:<cell>:<port>`, made with the cell and never deleted, or `host:<name>`, made by its first claim. */
export type EndpointDoc = {
  readonly cell: string
  readonly kind: 'tcp' | 'host'
  readonly state: EndpointState
  /** 0..1, fixed: claims start at a random place in this order. */
  readonly pick: number
  readonly account: string
  readonly tunnel: string
  /** By agent; several have one epoch and lease. Leased without any: the first agent of its tunnel gets it. */
  readonly holders?: { readonly [agent: string]: HolderDoc }
  /** By agent: when somebody stopped it while it held this (stop-rules.ts). Older documents omit it. */
  readonly stopped?: { readonly [agent: string]: number }
  readonly epoch: number
  readonly leasedAt: number
  /**
   * When a relay first had it bound; 0 = not yet. Only for people to see; no rule depends on it. Older documents omit
   * it.
   */
  readonly servedAt?: number
  /** The latest of all holders; never falls while it is leased. */
  readonly expiresAt: number
  /** When the last lease ended; relays must have read all commands up to this time before a stranger gets it. */
  readonly releasedAt: number
  /** Before this time only its own tunnel gets it: an old ticket could still bind. */
  readonly restUntil: number
  /** Until then it is kept for its own tunnel, unless endpoints run out. */
  readonly keepUntil: number
  /** The account's limit ended the last lease, and its former holder must be told so. */
  readonly isDisplaced?: boolean
  /** Since when its account keeps it, leased or not (reservation-rules.ts); these three are present together. */
  readonly reservedAt?: number
  /** The only tunnel that may get it; '' = any of the account. */
  readonly reservedTunnel?: string
  /** Rises with every change of the reservation; also the ETag. */
  readonly reservedRevision?: number
  /** While it rests: its last tickets belong to another account, which had it before. */
  readonly wasAnothers?: boolean
} & EndpointMarks
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
  /** Public addresses of what stands in front of the relays, such as a balancer; none or undefined: the relays' own. */
  readonly addresses?: readonly string[]
}
/** Id: `<relay>:<instance>`, one for each process. */
export type RelayDoc = {
  readonly relay: string
  readonly instance: string
  readonly cell: string
  readonly boot: string
  /** When this boot was first heard of: reports of its predecessor about away agents no longer count. */
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
  readonly load: LoadDoc
  readonly seenAt: number
  /** Since when this place has been heard of without a long pause, over boots; older control planes omit it. */
  readonly heardSince?: number
  /** Commands up to this time have certainly reached it. */
  readonly appliedAt: number
  readonly boundHash: string
  readonly boundChunks: number
  /** The last starts of its relay's processes, oldest first; older control planes omit it. */
  readonly starts?: readonly RelayStart[]
  /** The proxy services that it trusts. */
  readonly proxies?: readonly string[]
  /** Sequence of the request that this comes from; older control planes omit it. */
  readonly sequence?: number
}
/** Id: `<relay>:<instance>:<n>`: a slice of the endpoints bound there. */
export type BoundDoc = {
  readonly cell: string
  readonly endpoints: readonly string[]
  /** The epoch of each one's lease, in the same order; older control planes omit it. */
  readonly epochs?: readonly number[]
  /** Those whose agents have no connection now. */
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
/** Id: `current`. Its version rises with every rotation, which keeps two rotations from running at once. */
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
 * Work that must happen. Id: `<kind>:<subject>`. A live job is due at `dueAt`, which is also the end of the lease of
 * the worker that has claimed it; a finished one is gone, or due again.
 */
export type JobDoc = {
  /** '' = the service itself. */
  readonly account: string
  /** From the account or else the id, 0 to 15. Workers read shards, so one account's jobs delay nobody else's. */
  readonly shard: number
  readonly state: 'live' | 'dead'
  readonly dueAt: number
  /** Rises with every enqueue: if it rose while the job ran, the job runs once more. */
  readonly wanted: number
  /** Claims since the last progress. */
  readonly attempts: number
  /** The worker that has it; '' = none. */
  readonly claim: string
  readonly body: Doc
  /** How far it has come, in the form of its kind. */
  readonly progress: Doc
  /** Code of the last failure; '' = none. */
  readonly error: string
  readonly ttl?: Date
}

export const users = globalCollection<UserDoc>('users')
export const identities = globalCollection<IdentityDoc>('identities')
export const accounts = ownIdCollection<AccountDoc>('accounts')
export const members = collection<MemberDoc>('members')
export const keys = collection<KeyDoc>('keys')
export const deviceCodes = globalCollection<DeviceCodeDoc>('deviceCodes')
export const rates = globalCollection<RateDoc>('rates')
export const tunnels = collection<TunnelDoc>('tunnels')
export const tunnelNames = collection<TunnelNameDoc>('tunnelNames')
export const deletedTunnels = collection<DeletedTunnelDoc>('deletedTunnels')
/** Shared: a free one belongs to nobody, and claims look at those of other accounts. */
export const endpoints = sharedCollection<EndpointDoc>('endpoints')
export const cells = globalCollection<CellDoc>('cells')
export const relays = globalCollection<RelayDoc>('relays')
export const bound = globalCollection<BoundDoc>('bound')
export const commands = outboxCollection<CommandDoc>('commands')
export const signingKeys = globalCollection<SigningKeyDoc>('signingKeys')
export const signingState = globalCollection<SigningStateDoc>('signingState')
export const serviceSecrets = globalCollection<ServiceSecretDoc>('serviceSecrets')
/** A worker crosses accounts; code that asks for a job sees only its own account's jobs. */
export const jobs = collection<JobDoc>('jobs')
export const idempotency = collection<IdempotencyDoc>('idempotency')
