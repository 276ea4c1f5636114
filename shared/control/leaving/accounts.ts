/**
 * An account that its owner deletes: for two weeks its tunnels are off, its keys and members are refused, and an owner
 * can undo it. Then it is closed and erased. One job per account tells its people and ends it; every step commits with
 * the job's progress, and looks at the account again, so that an undoing always wins over a step that comes later.
 */
import { z } from 'zod'
import { fail } from '../../base/errors.ts'
import { writeStatus } from '../accounts.ts'
import { byCaller, writeAudit } from '../audit.ts'
import type { Caller } from '../caller.ts'
import { publishCommands } from '../commands.ts'
import type { AccountControl, Control } from '../control.ts'
import { type AccountDoc, accounts } from '../documents.ts'
import { type JobKind, look, type RunningJob } from '../jobs/jobs.ts'
import { kick } from '../jobs/kick.ts'
import { askToFollowPayer } from '../money/following.ts'
import type { Snapshot, Transaction } from '../platform.ts'
import { waitsForHold } from '../retention/holds.ts'
import { requireStill } from '../still.ts'
import { lookToTellTeam } from '../team/letters.ts'
import { endOf, graceMs, type Leaving, leavingFrom, remindAt } from './terms.ts'

const kind = 'account.leave'

/** Asked again, it changes nothing. @throws auth.scope, account.suspended, account.closed */
export async function leaveAccount(control: AccountControl, caller: Caller): Promise<void> {
  const { account } = caller
  const nowMs = control.clock.now()
  const [commands, jobs] = await control.store.transact(async (tx) => {
    await requireStill(tx, caller, { needs: 'account.close', nowMs })
    const found = await readOpen(tx, account)
    if (found.data.leaving) return [[], []] as const
    const ask = await look(tx, { kind, subject: account, account }, nowMs)
    const command = writeLeaving(tx, found, { nowMs })
    writeAudit(tx, { ...byCaller(caller), target: account, action: 'account.leaving' }, nowMs)
    return [[command], [ask()]] as const
  })
  await publishCommands(control, commands)
  await kick(control, jobs)
}

/** The same for an account whose only person deletes their sign-in. @returns what to do after the commit */
export async function lookToLeaveWith(
  tx: Transaction,
  found: Snapshot<AccountDoc>,
  { person, terms, nowMs }: { readonly person: string; readonly terms: Leaving; readonly nowMs: number },
) {
  const account = found.ref.id
  const ask = await look(tx, { kind, subject: account, account }, nowMs)
  return () => {
    const command = writeLeaving(tx, found, { nowMs, person, terms })
    const entry = { account, actor: person, from: '', target: account }
    writeAudit(tx, { ...entry, action: 'account.leaving' }, nowMs)
    return { command, job: ask() }
  }
}

/** Undoes it: everything is as before. @throws auth.scope, leaving.none, account.closed */
export async function keepAccount(control: AccountControl, caller: Caller): Promise<void> {
  const { account } = caller
  const nowMs = control.clock.now()
  const [command, jobs] = await control.store.transact(async (tx) => {
    await requireStill(tx, caller, { needs: 'account.close', nowMs })
    const found = await readOpen(tx, account)
    if (!found.data.leaving) throw fail('leaving.none')
    // Alone it would be left to nobody.
    if (found.data.leaving.with !== '')
      throw fail(
        'leaving.none',
        'This account goes with the sign-in of its owner: undo that deletion instead.',
      )
    const tell = await lookToTellTeam(tx, { event: 'kept', account, user: '' }, nowMs)
    const settle = await lookToKeep(tx, account, nowMs)
    const written = writeKept(tx, found, nowMs)
    writeAudit(tx, { ...byCaller(caller), target: account, action: 'account.kept' }, nowMs)
    return [written, [tell(), settle()]] as const
  })
  await publishCommands(control, [command])
  await kick(control, jobs)
}

function writeLeaving(
  tx: Transaction,
  found: Snapshot<AccountDoc>,
  {
    nowMs,
    person = '',
    terms = leavingFrom(nowMs),
  }: { readonly nowMs: number; readonly person?: string; readonly terms?: Leaving },
) {
  const { status } = found.data
  const was = status === 'suspended' ? 'suspended' : 'active'
  // Older releases know no other word that refuses calls and cuts tunnels.
  return writeStatus(tx, found, {
    status: 'suspended',
    leaving: { askedAt: terms.askedAt, dueAt: terms.dueAt, was, with: person },
    nowMs,
  })
}

/** Asks, after an undoing, that what the deletion had ended goes on; as `look` of jobs. */
export function lookToKeep(tx: Transaction, account: string, nowMs: number): Promise<() => string> {
  return look(tx, { kind, subject: account, account }, nowMs)
}

export function writeKept(tx: Transaction, found: Snapshot<AccountDoc>, nowMs: number) {
  return writeStatus(tx, found, { status: found.data.leaving?.was ?? 'active', leaving: undefined, nowMs })
}

/** @throws account.suspended only where an operator did it, account.closed, api.not_found */
async function readOpen(tx: Transaction, account: string): Promise<Snapshot<AccountDoc>> {
  const found = await tx.get(accounts.ref(account))
  if (!found) throw fail('api.not_found')
  if (found.data.status === 'closed') throw fail('account.closed')
  return found
}

const progressSchema = z.object({
  /** The request that this is progress of: a later one begins anew. */
  of: z.int().optional(),
  told: z.enum(['begun', 'soon']).optional(),
})

export function leaveAccounts(control: Control): JobKind {
  return { name: kind, attemptsMax: 100, waitsMs: graceMs, run: (job) => run(control, job) }
}

async function run(control: Control, job: RunningJob): Promise<void> {
  const { store, clock } = control
  const { account } = job
  const leaving = (await store.get(accounts.ref(account)))?.data.leaving
  if (!leaving) return askToFollowPayer(control, account)
  const nowMs = clock.now()
  const of = leaving.askedAt
  const before = progressSchema.parse(job.progress)
  const told = before.of === of ? before.told : undefined
  if (!told) {
    await askToFollowPayer(control, account)
    await tell(control, job, { of, told: 'begun' })
  }
  if (nowMs < remindAt(leaving, nowMs)) return job.pause({ of, told: 'begun' }, remindAt(leaving, nowMs))
  if (told !== 'soon') await tell(control, job, { of, told: 'soon' })
  if (nowMs < endOf(leaving, nowMs)) return job.pause({ of, told: 'soon' }, endOf(leaving, nowMs))
  if (await waitsForHold(control, job)) return
  await close(control, job, of)
}

async function tell(
  control: Control,
  job: RunningJob,
  progress: { readonly of: number; readonly told: 'begun' | 'soon' },
): Promise<void> {
  const { account } = job
  const event = progress.told === 'begun' ? 'leaving' : 'leaving-soon'
  const jobs: string[] = []
  await job.advance(progress, async (tx) => {
    const ask = await lookToTellTeam(tx, { event, account, user: '' }, control.clock.now())
    jobs.splice(0, 1, ask())
  })
  await kick(control, jobs)
}

/** Closes it, and has it erased at once: the time for changing one's mind is over. */
async function close(control: Control, job: RunningJob, of: number): Promise<void> {
  const { account } = job
  const nowMs = control.clock.now()
  const done: { commands: Parameters<typeof publishCommands>[1]; jobs: readonly string[] } = {
    commands: [],
    jobs: [],
  }
  await job.finish(async (tx) => {
    Object.assign(done, { commands: [], jobs: [] })
    const found = await tx.get(accounts.ref(account))
    // Undone, or asked for anew, a moment ago.
    if (!found || found.data.status === 'closed' || found.data.leaving?.askedAt !== of) return
    const asks = [
      await lookToTellTeam(tx, { event: 'left', account, user: '' }, nowMs),
      await look(tx, { kind: 'account.close', subject: account, account }, nowMs),
      await look(tx, { kind: 'account.erase', subject: account, account, dueAt: nowMs }, nowMs),
    ]
    const command = writeStatus(tx, found, { status: 'closed', leaving: found.data.leaving, nowMs })
    const entry = { account, actor: 'system', from: '', target: account, action: 'account.closed' } as const
    writeAudit(tx, entry, nowMs)
    Object.assign(done, { commands: [command], jobs: asks.map((ask) => ask()) })
  })
  await publishCommands(control, done.commands)
  await kick(control, done.jobs)
}
