/** The job of a person who leaves (people.ts): pauses their memberships, reminds them, undoes the pauses, or erases. */
import { z } from 'zod'
import { fail } from '../../base/errors.ts'
import { writeAudit } from '../audit.ts'
import { roleOf } from '../caller.ts'
import { type Outgoing, publishCommands } from '../commands.ts'
import type { Control } from '../control.ts'
import { accounts, type MemberDoc, members, type UserDoc, users } from '../documents.ts'
import { erasePerson, forgottenOf } from '../erasing-people.ts'
import { type JobKind, look, type RunningJob } from '../jobs/jobs.ts'
import { kick } from '../jobs/kick.ts'
import { linkOf } from '../mail/links.ts'
import { lookToNotify } from '../mail/notices.ts'
import { mailWish } from '../mail/sending.ts'
import { operators } from '../operator/operator-documents.ts'
import type { Snapshot, Transaction } from '../platform.ts'
import { membersMax, queries } from '../query-table.ts'
import { lookToTake } from '../quota.ts'
import { personWaitsForHold } from '../retention/holds.ts'
import { lookToUnserve, memberOf } from '../unserve.ts'
import { lookToKeep, lookToLeaveWith, writeKept } from './accounts.ts'
import { leaveKind, membershipsOf, othersThan } from './people.ts'
import { dayOf, endOf, graceMs, remindAt, withoutLeaving } from './terms.ts'

/** Accounts that are erased with the person take a moment. */
const waitMs = 60_000
/** The mail that says that it is done. */
const usefulMs = 7 * 24 * 3_600_000

const progressSchema = z.object({
  /** The request that this is progress of: a later one begins anew. */
  of: z.int().optional(),
  told: z.enum(['begun', 'soon', 'done']).optional(),
})
type Progress = { readonly of: number; readonly told: 'begun' | 'soon' | 'done' }

export function leavePeople(control: Control): JobKind {
  return { name: leaveKind, attemptsMax: 100, waitsMs: graceMs, run: (job) => run(control, job) }
}

async function run(control: Control, job: RunningJob): Promise<void> {
  const { store, clock } = control
  const id = job.subject
  const user = await store.get(users.ref(id))
  // The erasure of their last account took them along.
  if (!user) return
  const { leaving } = user.data
  if (!leaving) return resume(control, job)
  const of = leaving.askedAt
  const before = progressSchema.parse(job.progress)
  const told = before.of === of ? before.told : undefined
  const { isAlone = false } = leaving
  if (isAlone && (await belongs(control, id))) return settle(job, of)
  const nowMs = clock.now()
  if (!isAlone && !(await pauseAll(control, job, of))) return refuse(control, job, of)
  if (!told) await tell(control, job, { of, told: 'begun' })
  if (nowMs < remindAt(leaving, nowMs)) return job.pause({ of, told: 'begun' }, remindAt(leaving, nowMs))
  if (told !== 'soon' && told !== 'done') await tell(control, job, { of, told: 'soon' })
  if (nowMs < endOf(leaving, nowMs)) return job.pause({ of, told: 'soon' }, endOf(leaving, nowMs))
  if (told !== 'done' && (await personWaitsForHold(control, job))) return
  if (told !== 'done') await begin(control, job, { of, user })
  await end(control, job, of)
}

async function tell(control: Control, job: RunningJob, progress: Progress): Promise<void> {
  const user = job.subject
  const jobs: string[] = []
  await job.advance(progress, async (tx) => {
    const found = await tx.get(users.ref(user))
    const nowMs = control.clock.now()
    if (found?.data.leaving?.askedAt !== progress.of) return
    const { leaving } = found.data
    const { isAlone = false } = leaving
    const isSoon = progress.told === 'soon'
    const notice = { event: 'leaves', user, day: dayOf(endOf(leaving, nowMs)), isAlone, isSoon } as const
    const ask = await lookToNotify(tx, notice, { account: '', nowMs })
    jobs.splice(0, 1, ask())
  })
  await kick(control, jobs)
}

/** @returns false when an account would be left without an owner: somebody was faster than the request's own look */
async function pauseAll(control: Control, job: RunningJob, of: number): Promise<boolean> {
  for (const { data } of await membershipsOf(control.store, job.subject)) {
    job.signal.throwIfAborted()
    if (data.leaving) continue
    if ((await pauseOne(control, job, { of, account: data.account })) === 'no owner') return false
  }
  return true
}

async function pauseOne(
  control: Control,
  job: RunningJob,
  { of, account }: { readonly of: number; readonly account: string },
) {
  const user = job.subject
  const done: { commands: readonly Outgoing[]; jobs: readonly string[]; others: string } = {
    commands: [],
    jobs: [],
    others: '',
  }
  await job.advance(job.progress, async (tx) => {
    Object.assign(done, { commands: [], jobs: [], others: '' })
    const person = await tx.get(users.ref(user))
    if (person?.data.leaving?.askedAt !== of) return
    const { items } = await tx.query(queries.membersOfAccount, { where: { account }, limit: membersMax })
    const own = items.find(({ data }) => data.user === user)
    const found = await tx.get(accounts.ref(account))
    if (!own || !found || found.data.status === 'closed') return
    const others = roleOf(own.data) === 'owner' ? othersThan(user, items) : 'an owner'
    const nowMs = control.clock.now()
    if (others === 'nobody') {
      // Its own request goes on by itself.
      if (found.data.leaving) return
      const write = await lookToLeaveWith(tx, found, { person: user, terms: person.data.leaving, nowMs })
      const { command, job: id } = write()
      Object.assign(done, { commands: [command], jobs: [id] })
      return
    }
    // An account that is leaving needs no owner.
    if (others === 'no owner' && !found.data.leaving) return void Object.assign(done, { others })
    if (own.data.status === 'disabled') return
    const unserve = await lookToUnserve(tx, memberOf(account, user), nowMs)
    tx.update(own.ref, { status: 'disabled', leaving: true })
    writeMember(tx, { account, user, details: { status: 'disabled', reason: 'leaving' } }, nowMs)
    Object.assign(done, { jobs: [unserve()] })
  })
  await publishCommands(control, done.commands)
  await kick(control, done.jobs)
  return done.others
}

/** Undone: what this job has paused goes on; what others have disabled stays so. */
async function resume(control: Control, job: RunningJob): Promise<void> {
  const user = job.subject
  for (const { data } of await membershipsOf(control.store, user)) {
    const { account } = data
    job.signal.throwIfAborted()
    const commands: Outgoing[] = []
    const jobs: string[] = []
    await job.advance(job.progress, async (tx) => {
      commands.splice(0)
      jobs.splice(0)
      const person = await tx.get(users.ref(user))
      const own = await tx.get(members.ref(`${account}:${user}`))
      const found = await tx.get(accounts.ref(account))
      const nowMs = control.clock.now()
      if (!person || person.data.leaving) return
      const settle = await lookToKeep(tx, account, nowMs)
      if (found && found.data.status !== 'closed' && found.data.leaving?.with === user) {
        jobs.push(settle())
        commands.push(writeKept(tx, found, nowMs))
        writeAudit(tx, { account, actor: user, from: '', target: account, action: 'account.kept' }, nowMs)
      }
      if (!own?.data.leaving) return
      tx.set(own.ref, back(own.data))
      writeMember(tx, { account, user, details: { status: 'active', reason: 'stays' } }, nowMs)
    })
    await publishCommands(control, commands)
    await kick(control, jobs)
  }
}

function back({ leaving: _, ...member }: MemberDoc): MemberDoc {
  return { ...member, status: 'active' }
}

function writeMember(
  tx: Transaction,
  { account, user, details }: { account: string; user: string; details: Record<string, string> },
  nowMs: number,
): void {
  const entry = { account, actor: 'system', from: '', target: user }
  writeAudit(tx, { ...entry, action: 'member.changed', details }, nowMs)
}

/** The request is taken back, because a team would lose its last owner; the person hears of it. */
async function refuse(control: Control, job: RunningJob, of: number): Promise<void> {
  const user = job.subject
  const jobs: string[] = []
  await job.advance({}, async (tx) => {
    jobs.splice(0)
    const found = await tx.get(users.ref(user))
    if (found?.data.leaving?.askedAt !== of) return
    const nowMs = control.clock.now()
    const ask = await lookToNotify(tx, { event: 'stays', user }, { account: '', nowMs })
    tx.set(found.ref, withoutLeaving(found.data))
    const entry = { account: '', actor: 'system', from: '', target: user, action: 'person.kept' } as const
    writeAudit(tx, { ...entry, details: { reason: 'last_owner' } }, nowMs)
    jobs.push(ask())
  })
  await kick(control, jobs)
  await resume(control, job)
}

async function belongs({ store }: Control, user: string): Promise<boolean> {
  return (await membershipsOf(store, user)).length > 0 || (await store.get(operators.ref(user))) !== undefined
}

/** A person without an account has found one. */
function settle(job: RunningJob, of: number): Promise<void> {
  return job.finish(async (tx) => {
    const found = await tx.get(users.ref(job.subject))
    if (found?.data.leaving?.askedAt === of) tx.set(found.ref, withoutLeaving(found.data))
  })
}

/** The point of no return: nobody gets in any more, and the last mail is on its way while the address is known. */
async function begin(
  control: Control,
  job: RunningJob,
  { of, user }: { readonly of: number; readonly user: Snapshot<UserDoc> },
): Promise<void> {
  const { clock, vault, settings } = control
  const letter = {
    to: user.data.email,
    template: 'person-left',
    data: { link: linkOf(settings, 'person-left') },
  } as const
  const until = clock.now() + usefulMs
  const wish = await mailWish(vault, letter, { account: '', until })
  const jobs: string[] = []
  await job.advance({ of, told: 'done' }, async (tx) => {
    const nowMs = clock.now()
    const found = await tx.get(users.ref(user.ref.id))
    const ask = await look(tx, wish, nowMs)
    // Undone a moment ago: the job was asked for again and begins anew.
    if (found?.data.leaving?.askedAt !== of) throw fail('store.contention')
    const validSince = Math.max(nowMs, found.data.validSince) + 1
    tx.update(found.ref, { status: 'disabled', validSince })
    jobs.splice(0, 1, ask())
  })
  await kick(control, jobs)
}

async function end(control: Control, job: RunningJob, of: number): Promise<void> {
  const { store, clock } = control
  const user = job.subject
  const progress = { of, told: 'done' }
  let isWaiting = false
  for (const { data } of await membershipsOf(store, user)) {
    job.signal.throwIfAborted()
    const { account } = data
    // The erasure of an account takes the membership, and with the last one the person.
    if ((await store.get(accounts.ref(account)))?.data.leaving) isWaiting = true
    else await endOne(control, job, account)
  }
  if (isWaiting) return job.pause(progress, clock.now() + waitMs)
  const found = await store.get(users.ref(user))
  if (!found) return
  await erasePerson(control, job, { person: await forgottenOf(control, found), rest: progress })
}

async function endOne(control: Control, job: RunningJob, account: string): Promise<void> {
  const user = job.subject
  const jobs: string[] = []
  await job.advance(job.progress, async (tx) => {
    const own = await tx.get(members.ref(`${account}:${user}`))
    const nowMs = control.clock.now()
    if (!own) return
    const take = await lookToTake(tx, account)
    const unserve = await lookToUnserve(tx, memberOf(account, user), nowMs)
    tx.delete(own.ref)
    const entry = { account, actor: 'system', from: '', target: user, action: 'member.removed' } as const
    writeAudit(tx, { ...entry, details: { reason: 'left' } }, nowMs)
    take({ members: -1 })
    jobs.splice(0, 1, unserve())
  })
  await kick(control, jobs)
}
