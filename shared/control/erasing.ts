/**
 * Erases what a closed account had, a month after it was closed: tunnels with their names, keys, members, and its audit
 * log, whose seals stay. The data that bookkeeping needs stays, and so does the account's id with its plan. Every part
 * runs in steps that can be repeated; an account that was opened again in between keeps everything.
 */
import { z } from 'zod'
import { eraseAfterMs } from './accounts.ts'
import { rulesRef } from './alerts/alert-documents.ts'
import { writeAudit } from './audit.ts'
import type { Control } from './control.ts'
import { type AccountDoc, accounts, deletedTunnels, type TunnelDoc, tunnelNames } from './documents.ts'
import { eraseMembers } from './erasing-people.ts'
import { type JobKind, jobRef, look, type RunningJob } from './jobs/jobs.ts'
import { eraseNotes } from './operator/desk.ts'
import type { Doc, Page, Query, QueryOptions, Snapshot, Transaction } from './platform.ts'
import { queries } from './query-table.ts'
import { lookToCountGone } from './retention/gone.ts'
import { waitsForHold } from './retention/holds.ts'
import { tombstoneOf } from './tombstones.ts'

/** A transaction's documents are limited: the job, and three for each tunnel. */
const tunnelsAtOnce = 6
const othersAtOnce = 15
/** Not in the job's transaction: deleting them again changes nothing. */
const entriesAtOnce = 400
/** Entries are sealed within a minute or two, and erased then: an unsealed one would leave no leaf. */
const sealWaitMs = 2 * 60_000
const closingWaitMs = 60_000

const progressSchema = z.object({ erased: z.int().default(0) })
/** Older releases closed accounts without asking for erasure; this finds them within a week, at one read each. */
const findClosedMs = 7 * 24 * 3_600_000
const pageSize = 100

export function findClosedAccounts(control: Control): JobKind {
  const run = (job: RunningJob) => findClosed(control, job)
  return { name: 'accounts.closed', attemptsMax: Number.MAX_SAFE_INTEGER, everyMs: findClosedMs, run }
}

async function findClosed({ store, clock }: Control, job: RunningJob): Promise<void> {
  let after: QueryOptions['after']
  do {
    const options = { where: { status: 'closed' }, limit: pageSize, ...(after && { after }) }
    const page: Page<AccountDoc> = await store.query(queries.accountsByStatus, options)
    for (const { ref, data } of page.items) {
      job.signal.throwIfAborted()
      // Erased accounts have no name.
      if (data.name === '' || (await store.get(jobRef('account.erase', ref.id)))) continue
      const dueAt = (data.closedAt ?? clock.now()) + eraseAfterMs
      const wish = { kind: 'account.erase', subject: ref.id, account: ref.id, dueAt }
      await store.transact(async (tx) => (await look(tx, wish, clock.now()))())
    }
    after = page.next
    if (after) await job.advance({})
  } while (after)
}

export function eraseAccounts(control: Control): JobKind {
  return { name: 'account.erase', waitsMs: eraseAfterMs, attemptsMax: 12, run: (job) => erase(control, job) }
}

async function erase(control: Control, job: RunningJob): Promise<void> {
  const { store, clock } = control
  const account = await store.get(accounts.ref(job.account))
  if (account?.data.status !== 'closed') return
  if (await store.get(jobRef('account.close', job.account)))
    return job.pause(job.progress, clock.now() + closingWaitMs)
  if (await waitsForHold(control, job)) return
  const nowMs = clock.now()
  await eraseAll(control, job, {
    query: queries.tunnelsOfAccount,
    limit: tunnelsAtOnce,
    erase: (tx, tunnel) => eraseTunnel(tx, tunnel, nowMs),
  })
  const plain = { limit: othersAtOnce, erase: (tx: Transaction, { ref }: Snapshot) => tx.delete(ref) }
  await eraseAll(control, job, { query: queries.allKeysOfAccount, ...plain })
  await eraseAll(control, job, { query: queries.certificatesOfAccount, ...plain })
  await eraseAll(control, job, { query: queries.connectionsOfAccount, ...plain })
  await eraseAll(control, job, { query: queries.feedbackOfAccount, ...plain })
  await eraseAll(control, job, { query: queries.abuseOfAccount, ...plain })
  await eraseAll(control, job, { query: queries.alertsOfAccount, ...plain })
  await eraseAll(control, job, { query: queries.webhooksOfAccount, ...plain })
  await eraseAll(control, job, { query: queries.deliveriesOfAccount, ...plain })
  await store.delete(rulesRef(job.account))
  await eraseAll(control, job, { query: queries.invitationsOfAccount, ...plain })
  // The last mail to its people needs their addresses.
  const mail = await store.get(jobRef('team.mail', `left:${job.account}:`))
  if (mail?.data.state === 'live') return job.pause(job.progress, clock.now() + closingWaitMs)
  await eraseNotes(control, job.account)
  await eraseMembers(control, job)
  if (!(await eraseAudit(control, job))) return job.pause(job.progress, clock.now() + sealWaitMs)
  await job.finish(async (tx) => {
    const latest = await tx.get(account.ref)
    if (latest) tx.set(latest.ref, rest(latest.data))
    const entry = { account: '', actor: 'system', from: '', target: job.account } as const
    writeAudit(tx, { ...entry, action: 'account.erased' }, clock.now())
  })
}

/** What bookkeeping needs: the id, the plan and the times. */
function rest({ leaving: _, ...account }: AccountDoc): AccountDoc {
  return { ...account, name: '' }
}

type Part<T extends Doc> = {
  /** Selects documents of one account, and nothing else. */
  readonly query: Query<T>
  readonly limit: number
  readonly erase: (tx: Transaction, found: Snapshot<T>) => void
}

async function eraseAll<T extends Doc>(
  { store, clock }: Control,
  job: RunningJob,
  { query, limit, erase: eraseOne }: Part<T>,
): Promise<void> {
  for (;;) {
    job.signal.throwIfAborted()
    const { items } = await store.query(query, { where: { account: job.account }, limit })
    if (items.length === 0) return
    const { erased } = progressSchema.parse(job.progress)
    await job.advance({ erased: erased + items.length }, async (tx) => {
      const count = await lookToCountGone(tx, clock.now())
      for (const found of items) eraseOne(tx, found)
      count({ [query.collection]: items.length })
    })
  }
}

function eraseTunnel(tx: Transaction, { ref, data }: Snapshot<TunnelDoc>, nowMs: number): void {
  const { account, name } = data
  tx.delete(ref)
  tx.delete(tunnelNames.ref(`${account}:${name}`))
  tx.set(deletedTunnels.ref(ref.id), tombstoneOf(data, nowMs))
}

/** @returns false while the rest is not sealed yet */
async function eraseAudit({ store, clock }: Control, job: RunningJob): Promise<boolean> {
  for (;;) {
    job.signal.throwIfAborted()
    const where = { account: job.account }
    const { items } = await store.query(queries.auditOfAccount, { where, limit: entriesAtOnce })
    if (items.length === 0) return true
    const sealed = items.filter(({ data }) => data.seal > 0)
    if (sealed.length === 0) return false
    await store.batch(sealed.map(({ ref }) => ({ op: 'delete', ref })))
    const { erased } = progressSchema.parse(job.progress)
    await job.advance({ erased: erased + sealed.length }, async (tx) => {
      const count = await lookToCountGone(tx, clock.now())
      count({ audit: sealed.length })
    })
  }
}
