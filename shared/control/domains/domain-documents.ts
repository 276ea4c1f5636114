/** The documents of own domains; the names of tunnels are in name-documents.ts. */
import { byHost, collection, sharedCollection } from '../names.ts'

export type DomainState = 'pending' | 'verified' | 'failing' | 'suspended'

/** A claim: an account says that a host is its own. Id: `<account>:<digest of the host>`. */
export type DomainDoc = {
  readonly account: string
  /** `*.` in front of it stands for all names one level below. */
  readonly host: string
  /** The part that its owner has registered. */
  readonly domain: string
  /** Random, and part of the proof: a claim that is made again needs a new record. */
  readonly claim: string
  /** The cell under whose domain its record leads. */
  readonly cell: string
  /** The cell of its tunnel, if that is another; earlier releases omit both. */
  readonly cellAway?: string
  /** Whether there is one, for the query. */
  readonly isAway?: boolean
  /** The tunnel that it should lead to; '' = none yet. */
  readonly tunnel: string
  readonly state: DomainState
  readonly createdAt: number
  /** 0 = never. */
  readonly verifiedAt: number
  /** When its servers first said that the proof is gone, which counts when they repeat it; 0 = they do not. */
  readonly goneAt: number
  readonly failingAt: number
  readonly checkedAt: number
  readonly nextAt: number
  /** When somebody last requested a look at once. */
  readonly askedAt: number
  /** What was found at the last look, the most important first. */
  readonly findings: readonly { readonly key: string; readonly detail: string }[]
  readonly zone: string
  readonly nameServers: readonly string[]
  /** Rises with every edit by the user; the ETag. */
  readonly revision: number
}

/**
 * Id: host. Its creation is the unique right to the host: one account has it, by the claim that proved it. Only this
 * document decides who may be served and get certificates.
 */
export type VerifiedDoc = {
  readonly account: string
  /** Id of the claim's document. */
  readonly domain: string
  readonly claim: string
  readonly state: Exclude<DomainState, 'pending'>
  readonly since: number
  /** When the holder's proof was first found gone by another claim with a proof; 0 = it was not. */
  readonly goneAt: number
}

export const domains = collection<DomainDoc>('domains')
/** Shared: a host can pass from one account to another. */
export const verified = byHost(sharedCollection<VerifiedDoc>('verified'))
