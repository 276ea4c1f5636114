/**
 * Legal holds. What is held is not erased: an erasure that is asked for waits and says so to operators. It does not
 * expire either: a job moves the `ttl` of its documents a hundred years on, and back when the hold ends, so nothing
 * has to remember what it was. What people change or delete themselves while it lasts is not kept.
 */
import { fail } from '../../base/errors.ts'
import { queryAll } from '../cells.ts'
import type { Control } from '../control.ts'
import { accounts, users } from '../documents.ts'
import { type JobKind, look, type RunningJob } from '../jobs/jobs.ts'
import { kick } from '../jobs/kick.ts'
import { type By, writeAct } from '../operator/act.ts'
import { partsOfAccounts } from '../own-data/of-accounts.ts'
import { partsOfPeople } from '../own-data/of-people.ts'
import type { Snapshot } from '../platform.ts'
import { membersMax, queries } from '../query-table.ts'
import { holdMsMax, isOn } from './held.ts'
import { type HoldDoc, holds } from './retention-documents.ts'
import { terms } from './terms.ts'

const dayMs = 24 * 3_600_000
/** A hundred years: no other `ttl` is half as far ahead. */
export const heldShiftMs = 36_525 * dayMs
/** How often an erasure looks whether the hold has ended. */
const lookMs = 3_600_000
/** After so many documents the job renews its lease. */
const stepDocuments = 200
const kind = 'holds.keep'

/** Sets one, or changes reason and end of the one that there is. @throws operator.missing, operator.input */
export async function setHold(
  control: Control,
  by: By,
  { about, reason, until }: { readonly about: string; readonly reason: string; readonly until: number },
): Promise<void> {
  const nowMs = control.clock.now()
  if (until <= nowMs || until > nowMs + holdMsMax)
    throw fail('operator.input', 'A hold ends later than now, and within ten years.')
  const jobs = await control.store.transact(async (tx) => {
    const subject = await (about.startsWith('acc_') ? tx.get(accounts.ref(about)) : tx.get(users.ref(about)))
    if (!subject) throw fail('operator.missing', `There is no "${about}".`)
    const before = (await tx.get(holds.ref(about)))?.data
    const ask = await look(tx, { kind, subject: 'all', account: '' }, nowMs)
    const { since = nowMs, waitsSince = 0 } = before ?? {}
    tx.set(holds.ref(about), { reason, by: by.actor, since, until, waitsSince })
    const details = { until: new Date(until).toISOString() }
    writeAct(tx, { ...by, reason }, { action: 'hold.set', target: about, details }, nowMs)
    return [ask()]
  })
  await kick(control, jobs)
}

/** Ends one now: what waited for it goes on within an hour. @throws operator.missing */
export async function releaseHold(control: Control, by: By, about: string): Promise<void> {
  const nowMs = control.clock.now()
  const jobs = await control.store.transact(async (tx) => {
    const found = await tx.get(holds.ref(about))
    if (!found) throw fail('operator.missing', `"${about}" is not on hold.`)
    const ask = await look(tx, { kind, subject: 'all', account: '' }, nowMs)
    tx.update(found.ref, { until: Math.min(found.data.until, nowMs) })
    writeAct(tx, by, { action: 'hold.released', target: about }, nowMs)
    return [ask()]
  })
  await kick(control, jobs)
}

/** The newest first. */
export async function listHolds({ store, clock }: Pick<Control, 'store' | 'clock'>) {
  const found = await queryAll(store, queries.holdsByTime, { where: {} })
  return found
    .map(({ ref, data: { reason, by, since, until, waitsSince } }) => ({
      about: ref.id,
      state: isOn({ reason, by, since, until, waitsSince }, clock.now())
        ? ('on' as const)
        : ('ending' as const),
      reason,
      by,
      since,
      until,
      ...(waitsSince > 0 && { erasureWaitsAt: waitsSince }),
    }))
    .toReversed()
}

/** @returns whether it is on hold; the hold then says that an erasure waits */
async function isHeld({ store, clock, log }: Control, abouts: readonly string[]): Promise<boolean> {
  const nowMs = clock.now()
  const found = await store.getAll(abouts.map((about) => holds.ref(about)))
  const on = found.find((one) => one && isOn(one.data, nowMs))
  if (!on) return false
  if (on.data.waitsSince === 0) {
    await store.change(on.ref, (now) => (now?.waitsSince === 0 ? { ...now, waitsSince: nowMs } : 'keep'))
    log.warn({ about: on.ref.id, until: on.data.until }, 'an erasure waits for the end of a legal hold')
  }
  return true
}

/** Lets a job that erases an account wait, while that or one of its people is held. @returns whether it does */
export async function waitsForHold(control: Control, job: RunningJob): Promise<boolean> {
  const { account } = job
  const { items } = await control.store.query(queries.membersOfAccount, {
    where: { account },
    limit: membersMax,
  })
  return pauseIfHeld(control, job, [account, ...items.map(({ data }) => data.user)])
}

/** The same for a person, and the accounts that they are in. */
export async function personWaitsForHold(control: Control, job: RunningJob): Promise<boolean> {
  const user = job.subject
  const { items } = await control.store.query(queries.membersOfUser, { where: { user }, limit: membersMax })
  return pauseIfHeld(control, job, [user, ...items.map(({ data }) => data.account)])
}

async function pauseIfHeld(control: Control, job: RunningJob, abouts: readonly string[]): Promise<boolean> {
  if (!(await isHeld(control, abouts))) return false
  await job.pause(job.progress, control.clock.now() + lookMs)
  return true
}

/** Once a day, and after every change: the shortest time that anything held is kept is a week. */
export function keepHolds(control: Control): JobKind {
  const run = (job: RunningJob) => keep(control, job)
  return { name: kind, attemptsMax: Number.MAX_SAFE_INTEGER, everyMs: dayMs, run }
}

async function keep(control: Control, job: RunningJob): Promise<void> {
  for (const hold of await queryAll(control.store, queries.holdsByTime, { where: {} })) {
    const isNowOn = isOn(hold.data, control.clock.now())
    await shiftAll(control, job, { about: hold.ref.id, isNowOn })
    if (!isNowOn) await end(control, job, hold)
  }
}

async function end(control: Control, job: RunningJob, { ref }: Snapshot<HoldDoc>): Promise<void> {
  const nowMs = control.clock.now()
  await job.advance({}, async (tx) => {
    const latest = await tx.get(holds.ref(ref.id))
    // Set anew meanwhile: the job was asked for again.
    if (!latest || isOn(latest.data, nowMs)) return
    tx.delete(latest.ref)
    const by = { actor: 'operator:system', from: '' } as const
    writeAct(tx, by, { action: 'hold.ended', target: ref.id }, nowMs)
  })
}

async function shiftAll(
  control: Control,
  job: RunningJob,
  { about, isNowOn }: { readonly about: string; readonly isNowOn: boolean },
): Promise<void> {
  const { store, clock } = control
  const isAccount = about.startsWith('acc_')
  const email = isAccount ? '' : ((await store.get(users.ref(about)))?.data.email ?? '')
  let seen = 0
  for (const { name, found } of isAccount ? partsOfAccounts : partsOfPeople) {
    if (terms[name]?.isHeld !== true || terms[name].endsBy !== 'ttl') continue
    for await (const { ref, data } of found(control, { id: about, email })) {
      job.signal.throwIfAborted()
      const ttl = data.ttl instanceof Date ? shifted(data.ttl, isNowOn, clock.now()) : undefined
      if (ttl) await store.change(ref, (now) => (now?.ttl instanceof Date ? { ...now, ttl } : 'keep'))
      if (++seen % stepDocuments === 0) await job.advance({})
    }
  }
}

/** @returns undefined where it is as it should be */
function shifted(ttl: Date, isNowOn: boolean, nowMs: number): Date | undefined {
  const isShifted = ttl.getTime() > nowMs + heldShiftMs / 2
  if (isShifted === isNowOn) return undefined
  return new Date(ttl.getTime() + (isNowOn ? heldShiftMs : -heldShiftMs))
}
