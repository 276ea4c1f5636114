/**
 * The way back in for somebody who lost every factor and every recovery code. It takes the first factor, a link in a
 * mail, and 72 hours in which the person is mailed each day and any of their sign-ins can stop it. So the mailbox alone
 * opens nothing at once: whoever reads the mail can get a password, and then has to wait where the person sees it. An
 * owner or admin of a team who knows the person can end the wait, and nothing more.
 */
import { fail } from '../../base/errors.ts'
import { hashSecret, newSecret } from '../../base/ids.ts'
import { byCaller, writeAudit } from '../audit.ts'
import { type Caller, roleOf } from '../caller.ts'
import type { Control } from '../control.ts'
import { members } from '../documents.ts'
import type { JobKind, RunningJob } from '../jobs/jobs.ts'
import { kick } from '../jobs/kick.ts'
import { linkOf } from '../mail/links.ts'
import { lookToNotify } from '../mail/notices.ts'
import { mailWish } from '../mail/sending.ts'
import { rightToAssign } from '../members.ts'
import type { Transaction } from '../platform.ts'
import { countEvent } from '../rates.ts'
import { requireStill } from '../still.ts'
import { isStillOn } from '../stored-times.ts'
import { changeFactors, type FactorCaller, type FactorsNow, hasFactor, readFactors } from './changing.ts'
import { factors, noFactors, passkeys, type RecoveryDoc } from './factor-documents.ts'

const remindKind = 'factors.remind'
const dayMs = 24 * 3_600_000
/** A long weekend: a person who reads mail at all reads it within that. */
const waitMs = 72 * 3_600_000
const linkMs = 60 * 60_000
/** How long the factors can then be removed. */
const readyMs = 7 * 24 * 3_600_000
const perDay = { scope: 'factor.recovery', max: 3, windowMs: 24 * 3_600_000 }

/** Mails a link. @throws factor.none, mail.limit; factor.no_mail where this service sends no mail */
export async function askForRecovery(control: Control, by: FactorCaller): Promise<void> {
  const { store, clock, vault, settings, mail } = control
  const { user, email, from } = by
  if (!hasFactor(await readFactors(store, user))) throw fail('factor.none')
  if (mail.isAbsent) throw fail('factor.no_mail')
  await countEvent(control, perDay, { subject: user, key: 'mail.limit' })
  const token = newSecret('ptm')
  const until = clock.now() + linkMs
  const link = linkOf(settings, 'factor-recovery', { token })
  const letter = { to: email, template: 'factor-recovery', data: { link } } as const
  const wish = await mailWish(vault, letter, { account: '', until })
  const event = { action: 'factor.recovery_asked', wishes: [wish] } as const
  await changeFactors(control, by, event, ({ doc, passkeys: of }, nowMs) => {
    // Asking again does not begin the wait anew.
    if (isUnderWay(doc.recovery, nowMs)) throw fail('recovery.waiting')
    const recovery = { token: hashSecret(token), askedAt: nowMs, readyAt: 0, endsAt: until, from }
    return { doc: { ...doc, recovery }, passkeys: of.length }
  })
}

/** The link was followed, so the wait begins. @throws recovery.over, also for another person's link */
export async function followRecovery(control: Control, by: FactorCaller, token: string): Promise<void> {
  const dueAt = control.clock.now() + dayMs
  const wish = { kind: remindKind, subject: by.user, account: '', dueAt }
  const event = { action: 'factor.recovery_begun', news: 'recovery-begun', wishes: [wish] } as const
  await changeFactors(control, by, event, ({ doc, passkeys: of }, nowMs) => {
    const { recovery } = doc
    const isOpen = recovery && isStillOn(recovery.endsAt, { nowMs, lastsMs: linkMs })
    if (!isOpen || recovery.readyAt > 0 || recovery.token !== hashSecret(token)) throw fail('recovery.over')
    const readyAt = nowMs + waitMs
    const begun = { ...recovery, token: '', readyAt, endsAt: readyAt + readyMs }
    return { doc: { ...doc, recovery: begun }, passkeys: of.length }
  })
}

/** Also for a link that nobody followed; does nothing when there is none. */
export async function endRecovery(control: Control, by: FactorCaller): Promise<void> {
  const { recovery } = (await control.store.get(factors.ref(by.user)))?.data ?? {}
  if (!recovery) return
  const wasWaiting = recovery.readyAt > 0
  const news = wasWaiting ? ({ news: 'recovery-ended' } as const) : {}
  await changeFactors(
    control,
    by,
    { action: 'factor.recovery_ended', ...news },
    ({ doc: { recovery: _, ...doc }, passkeys: of }) => ({
      doc,
      passkeys: of.length,
    }),
  )
}

/**
 * Removes every factor after the wait, and ends every sign-in. @throws recovery.over, recovery.waiting
 */
export async function completeRecovery(control: Control, by: FactorCaller): Promise<void> {
  await removeAll(control, by, {
    action: 'factor.recovered',
    check: ({ doc: { recovery } }, nowMs) => {
      if (!isUnderWay(recovery, nowMs)) throw fail('recovery.over')
      const { readyAt } = recovery
      if (nowMs < readyAt)
        throw fail('recovery.waiting', undefined, { fields: { retryAfterMs: readyAt - nowMs } })
    },
  })
}

/**
 * A person who runs the team ends a member's wait. The member still needs the first factor and has followed the link,
 * so this gives the helper nothing. @throws api.not_found, auth.scope; recovery.over unless the member waits
 */
export async function approveRecovery(control: Control, caller: Caller, member: string): Promise<void> {
  const { store, clock } = control
  const { account } = caller
  const nowMs = clock.now()
  if (member === caller.member) throw fail('auth.scope', 'Nobody ends their own wait.')
  const jobs = await store.transact(async (tx) => {
    const found = await tx.get(members.ref(`${account}:${member}`))
    if (!found) throw fail('api.not_found')
    await requireStill(tx, caller, { needs: rightToAssign(roleOf(found.data)), nowMs })
    const before = await tx.get(factors.ref(member))
    const recovery = before?.data.recovery
    if (!before || !isUnderWay(recovery, nowMs)) throw fail('recovery.over')
    const notice = {
      event: 'factor',
      user: member,
      news: 'recovery-approved',
      name: '',
      from: caller.from,
    } as const
    const tell = await lookToNotify(tx, notice, { account, nowMs })
    tx.update(before.ref, { recovery: { ...recovery, readyAt: Math.min(recovery.readyAt, nowMs) } })
    writeAudit(tx, { ...byCaller(caller), target: member, action: 'factor.recovery_approved' }, nowMs)
    return [tell()]
  })
  await kick(control, jobs)
}

type Removal = {
  readonly action: 'factor.recovered' | 'factor.reset'
  /** Throws what refuses it. */
  readonly check?: (now: FactorsNow, nowMs: number) => void
}

/** Every factor, code and sign-in of a person ends. Keys stay: they are not what was lost. */
export async function removeAll(
  control: Pick<Control, 'store' | 'clock' | 'bus' | 'log'>,
  by: Pick<FactorCaller, 'user' | 'from' | 'userAgent'>,
  { action, check }: Removal,
): Promise<void> {
  const news = action === 'factor.reset' ? 'reset' : 'recovered'
  await changeFactors(control, by, { action, news }, (now, nowMs) => {
    check?.(now, nowMs)
    return {
      doc: noFactors(by.user),
      passkeys: 0,
      endSignIns: true,
      write: (tx) => {
        for (const { ref } of now.passkeys) tx.delete(passkeys.ref(ref.id))
      },
    }
  })
}

/** The link was followed, and the time to remove the factors is not over. */
function isUnderWay(recovery: RecoveryDoc | undefined, nowMs: number): recovery is RecoveryDoc {
  return recovery !== undefined && recovery.readyAt > 0 && recovery.endsAt > nowMs
}

/** Mails the person each day of the wait, and when it is over. */
export function remindOfRecovery(control: Control): JobKind {
  return { name: remindKind, attemptsMax: 12, waitsMs: dayMs, run: (job) => remind(control, job) }
}

async function remind(control: Control, job: RunningJob): Promise<void> {
  const { store, clock } = control
  const user = job.subject
  const recovery = (await store.get(factors.ref(user)))?.data.recovery
  const nowMs = clock.now()
  if (!isUnderWay(recovery, nowMs)) return
  const isReady = recovery.readyAt <= nowMs
  const news = isReady ? 'recovery-ready' : 'recovery-goes-on'
  const notice = { event: 'factor', user, news, name: '', from: recovery.from } as const
  const asked: string[] = []
  const tell = async (tx: Transaction) => {
    const ask = await lookToNotify(tx, notice, { account: '', nowMs })
    asked.splice(0, asked.length, ask())
  }
  if (isReady) await job.finish(tell)
  else {
    await job.advance({}, tell)
    await job.pause({}, Math.min(nowMs + dayMs, recovery.readyAt))
  }
  await kick(control, asked)
}
