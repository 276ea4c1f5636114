/**
 * The catalogue that is in force, and every earlier one: accounts keep what they were granted, and a bill needs the
 * prices of that time. Each process reads the newest once in 30 s. Set by operator/plans.ts.
 */
import { createHash } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import { fail, isFailure } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import { globalCollection } from '../names.ts'
import type { Store, Transaction } from '../platform.ts'
import { ReadLately } from '../read-lately.ts'
import { builtInCatalogue } from './built-in.ts'
import { readCatalogue } from './catalogue.ts'
import type { Catalogue } from './catalogue-schema.ts'

/**
 * Id: its version; never changed. `newest` is a copy of the one in force, so that one read is enough. The built-in
 * one is version 1, and is not stored.
 */
type CatalogueDoc = {
  readonly version: number
  /** SHA-256 of `json`. */
  readonly hash: string
  readonly json: string
  readonly appliedAt: number
}

/** More than are ever in use at once; a forgotten one costs a read. */
const versionsMax = 50

const catalogues = globalCollection<CatalogueDoc>('catalogues')
const newestRef = catalogues.ref('newest')

export class Catalogues {
  readonly #store: Pick<Store, 'get'>
  readonly #versions = new Map<number, Catalogue>()
  readonly #newest: ReadLately<Catalogue>
  #last = builtInCatalogue

  constructor({
    store,
    clock,
    log,
  }: {
    readonly store: Pick<Store, 'get'>
    readonly clock: Clock
    readonly log: Log
  }) {
    this.#store = store
    this.#newest = new ReadLately(
      clock,
      () => this.#read(),
      (error) => log.warn({ error }, 'The plans could not be read; those known last apply'),
    )
  }

  /** As it was at most 30 s ago. @throws store.unavailable when it could never be read */
  async newest(): Promise<Catalogue> {
    const newest = await this.#newest.get()
    if (!newest) throw fail('store.unavailable')
    return newest
  }

  /** An earlier one, or the newest. @throws plan.unknown */
  async of(version: number): Promise<Catalogue> {
    if (version === builtInCatalogue.version) return builtInCatalogue
    const known = this.#versions.get(version)
    if (known) return known
    const found = await this.#store.get(catalogues.ref(`${version}`))
    if (!found) throw fail('plan.unknown', `There is no catalogue ${version}.`)
    return this.#remember(readCatalogue(JSON.parse(found.data.json)))
  }

  /** Those of these versions that there are. @throws store.unavailable */
  async ofAll(versions: readonly number[]): Promise<ReadonlyMap<number, Catalogue>> {
    const known = new Map<number, Catalogue>()
    for (const version of new Set(versions))
      try {
        known.set(version, await this.of(version))
      } catch (error) {
        if (!isFailure(error, 'plan.unknown')) throw error
      }
    return known
  }

  /** One was applied here, so the next look reads it. */
  forget(): void {
    this.#newest.forget()
  }

  async #read(): Promise<Catalogue> {
    const found = await this.#store.get(newestRef)
    // Most looks find what the last one found, which need not be checked again.
    if (found && found.data.version !== this.#last.version)
      this.#last = this.#remember(readCatalogue(JSON.parse(found.data.json)))
    return found ? this.#last : builtInCatalogue
  }

  #remember(catalogue: Catalogue): Catalogue {
    const [oldest] = this.#versions.keys()
    if (this.#versions.size >= versionsMax && oldest !== undefined) this.#versions.delete(oldest)
    this.#versions.set(catalogue.version, catalogue)
    return catalogue
  }
}

/**
 * Puts a catalogue in force for whoever gets a plan from now on. Applying the same one again changes nothing.
 * @param also writes what must commit with it
 * @returns the one before
 * @throws plan.version when it is not newer, or differs from a stored one of the same number
 */
export async function applyCatalogue(
  {
    store,
    clock,
    catalogues: known,
  }: { readonly store: Store; readonly clock: Clock; readonly catalogues: Catalogues },
  catalogue: Catalogue,
  also: (tx: Transaction) => void,
): Promise<Catalogue> {
  const json = JSON.stringify(catalogue)
  const hash = createHash('sha256').update(json).digest('hex')
  const { version } = catalogue
  const doc: CatalogueDoc = { version, hash, json, appliedAt: clock.now() }
  const before = await store.transact(async (tx) => {
    const newest = (await tx.get(newestRef))?.data
    if (newest?.version === version && newest.hash === hash) return catalogue
    const present = newest ? readCatalogue(JSON.parse(newest.json)) : builtInCatalogue
    if (version <= present.version)
      throw fail(
        'plan.version',
        `Version ${present.version} is in force. Accounts keep what a version gave them, so a change needs a higher number.`,
      )
    tx.create(catalogues.ref(`${version}`), doc)
    tx.set(newestRef, doc)
    also(tx)
    return present
  })
  known.forget()
  return before
}
