/**
 * Links to set a new password. A request leaves a job and answers before anything is looked up, so neither text nor
 * time shows whether the address is known, and nothing is lost when the process dies. A link works once, for an hour,
 * and any earlier change of the password voids it.
 */
import { type Clock, sleep } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { hashSecret, newSecret } from '@porttunneler/shared/base/ids'
import { signInWrites } from '@porttunneler/shared/control/audit/sign-ins'
import { users } from '@porttunneler/shared/control/documents'
import { lookToEndKeys } from '@porttunneler/shared/control/earlier-keys'
import { type JobKind, look, type RunningJob } from '@porttunneler/shared/control/jobs/jobs'
import { normaliseEmail } from '@porttunneler/shared/control/mail/addresses'
import { lookToNotify } from '@porttunneler/shared/control/mail/notices'
import { mailWish } from '@porttunneler/shared/control/mail/sending'
import type { KeyVault, Store, Transaction } from '@porttunneler/shared/control/platform'
import { isStillOn } from '@porttunneler/shared/control/stored-times'
import { z } from 'zod'
import { emailRef, passwords, resets } from './identity.local.documents.ts'
import type { Guard } from './identity.local.guard.ts'
import type { SignInSource } from './identity.local.types.ts'
import { linksIn } from './oidc/links.ts'

export const resetMs = 60 * 60_000
/** SQLite works within the turn, so the look-up waits until the answer has left: else its time would tell. */
const headStartMs = 250
const kind = 'auth.reset'
export const mailRequestSchema = z.object({ email: z.string(), from: z.string(), userAgent: z.string() })
/** Who asks for a link, and for which address. */
export type MailRequest = z.infer<typeof mailRequestSchema>

/**
 * Leaves a job of `kind` that looks the address up and asks for the mail. Resolves before that, so neither words nor
 * time tell whether the address is known.
 */
export async function askByMail(
  { store, clock, kick }: Pick<ResetOptions, 'store' | 'clock' | 'kick'>,
  kind: string,
  { email, from, userAgent }: MailRequest,
): Promise<void> {
  const address = normaliseEmail(email)
  const body = { email: address, from, userAgent }
  const id = await store.transact(async (tx) => {
    const ask = await look(tx, { kind, subject: hashSecret(address), account: '', body }, clock.now())
    return ask()
  })
  void sleep(clock, headStartMs).then(() => kick([id]))
}

/** Whether a link still works. */
export function isOpen({ ttl }: { readonly ttl: Date }, nowMs: number): boolean {
  return isStillOn(ttl.getTime(), { nowMs, lastsMs: resetMs })
}

export type ResetOptions = {
  readonly store: Store
  readonly vault: KeyVault
  readonly clock: Clock
  readonly guard: Guard
  readonly resetUrl: (token: string) => string
  /** Tells workers about jobs that were just requested. */
  readonly kick: (ids: readonly string[]) => Promise<void>
}

export class Resets {
  readonly #options: ResetOptions
  /** The job that looks up an address and requests the mail. */
  readonly jobs: JobKind

  constructor(options: ResetOptions) {
    this.#options = options
    this.jobs = { name: kind, attemptsMax: 12, run: (job) => this.#prepare(job) }
  }

  /** @throws auth.locked; never because of the address */
  async request(email: string, { from, userAgent = '' }: SignInSource): Promise<void> {
    await this.#options.guard.countReset(from)
    await askByMail(this.#options, kind, { email, from, userAgent })
  }

  /** Refuses an invalid token before a costly hash is made for it. @returns whose it is @throws auth.reset */
  async check(token: string): Promise<{ readonly user: string; readonly email: string }> {
    const { store, clock } = this.#options
    const reset = (await store.get(resets.ref(hashSecret(token))))?.data
    if (!reset?.user || !isOpen(reset, clock.now())) throw fail('auth.reset')
    const owner = (await store.get(users.ref(reset.user)))?.data
    if (!owner) throw fail('auth.reset')
    return { user: reset.user, email: owner.email }
  }

  /**
   * Uses up the token and sets the password. The first use of a link proves the mailbox: everything made before, keys
   * and linked services above all, may belong to somebody else who registered the address, so it ends. On later uses
   * it ends only if the person asks.
   * @returns the jobs to kick, and whether the keys end @throws auth.reset
   */
  async redeem(
    token: string,
    {
      hash,
      endKeys,
      caller,
    }: { readonly hash: string; readonly endKeys: boolean; readonly caller: SignInSource },
  ): Promise<{ readonly validSince: number; readonly jobs: readonly string[]; readonly keysEnd: boolean }> {
    const { store, clock } = this.#options
    const { from, userAgent } = caller
    const ref = resets.ref(hashSecret(token))
    const user = (await store.get(ref))?.data.user ?? ''
    const event = { action: 'auth.password_reset', user, from, userAgent } as const
    const told = await signInWrites(store, event, clock.now())
    return store.transact(async (tx) => {
      const now = clock.now()
      const reset = (await tx.get(ref))?.data
      if (!reset?.user || !isOpen(reset, now)) throw fail('auth.reset')
      const password = (await tx.get(passwords.ref(reset.user)))?.data
      const owner = (await tx.get(users.ref(reset.user)))?.data
      if (!owner || (password?.generation ?? 0) !== reset.generation) throw fail('auth.reset')
      const validSince = Math.max(now, owner.validSince) + 1
      const mustEnd = endKeys || !owner.emailVerified
      // Somebody else may have added theirs; one of the same address is found again by it.
      const links = mustEnd ? await linksIn(tx, reset.user) : []
      const ask = mustEnd
        ? await lookToEndKeys(tx, { user: reset.user, sinceMs: validSince }, now)
        : undefined
      const tell = await lookToTellOfPassword(tx, { user: reset.user, from }, now)
      tx.delete(ref)
      for (const link of links) tx.delete(link.ref)
      tx.set(passwords.ref(reset.user), { hash, generation: reset.generation + 1 })
      // The holder of the link can read the mailbox.
      tx.update(users.ref(reset.user), { emailVerified: true, provenBy: '', validSince })
      for (const { ref: entry, data } of told) tx.create(entry, data)
      return { validSince, jobs: ask ? [tell(), ask()] : [tell()], keysEnd: mustEnd }
    })
  }

  async #prepare(job: RunningJob): Promise<void> {
    const { store, vault, clock, guard, resetUrl, kick } = this.#options
    const { email, from, userAgent } = mailRequestSchema.parse(job.body)
    try {
      await guard.countResetMail(email)
    } catch (error) {
      // Enough mails went to this address lately; the requester is not told.
      if (isFailure(error, 'auth.locked')) return
      throw error
    }
    const user = (await store.get(emailRef(email)))?.data.user
    const [known, password] = user
      ? await Promise.all([store.get(users.ref(user)), store.get(passwords.ref(user))])
      : []
    if (!user || !known || known.data.status !== 'active') return
    const token = newSecret('ptw')
    // Somebody who signs in by another service alone sets their first one.
    const generation = password?.data.generation ?? 0
    const until = clock.now() + resetMs
    const { email: to, emailVerified: isProven } = known.data
    const data = { link: resetUrl(token), isProven }
    const wish = await mailWish(vault, { to, template: 'password-reset', data }, { account: '', until })
    const event = { action: 'auth.reset_requested', user, from, userAgent } as const
    const told = await signInWrites(store, event, clock.now())
    const asked: string[] = []
    await job.finish(async (tx) => {
      const ask = await look(tx, wish, clock.now())
      tx.create(resets.ref(hashSecret(token)), { user, generation, ttl: new Date(until) })
      asked.splice(0, 1, ask())
      for (const { ref, data } of told) tx.create(ref, data)
    })
    await kick(asked)
  }
}

/** Reads, so call it before the first write; the returned function writes, and returns the job to kick. */
export function lookToTellOfPassword(
  tx: Transaction,
  who: { readonly user: string; readonly from: string },
  nowMs: number,
): Promise<() => string> {
  return lookToNotify(tx, { event: 'password', ...who }, { account: '', nowMs })
}
