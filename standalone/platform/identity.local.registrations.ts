/**
 * Makes accounts: a person who asks gets a mail, and chooses the password behind its link. So the form does not tell
 * who has an account here, and nobody has one at an address whose mail they do not read. A request leaves a job and is
 * answered before anything is looked up; a link works once, for an hour.
 */
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { hashSecret, newId, newSecret } from '@porttunneler/shared/base/ids'
import { identities, type UserDoc, users } from '@porttunneler/shared/control/documents'
import { type JobKind, look, type RunningJob } from '@porttunneler/shared/control/jobs/jobs'
import { normaliseEmail } from '@porttunneler/shared/control/mail/addresses'
import { mailWish } from '@porttunneler/shared/control/mail/sending'
import type { KeyVault, Store, Write } from '@porttunneler/shared/control/platform'
import { nothingAccepted } from '@porttunneler/shared/control/terms/marks'
import { emailRef, passwords, resets } from './identity.local.documents.ts'
import type { Guard } from './identity.local.guard.ts'
import { askByMail, isOpen, type MailRequest, mailRequestSchema, resetMs } from './identity.local.resets.ts'

const kind = 'auth.register'

export type RegistrationOptions = {
  readonly store: Store
  readonly vault: KeyVault
  readonly clock: Clock
  readonly guard: Guard
  /** The page where a person chooses the password of a new account. */
  readonly registerUrl: (token: string) => string
  readonly signInUrl: string
  readonly hasTerms?: boolean
  readonly kick: (ids: readonly string[]) => Promise<void>
}

export class Registrations {
  readonly #options: RegistrationOptions
  /** The job that looks the address up and sends the mail. */
  readonly jobs: JobKind

  constructor(options: RegistrationOptions) {
    this.#options = options
    this.jobs = { name: kind, attemptsMax: 12, run: (job) => this.#prepare(job) }
  }

  /** @throws auth.locked, and never because of the address */
  async request(asked: MailRequest): Promise<void> {
    await this.#options.guard.countRegistration(asked.from)
    await askByMail(this.#options, kind, asked)
  }

  /** Refuses a token before a costly hash is made for it. @returns the address. @throws auth.reset */
  async check(token: string): Promise<string> {
    const { store, clock } = this.#options
    const asked = (await store.get(resets.ref(hashSecret(token))))?.data
    if (asked?.email === undefined || !isOpen(asked, clock.now())) throw fail('auth.reset')
    return asked.email
  }

  /** Uses up the token and makes the user. @throws auth.reset; auth.taken when another link has made it meanwhile */
  async redeem(token: string, hash: string): Promise<string> {
    const { store, clock, hasTerms = false } = this.#options
    const ref = resets.ref(hashSecret(token))
    return store.transact(async (tx) => {
      const now = clock.now()
      const asked = (await tx.get(ref))?.data
      if (asked?.email === undefined || !isOpen(asked, now)) throw fail('auth.reset')
      if (await tx.get(emailRef(asked.email))) throw fail('auth.taken')
      const user = newId('usr', now)
      tx.delete(ref)
      // A person who has the link reads the mailbox.
      for (const write of userWrites(user, { email: asked.email, hash, emailVerified: true, hasTerms, now }))
        tx.create(write.ref, write.data)
      return user
    })
  }

  async #prepare(job: RunningJob): Promise<void> {
    const { store, vault, clock, guard, registerUrl, signInUrl, kick } = this.#options
    const { email } = mailRequestSchema.parse(job.body)
    try {
      await guard.countResetMail(email)
    } catch (error) {
      // Enough mails went to this address lately; the requester is not told.
      if (isFailure(error, 'auth.locked')) return
      throw error
    }
    const claim = await store.get(emailRef(email))
    const owner = claim && (await store.get(users.ref(claim.data.user)))?.data
    if (owner && owner.status !== 'active') return
    const token = newSecret('ptw')
    const until = clock.now() + resetMs
    const letter = owner
      ? ({ to: owner.email, template: 'account-known', data: { link: signInUrl } } as const)
      : ({ to: email, template: 'account-link', data: { link: registerUrl(token) } } as const)
    const wish = await mailWish(vault, letter, { account: '', until })
    const asked: string[] = []
    await job.finish(async (tx) => {
      const ask = await look(tx, wish, clock.now())
      if (!owner)
        tx.create(resets.ref(hashSecret(token)), { user: '', generation: 0, email, ttl: new Date(until) })
      asked.splice(0, 1, ask())
    })
    await kick(asked)
  }
}

/** The documents of a new user, to be created together. */
export function userWrites(
  user: string,
  {
    email: given,
    hash,
    emailVerified,
    provenBy,
    hasTerms = false,
    now,
  }: {
    readonly email: string
    /** undefined: without a password. */
    readonly hash?: string
    readonly emailVerified: boolean
    /** The sign-in service that says so; undefined: a mail of ours. */
    readonly provenBy?: string
    /** They are asked to accept documents before anything else. */
    readonly hasTerms?: boolean
    readonly now: number
  },
): readonly Extract<Write, { op: 'create' | 'set' }>[] {
  const email = normaliseEmail(given)
  const data: UserDoc = {
    email,
    emailVerified,
    status: 'active',
    validSince: now,
    providers: [provenBy ?? 'local'],
    ...(provenBy !== undefined && { provenBy }),
    ...(hasTerms && { terms: nothingAccepted }),
  }
  return [
    { op: 'create', ref: emailRef(email), data: { user } },
    { op: 'create', ref: users.ref(user), data },
    { op: 'create', ref: identities.ref(`local:${user}`), data: { user } },
    ...(hash === undefined
      ? []
      : [{ op: 'create' as const, ref: passwords.ref(user), data: { hash, generation: 1 } }]),
  ]
}
