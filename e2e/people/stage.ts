/** What the walks of people need of a platform: console, sign-in service, mailboxes, clock, an operator's tool. */
import type { Service } from '../harness/service.ts'
import type { Person } from './person.ts'

/** Somebody at the sign-in service. */
export type Somebody = { readonly sub: string; readonly email: string }

export type Stage = Pick<Service, 'addressOf'> & {
  readonly name: 'standalone' | 'cloud'
  /** Origin of console and API. */
  readonly url: string
  /** What each page runs first. */
  readonly prelude?: string
  /**
   * Signs a person in by OIDC, from the page of signing in that they see, until the console goes on.
   * @param isNew they sign up: where the platform does not believe the service about addresses, they confirm theirs
   */
  signIn(person: Person, who: Somebody, isNew: boolean): Promise<void>
  /** Waits for the newest mail to this address with this in its subject. @returns its text */
  mailTo(email: string, subject: string): Promise<string>
  /** Sets the clocks of all programs of the service ahead. Browsers are set by `Person.moveClock`. */
  moveClock(ms: number): void
  /** What `ptunctl` prints. */
  operator(...words: string[]): Promise<unknown>
  stop(): Promise<void>
}
