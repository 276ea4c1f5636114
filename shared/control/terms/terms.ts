/**
 * Which of the operator's documents a person has accepted, and what they may do until they have. A new version has a
 * day until which people who are here already go on as before; new people accept it before anything else. Afterwards
 * whatever changes something is refused, to the person and to their keys: shared/api/terms-guard.ts says what goes on.
 */
import type { Acceptance, OwnTerms, TermsDocument } from '../../api/schemas/terms.ts'
import type { Clock } from '../../base/clock.ts'
import { linkTo } from '../../base/console-pages.ts'
import { fail } from '../../base/errors.ts'
import { signInWrites } from '../audit/sign-ins.ts'
import type { Settings } from '../control.ts'
import { type UserDoc, users } from '../documents.ts'
import type { Store } from '../platform.ts'
import type { Source } from '../sign-ins/beginning.ts'

/** Acceptances that a person's document keeps: the newest, and some years of earlier ones, for every kind. */
const keptMax = 30
/** People of whom this process knows that nothing is open. */
const knownMax = 10_000

type Parts = {
  readonly store: Pick<Store, 'get' | 'query' | 'transact'>
  readonly clock: Clock
  readonly settings: Pick<Settings, 'terms' | 'consoleUrl'>
}

export class Terms {
  readonly #parts: Parts
  /** Each has accepted all versions that `#of` names: an acceptance is never taken back. */
  readonly #done = new Set<string>()
  readonly #leftOut = new Set<string>()
  #of = ''

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /**
   * @param user whose right it is: the person, or the maker of the key. '' and service members have nothing to accept
   * @throws terms.due
   */
  async require(user: string): Promise<void> {
    const dueAt = await this.dueAt(user)
    if (dueAt === undefined || dueAt > this.#parts.clock.now()) return
    throw fail('terms.due', `Read and accept the documents at ${linkTo(this.#parts.settings, 'terms')}.`)
  }

  /** The person runs this server: the documents are theirs, and so is the demo that their key serves. */
  leaveOut(user: string): void {
    this.#leftOut.add(user)
  }

  /** From when on the person needs what they have not accepted. Costs a read only while something is open. */
  async dueAt(user: string): Promise<number | undefined> {
    const { store } = this.#parts
    if (
      this.#documents.length === 0 ||
      !user.startsWith('usr_') ||
      this.#leftOut.has(user) ||
      this.#isDone(user)
    )
      return undefined
    const person = (await store.get(users.ref(user)))?.data
    if (!person) return undefined
    const { dueAt } = describe(this.#documents, person)
    if (dueAt === undefined) this.#note(user)
    return dueAt
  }

  /** @throws auth.invalid for a person who was erased */
  async read(user: string): Promise<OwnTerms> {
    const person = (await this.#parts.store.get(users.ref(user)))?.data
    if (!person) throw fail('auth.invalid')
    return this.#leftOut.has(user) ? { items: [] } : describe(this.#documents, person)
  }

  /**
   * Accepting again changes nothing.
   * @param shown what the person saw, all that is open: nobody accepts a version that came after it
   * @throws terms.changed, auth.invalid
   */
  async accept(user: string, shown: readonly Version[], { from, userAgent }: Source): Promise<OwnTerms> {
    const { store, clock } = this.#parts
    const nowMs = clock.now()
    const wanted = shown.map(({ kind, version }) => {
      const found = this.#documents.find((one) => one.kind === kind && one.version === version)
      if (!found) throw fail('terms.changed')
      return { kind, version, url: found.url, at: nowMs }
    })
    const details = Object.fromEntries(wanted.map(({ kind, version }) => [kind, version]))
    const event = { action: 'person.terms_accepted', user, from, userAgent, details } as const
    const told = await signInWrites(store, event, nowMs)
    const person = await store.transact(async (tx) => {
      const known = await tx.get(users.ref(user))
      if (!known) throw fail('auth.invalid')
      const { terms = [] } = known.data
      const fresh = wanted.filter((one) => !has(terms, one))
      // Nobody who is asked for three accepts one of them and goes on.
      const open = this.#documents.filter((one) => !has(terms, one) && !has(fresh, one))
      if (open.length > 0) throw fail('terms.changed')
      if (fresh.length === 0) return known.data
      const next = [...terms, ...fresh].slice(-keptMax)
      tx.update(known.ref, { terms: next })
      for (const { ref, data } of told) tx.create(ref, data)
      return { ...known.data, terms: next }
    })
    return describe(this.#documents, person)
  }

  /** What somebody from before a version has to accept still; nothing for new people, whom the first page asks. */
  openTo(user: string, { terms }: Pick<UserDoc, 'terms'>): readonly TermsDocument[] {
    if (this.#leftOut.has(user) || terms?.length === 0) return []
    return this.#documents.filter((one) => !has(terms ?? [], one))
  }

  get #documents(): readonly TermsDocument[] {
    return this.#parts.settings.terms ?? []
  }

  #isDone(user: string): boolean {
    const of = this.#documents.map(({ kind, version }) => `${kind} ${version}`).join(', ')
    if (of !== this.#of) this.#done.clear()
    this.#of = of
    return this.#done.has(user)
  }

  #note(user: string): void {
    const [oldest] = this.#done
    if (this.#done.size >= knownMax && oldest !== undefined) this.#done.delete(oldest)
    this.#done.add(user)
  }
}

function describe(documents: readonly TermsDocument[], { terms }: Pick<UserDoc, 'terms'>): OwnTerms {
  const items = documents.map(({ by = 0, ...document }) => {
    const accepted = latestOf(terms ?? [], document.kind)
    const isOpen = !has(terms ?? [], document)
    // A new person has accepted nothing, and their document says that they were to be asked.
    const isNew = terms?.length === 0
    return { ...document, ...(accepted && { accepted }), ...(isOpen && { dueAt: isNew ? 0 : by }) }
  })
  const open = items.flatMap(({ dueAt }) => (dueAt === undefined ? [] : [dueAt]))
  return { items, ...(open.length > 0 && { dueAt: Math.min(...open) }) }
}

type Version = Pick<TermsDocument, 'kind' | 'version'>

function has(accepted: readonly Version[], { kind, version }: Version): boolean {
  return accepted.some((one) => one.kind === kind && one.version === version)
}

function latestOf(terms: readonly Acceptance[], kind: Acceptance['kind']): Acceptance | undefined {
  return terms.findLast((one) => one.kind === kind)
}
