/** What is left of an account when it is closed: its keys are revoked and its addresses given back, step by step. */
import { z } from 'zod'
import { publishCommands } from './commands.ts'
import type { Control } from './control.ts'
import { endpoints, keys, online } from './documents.ts'
import type { JobKind, RunningJob } from './jobs/jobs.ts'
import type { Transaction } from './platform.ts'
import { queries } from './query-table.ts'
import { writeRelease } from './tunnels.ts'

/** A transaction holds 20 documents: the job, these, and a command for each address. */
const keysAtOnce = 15
const addressesAtOnce = 8
const progressSchema = z.object({ revoked: z.int().default(0), released: z.int().default(0) })

export function closeAccounts(control: Control): JobKind {
  return { name: 'account.close', attemptsMax: 12, run: (job) => close(control, job) }
}

async function close(control: Control, job: RunningJob): Promise<void> {
  let { revoked, released } = progressSchema.parse(job.progress)
  for (let count = -1; count !== 0; revoked += count) {
    count = await revokeSome(control, job, { revoked, released })
    job.signal.throwIfAborted()
  }
  for (let count = -1; count !== 0; released += count) {
    count = await releaseSome(control, job, { revoked, released })
    job.signal.throwIfAborted()
  }
  await job.finish(async (tx) => tx.delete(online.ref(job.account)))
}

type Progress = z.infer<typeof progressSchema>

async function revokeSome({ store, clock }: Control, job: RunningJob, done: Progress): Promise<number> {
  const where = { account: job.account, revokedAt: 0 }
  const { items } = await store.query(queries.keysOfAccount, { where, limit: keysAtOnce })
  if (items.length === 0) return 0
  await job.advance({ ...done, revoked: done.revoked + items.length }, async (tx) => {
    for (const { ref } of items) tx.update(keys.ref(ref.id), { revokedAt: clock.now() })
  })
  return items.length
}

async function releaseSome(control: Control, job: RunningJob, done: Progress): Promise<number> {
  const { store, clock } = control
  const quota = await store.get(online.ref(job.account))
  const some = Object.entries(quota?.data.tunnels ?? {}).slice(0, addressesAtOnce)
  if (some.length === 0) return 0
  let outgoing: ReturnType<typeof writeRelease> = []
  await job.advance({ ...done, released: done.released + some.length }, async (tx) => {
    outgoing = await release(tx, job.account, { some, nowMs: clock.now() })
  })
  await publishCommands(control, outgoing)
  return some.length
}

async function release(
  tx: Transaction,
  account: string,
  {
    some,
    nowMs,
  }: { readonly some: readonly (readonly [string, { readonly endpoint: string }])[]; readonly nowMs: number },
): Promise<ReturnType<typeof writeRelease>> {
  const latest = await tx.get(online.ref(account))
  const held = await Promise.all(some.map(([, { endpoint }]) => tx.get(endpoints.ref(endpoint))))
  const gone = new Set(some.map(([tunnel]) => tunnel))
  const rest = Object.entries(latest?.data.tunnels ?? {}).filter(([tunnel]) => !gone.has(tunnel))
  if (latest) tx.set(latest.ref, { ...latest.data, tunnels: Object.fromEntries(rest) })
  return some.flatMap(([tunnel], index) => {
    const endpoint = held[index]
    return endpoint?.data.tunnel === tunnel ? writeRelease(tx, endpoint, { nowMs, forget: true }) : []
  })
}
