/**
 * Sign-ins that ended before their access tokens expire: by a logout, or because a refresh token came twice. Every
 * identity looks up a token's sign-in here. A sign-in ended in this process is known at once; one ended elsewhere is
 * looked up at most every 30 s, which is also how long the rest of a person's rights is cached.
 */
import type { Clock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import { globalCollection } from './names.ts'
import type { Store, Write } from './platform.ts'
import { signIns } from './sign-ins/sign-in-documents.ts'

/** Id: the sign-in, as its identity names it. It has ended, but some of its tokens may not have expired yet. */
type EndedSignInDoc = { readonly ttl: Date }
export const endedSignIns = globalCollection<EndedSignInDoc>('endedSignIns')

export const signInReadMs = 30_000
/** Sign-ins that used this process lately. A forgotten one costs one read. */
const knownMax = 10_000

type Known = { readonly readAt: number; readonly isEnded: Promise<boolean> }

export class EndedSignIns {
  readonly #store: Pick<Store, 'get'>
  readonly #clock: Clock
  readonly #known = new Map<string, Known>()
  /** By person: sign-ins before this time have ended. */
  readonly #people = new Map<string, number>()

  constructor(store: Pick<Store, 'get'>, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /**
   * @param signIn its id; tokens of earlier releases have none
   * @throws auth.invalid when the sign-in, or all of the person's before it, has ended
   */
  async check(
    signIn: string | undefined,
    { person, authTimeMs }: { readonly person: string; readonly authTimeMs: number },
  ): Promise<void> {
    if (authTimeMs < (this.#people.get(person) ?? 0)) throw fail('auth.invalid')
    if (signIn !== undefined && (await this.#isEnded(signIn))) throw fail('auth.invalid')
  }

  /**
   * The writes that tell other processes, kept as long as its tokens may live, and take its record away. Once they have
   * committed, call `note` here.
   */
  writes(signIn: string, lastsMs: number): readonly Write[] {
    const ttl = new Date(this.#clock.now() + lastsMs)
    return [
      { op: 'set', ref: endedSignIns.ref(signIn), data: { ttl } },
      { op: 'delete', ref: signIns.ref(signIn) },
    ]
  }

  note(signIn: string): void {
    remember(this.#known, signIn, { readAt: Number.POSITIVE_INFINITY, isEnded: Promise.resolve(true) })
  }

  /**
   * Ends all of a person's sign-ins that began before `sinceMs`; other processes read that in the person's document.
   */
  noteAll(person: string, sinceMs: number): void {
    remember(this.#people, person, sinceMs)
  }

  async #isEnded(signIn: string): Promise<boolean> {
    const now = this.#clock.monotonic()
    const known = this.#known.get(signIn)
    if (known && now - known.readAt < signInReadMs) return known.isEnded
    // Store the promise: a loading page asks several times at once.
    const isEnded = this.#store.get(endedSignIns.ref(signIn)).then((found) => found !== undefined)
    remember(this.#known, signIn, { readAt: now, isEnded })
    isEnded.catch(() => this.#known.delete(signIn))
    return isEnded
  }
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  const [oldest] = map.keys()
  if (map.size >= knownMax && oldest !== undefined) map.delete(oldest)
  map.set(key, value)
}
