/**
 * Ends what is left of a closed account, step by step: it revokes the keys, puts the names to rest, and gives back
 * reservations and addresses.
 */
import { queryAll } from './cells.ts'
import type { Control } from './control.ts'
import { endpoints, keys } from './documents.ts'
import { removeAllDomains } from './domains/domains.ts'
import { endLeases } from './ending.ts'
import type { JobKind, RunningJob } from './jobs/jobs.ts'
import { isReserved } from './lease-rules.ts'
import { endPaying } from './money/ending-customers.ts'
import { queries } from './query-table.ts'
import { online, quotas } from './quota-documents.ts'
import { giveUp, restMsOf } from './reservation-rules.ts'
import { lookToWithdraw } from './reservations.ts'
import { removeAllNames } from './tunnel-names.ts'
import { writeRelease } from './tunnels.ts'

/** A transaction's documents are limited: the job, and these. */
const keysAtOnce = 15

export function closeAccounts(control: Control): JobKind {
  return { name: 'account.close', attemptsMax: 12, run: (job) => close(control, job) }
}

async function close(control: Control, job: RunningJob): Promise<void> {
  const { account } = job
  while (await revokeSome(control, job)) job.signal.throwIfAborted()
  await removeAllDomains(control, account, async () => {
    await job.advance(job.progress)
    job.signal.throwIfAborted()
  })
  await restNames(control, job)
  await giveUpAll(control, job)
  const where = { account, state: 'leased' }
  await endLeases(control, job, {
    leases: await queryAll(control.store, queries.leasesOfAccount, { where }),
    end: (tx, lease) => {
      const nowMs = control.clock.now()
      return { ended: 1, commands: writeRelease(tx, lease, { nowMs, forget: true }) }
    },
  })
  // After its tunnels: what they carried is charged, and an outage of the payment service keeps nothing open.
  await endPaying(control, account, job.signal)
  await job.finish(async (tx) => {
    for (const ref of [quotas.ref(account), online.ref(account)]) tx.delete(ref)
  })
}

/** A tunnel that stays bound would keep its names for ever, because nobody deletes it. */
async function restNames(control: Control, job: RunningJob): Promise<void> {
  const by = { account: job.account, actor: 'system', from: '' }
  const where = { account: job.account }
  for (const { ref, data } of await queryAll(control.store, queries.tunnelsOfAccount, { where })) {
    if ((data.names ?? []).length === 0) continue
    await removeAllNames(control, by, ref.id)
    await job.advance(job.progress)
    job.signal.throwIfAborted()
  }
}

/** Before its leases end, so that nobody has to wait for what it kept. */
async function giveUpAll(control: Control, job: RunningJob): Promise<void> {
  const { store, clock } = control
  for (const kind of ['host', 'tcp'] as const)
    for (const { ref } of await queryAll(store, queries.reservedOfAccount, {
      where: { account: job.account, kind },
    })) {
      await job.advance(job.progress, async (tx) => {
        const nowMs = clock.now()
        const found = await tx.get(endpoints.ref(ref.id))
        if (!found || !isReserved(found.data) || found.data.account !== job.account) return
        const withdraw = await lookToWithdraw(tx, found.data)
        tx.set(found.ref, giveUp(found.data, restMsOf(found.data, nowMs), nowMs))
        withdraw(nowMs)
      })
      job.signal.throwIfAborted()
    }
}

/** @returns whether there were any keys */
async function revokeSome({ store, clock }: Control, job: RunningJob): Promise<boolean> {
  const where = { account: job.account, revokedAt: 0 }
  const { items } = await store.query(queries.keysOfAccount, { where, limit: keysAtOnce })
  if (items.length === 0) return false
  await job.advance(job.progress, async (tx) => {
    for (const { ref } of items) tx.update(keys.ref(ref.id), { revokedAt: clock.now() })
  })
  return true
}
