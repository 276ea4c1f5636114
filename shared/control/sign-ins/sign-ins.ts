/**
 * The sign-ins of people as requests meet them. Reading one costs a request nothing while this process has read it
 * within 30 s, which is also how long the rest of a person's rights is cached. Before a caller is refused for something
 * that they may have done elsewhere a moment ago, it is read anew (fresh.ts).
 */
import type { Clock } from '../../base/clock.ts'
import { fail, isFailure } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import { limits } from '../../protocol/limits.ts'
import { signInReadMs } from '../ended-sign-ins.ts'
import type { Identity, IdentityClaims, Store } from '../platform.ts'
import { crowdedOut, lookToBegin, type Source, signInIdleMs, signInMsMax, usedFrom } from './beginning.ts'
import { type SignInDoc, type SignInMethod, signIns } from './sign-in-documents.ts'

const usedEveryMs = 3_600_000
const knownMax = 10_000

/** What a caller's rights may depend on. */
export type SignInState = {
  readonly id: string
  readonly method: SignInMethod
  /** When the person last showed who they are, ms. */
  readonly freshAt: number
  /** When they showed a second factor; 0 = not yet. */
  readonly factorAt: number
}

/** What a person shows again in a sign-in that goes on. `factor`: it counts as a second one. */
const proofs = {
  password: { factor: false },
  /** A newer sign-in of the same person at an outside service. */
  token: { factor: false },
  passkey: { factor: true },
  totp: { factor: true },
  recovery: { factor: true },
} as const
type Proof = keyof typeof proofs

type Known = { readonly readAt: number; readonly doc: Promise<SignInDoc | undefined> }

type SignInsOptions = {
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  readonly identity: Pick<Identity, 'kind' | 'endSignIns'>
  /** Tells workers about jobs that were just requested. */
  readonly kick: (ids: readonly string[]) => Promise<void>
}

export class SignIns {
  readonly #options: SignInsOptions
  readonly #known = new Map<string, Known>()

  constructor(options: SignInsOptions) {
    this.#options = options
  }

  /**
   * The sign-in of a token. The first token of one makes its record, where the identity did not.
   * @returns undefined for a token that names none
   * @throws auth.invalid for one that has ended, or was not used for too long
   */
  async of(claims: IdentityClaims, user: string, source: Source): Promise<SignInState | undefined> {
    const { signIn: id, authTimeMs } = claims
    if (id === undefined) return undefined
    const now = this.#options.clock.now()
    if (authTimeMs + signInMsMax < now) throw fail('auth.invalid')
    const doc = (await this.#read(id)) ?? (await this.#begin(id, { claims, user, source }))
    if (doc.user !== user || doc.ttl.getTime() <= now) throw fail('auth.invalid')
    await this.#use(id, doc, source)
    return stateOf(id, doc)
  }

  /** Whatever this process knows. @throws auth.invalid when it has ended */
  async readNow(id: string): Promise<SignInState> {
    this.#known.delete(id)
    const doc = await this.#read(id)
    if (!doc) throw fail('auth.invalid')
    return stateOf(id, doc)
  }

  /** The person has shown again who they are: the sign-in counts as fresh. @throws auth.invalid when it has ended */
  async confirm(id: string, proof: Proof): Promise<SignInState> {
    const { store, clock } = this.#options
    const now = clock.now()
    const shown = { freshAt: now, ...(proofs[proof].factor && { factorAt: now }) }
    const doc = await store.change(signIns.ref(id), (before) => (before ? { ...before, ...shown } : 'keep'))
    if (!doc) throw fail('auth.invalid')
    this.#remember(id, Promise.resolve(doc))
    return stateOf(id, doc)
  }

  async #begin(
    id: string,
    {
      claims,
      user,
      source,
    }: { readonly claims: IdentityClaims; readonly user: string; readonly source: Source },
  ): Promise<SignInDoc> {
    const { store, clock, identity, kick } = this.#options
    const { authTimeMs: authTime, method = 'other', hasShownFactor = false } = claims
    // Its record expired. Our own identity ends such a sign-in itself, and has older ones without a record.
    if (identity.kind !== 'local' && authTime + signInIdleMs < clock.now()) throw fail('auth.invalid')
    const crowd = await crowdedOut(store, user)
    if (crowd.length > 0) await identity.endSignIns(crowd)
    const begun = { id, user, method, authTime, source, hasShownFactor }
    const { doc, jobs } = await store.transact(async (tx) => (await lookToBegin(tx, begun, clock.now()))())
    this.#remember(id, Promise.resolve(doc))
    await kick(jobs)
    return doc
  }

  /** At most one write an hour; a lost race or a full disk must not refuse a valid sign-in. */
  async #use(id: string, doc: SignInDoc, source: Source): Promise<void> {
    const { store, clock, log } = this.#options
    const now = clock.now()
    const isRecent = now - doc.usedAt < usedEveryMs && doc.usedAt <= now + limits.skewMs
    if (isRecent) return
    const used = usedFrom(source, now)
    this.#remember(id, Promise.resolve({ ...doc, ...used }))
    try {
      await store.update(signIns.ref(id), used)
    } catch (error) {
      if (!isFailure(error)) throw error
      log.warn({ code: error.code }, 'the last use of a sign-in was not noted')
    }
  }

  #read(id: string): Promise<SignInDoc | undefined> {
    const now = this.#options.clock.monotonic()
    const known = this.#known.get(id)
    if (known && now - known.readAt < signInReadMs) return known.doc
    // Store the promise: a loading page asks several times at once.
    const doc = this.#options.store.get(signIns.ref(id)).then((found) => found?.data)
    this.#remember(id, doc)
    doc.catch(() => this.#known.delete(id))
    return doc
  }

  #remember(id: string, doc: Known['doc']): void {
    this.#known.delete(id)
    const [oldest] = this.#known.keys()
    if (this.#known.size >= knownMax && oldest !== undefined) this.#known.delete(oldest)
    this.#known.set(id, { readAt: this.#options.clock.monotonic(), doc })
  }
}

function stateOf(id: string, { method, freshAt, factorAt }: SignInDoc): SignInState {
  return { id, method, freshAt, factorAt }
}
