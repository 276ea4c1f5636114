/**
 * An operator decides a case: dismiss it, warn the owners, take the tunnel down, or suspend the account. Who reported
 * it and left an address gets one mail, and the address goes with it.
 */
import type { Decision } from '../../api/schemas/report-words.ts'
import { fail } from '../../base/errors.ts'
import type { Control } from '../control.ts'
import { accounts, tunnels } from '../documents.ts'
import { type JobKind, look, type RunningJob } from '../jobs/jobs.ts'
import { kick } from '../jobs/kick.ts'
import { leaveMails } from '../mail/sending.ts'
import { setStatus } from '../operator/accounts.ts'
import { writeAct } from '../operator/act.ts'
import { type AbuseCaseDoc, abuseCases } from './abuse-documents.ts'
import { lookToWriteToOwners } from './letters.ts'
import { type Because, takeDown } from './takedown.ts'

/** Later, nobody waits for the answer any more. */
const usefulMs = 7 * 24 * 3_600_000

/**
 * First it is done, then the case is closed: a process that dies in between leaves it open, and deciding it again
 * changes nothing that was done.
 * @throws operator.missing, report.decided
 */
export async function decideCase(
  control: Control,
  by: Because,
  { id, decision }: { readonly id: string; readonly decision: Decision },
): Promise<void> {
  const found = await control.store.get(abuseCases.ref(id))
  if (!found) throw fail('operator.missing', `There is no report "${id}".`)
  if (found.data.state !== 'open') throw fail('report.decided')
  if (decision === 'taken_down') await takeDownOnce(control, by, found.data)
  if (decision === 'suspended') await suspendOnce(control, by, found.data)
  const nowMs = control.clock.now()
  const asked = await control.store.transact(async (tx) => {
    const latest = await tx.get(found.ref)
    if (latest?.data.state !== 'open') throw fail('report.decided')
    const { account, tunnel, address } = latest.data
    const named = decision === 'warned' ? await tx.get(tunnels.ref(tunnel || 'none')) : undefined
    if (decision === 'warned' && !named) throw fail('operator.missing', 'The tunnel is not there any more.')
    const news = named && {
      account,
      tunnel,
      name: named.data.name,
      reason: by.reason,
      news: 'warned' as const,
    }
    const warn = news && (await lookToWriteToOwners(tx, news, nowMs))
    const wish = { kind: 'abuse.answer', subject: id, account: '' }
    const answer = latest.data.reports.some(({ email }) => email !== '') && (await look(tx, wish, nowMs))
    const decided = { decidedBy: by.actor, decidedAt: nowMs, reason: by.reason }
    tx.set(latest.ref, { ...latest.data, state: decision, ...decided })
    const details = { decision, address }
    writeAct(tx, by, { account, action: 'report.decided', target: id, details }, nowMs)
    return [...(warn ? [warn()] : []), ...(answer ? [answer()] : [])]
  })
  await kick(control, asked)
}

async function takeDownOnce(control: Control, by: Because, { tunnel }: AbuseCaseDoc): Promise<void> {
  const found = tunnel === '' ? undefined : await control.store.get(tunnels.ref(tunnel))
  if (!found) throw fail('operator.missing', 'The tunnel is not there any more.')
  if (!found.data.takenDown) await takeDown(control, by, tunnel)
}

async function suspendOnce(control: Control, by: Because, { account }: AbuseCaseDoc): Promise<void> {
  const found = account === '' ? undefined : await control.store.get(accounts.ref(account))
  if (!found) throw fail('operator.missing', 'Nobody had the address when it was reported.')
  if (found.data.status === 'active') await setStatus(control, account, 'suspended', by)
}

export function answerReports(control: Control): JobKind {
  return { name: 'abuse.answer', attemptsMax: 12, run: (job) => answer(control, job) }
}

async function answer(control: Control, job: RunningJob): Promise<void> {
  const { store, clock } = control
  const found = await store.get(abuseCases.ref(job.subject))
  if (!found || found.data.state === 'open') return
  const { address, reports, state } = found.data
  const outcome = state === 'dismissed' ? 'dismissed' : 'acted'
  const to = [...new Set(reports.flatMap(({ email }) => (email === '' ? [] : [email])))]
  const letters = to.map(
    (one) => ({ to: one, template: 'report-answer', data: { address, outcome } }) as const,
  )
  await leaveMails(control, job, { letters, until: clock.now() + usefulMs })
  await store.change(found.ref, (now) =>
    now ? { ...now, reports: now.reports.map((report) => ({ ...report, email: '' })) } : 'keep',
  )
}
