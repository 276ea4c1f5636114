/**
 * Deletes unused tunnels that the service named: each new machine without its own name gets one, so CI would fill every
 * plan. After a month their addresses are not kept either. Where an account has no room for another tunnel, the one
 * unused longest goes at once.
 */
import { publishCommands } from './commands.ts'
import type { Control } from './control.ts'
import { endpoints, type TunnelDoc, tunnels } from './documents.ts'
import type { JobKind, RunningJob } from './jobs/jobs.ts'
import { keepMs } from './lease-rules.ts'
import type { Page, QueryOptions, Snapshot } from './platform.ts'
import { queries } from './query-table.ts'
import { lookToTake } from './quota.ts'
import { isAccountHeld } from './retention/held.ts'
import { writeDeletion } from './tunnels.ts'

const pageSize = 50
const dayMs = 24 * 3_600_000

/** Deletes a generated tunnel of the account that nobody holds. @returns whether there was one */
export async function makeTunnelRoom(control: Control, account: string): Promise<boolean> {
  let after: QueryOptions['after']
  do {
    const where = { account, generated: true }
    const options = { where, limit: pageSize, ...(after && { after }) }
    const page: Page<TunnelDoc> = await control.store.query(queries.generatedOfAccount, options)
    for (const tunnel of page.items) if (await collect(control, tunnel, control.clock.now())) return true
    after = page.next
  } while (after)
  return false
}

/** Runs once a day over all accounts. */
export function collectTunnels(control: Control): JobKind {
  const run = (job: RunningJob) => collectAll(control, job)
  return { name: 'tunnels.collect', attemptsMax: Number.MAX_SAFE_INTEGER, everyMs: dayMs, run }
}

async function collectAll(control: Control, job: RunningJob): Promise<void> {
  const to = control.clock.now() - keepMs
  let after: QueryOptions['after']
  do {
    const options = { where: { generated: true }, to, limit: pageSize, ...(after && { after }) }
    const page: Page<TunnelDoc> = await control.store.query(queries.generatedAnywhere, options)
    for (const tunnel of page.items) await collect(control, tunnel, to)
    after = page.next
    if (after) await job.advance({})
    job.signal.throwIfAborted()
  } while (after)
}

/** Deletes it unless somebody holds it, or has held it since. @returns whether it is gone */
async function collect(control: Control, { ref }: Snapshot<TunnelDoc>, since: number): Promise<boolean> {
  const nowMs = control.clock.now()
  const outgoing = await control.store.transact(async (tx) => {
    const before = await tx.get(tunnels.ref(ref.id))
    if (!before?.data.generated || before.data.updatedAt > since || before.data.takenDown) return undefined
    // Somebody gave it a name, so they want to keep it.
    if ((before.data.names ?? []).length > 0 || before.data.wish !== undefined) return undefined
    const { account, endpoint: id } = before.data
    const endpoint = id === '' ? undefined : await tx.get(endpoints.ref(id))
    if (await isAccountHeld(tx, account, nowMs)) return undefined
    const isOwn = endpoint?.data.tunnel === ref.id
    if (isOwn && (endpoint.data.state === 'leased' || endpoint.data.releasedAt > since)) return undefined
    const take = await lookToTake(tx, account)
    const entry = { account, actor: 'system', from: '', target: ref.id }
    return writeDeletion(tx, entry, { before, endpoint, take, nowMs })
  })
  await publishCommands(control, outgoing ?? [])
  return outgoing !== undefined
}
