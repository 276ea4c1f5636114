/**
 * Stops agents that may no longer serve: when a key is revoked, or a member is removed, disabled or given a role that
 * does not serve, a job ends the leases of their agents, and relays cut them within seconds. It judges by the state
 * when it runs, so it may run late, twice, or for nothing.
 */
import { permissionsOf } from '../api/schemas/access.ts'
import { roleOf } from './caller.ts'
import { queryAll } from './cells.ts'
import { makeCommand, writeCommand } from './commands.ts'
import type { Control } from './control.ts'
import { type EndpointDoc, keys, members } from './documents.ts'
import { type End, endLeases } from './ending.ts'
import { type JobKind, look, type RunningJob } from './jobs/jobs.ts'
import { leaveAll } from './lease-rules.ts'
import { leaveIfAlone } from './leaving/alone.ts'
import type { Snapshot, Transaction } from './platform.ts'
import { queries } from './query-table.ts'
import { lookToTake } from './quota.ts'
import { writeRelease } from './tunnels.ts'

/** Each is one document, besides the job and the quota. */
const keysAtOnce = 15

export type Unserved = {
  readonly account: string
  /** A key, or `<account>:<member>`. */
  readonly subject: string
}

export function memberOf(account: string, member: string): Unserved {
  return { account, subject: `${account}:${member}` }
}

/** Returns ids to kick after the commit. It reads, so call it before the first write. */
export function lookToUnserve(tx: Transaction, { account, subject }: Unserved, nowMs: number) {
  return look(tx, { kind: 'unserve', subject, account }, nowMs)
}

export function unserve(control: Control): JobKind {
  return { name: 'unserve', attemptsMax: 100, run: (job) => run(control, job) }
}

async function run(control: Control, job: RunningJob): Promise<void> {
  const { account, subject } = job
  const isMember = subject.startsWith(`${account}:`)
  const id = isMember ? subject.slice(account.length + 1) : ''
  if (isMember && !(await control.store.get(members.ref(subject)))) await leaveIfAlone(control, id)
  const gone = isMember ? await goneOf(control, job, id) : await goneKey(control, account, subject)
  if (gone.size === 0) return
  const where = { account, state: 'leased' }
  const leases = await queryAll(control.store, queries.leasesOfAccount, { where })
  const held = leases.filter(({ data }) => holdersBy(data, gone).length > 0)
  const end = (tx: Transaction, lease: Snapshot<EndpointDoc>) =>
    endPart(tx, lease, { gone, nowMs: control.clock.now() })
  await endLeases(control, job, { leases: held, end })
}

/** The key, if it is revoked. */
async function goneKey({ store }: Control, account: string, key: string): Promise<ReadonlySet<string>> {
  const { items } = await store.query(queries.keyById, { where: { account, key }, limit: 1 })
  return new Set(items[0]?.data.revokedAt === 0 ? [] : [key])
}

/**
 * The member and their keys if they may not serve, or else keys made before the member's keys count. Those keys are
 * revoked. Keys that an earlier try revoked are among them: it may have died before it ended the leases.
 */
async function goneOf(control: Control, job: RunningJob, id: string): Promise<ReadonlySet<string>> {
  const { store } = control
  const { account } = job
  const member = await store.get(members.ref(`${account}:${id}`))
  const since = member ? (member.data.keysSince ?? 0) : Number.POSITIVE_INFINITY
  const mayServe = member && permissionsOf(roleOf(member.data)).has('tunnels.serve')
  const isOut = !mayServe || member.data.status === 'disabled'
  if (!isOut && since === 0) return new Set()
  const all = await queryAll(store, queries.allKeysOfAccount, { where: { account } })
  const own = all.filter(({ data }) => data.user === id)
  const early = own.filter(({ data }) => data.createdAt < since)
  const valid = early.filter(({ data }) => data.revokedAt === 0)
  for (let start = 0; start < valid.length; start += keysAtOnce)
    await revokeKeys(
      control,
      job,
      valid.slice(start, start + keysAtOnce).map(({ ref }) => ref.id),
    )
  return new Set([id, ...(isOut ? own : early).map(({ data }) => data.key)])
}

async function revokeKeys({ clock }: Control, job: RunningJob, ids: readonly string[]): Promise<void> {
  await job.advance(job.progress, async (tx) => {
    const found = await Promise.all(ids.map((id) => tx.get(keys.ref(id))))
    const take = await lookToTake(tx, job.account)
    const valid = found.flatMap((key) => (key?.data.revokedAt === 0 ? [key] : []))
    for (const { ref, data } of valid) tx.set(ref, { ...data, revokedAt: clock.now() })
    take({ keys: -valid.length })
  })
}

function holdersBy({ holders = {} }: EndpointDoc, gone: ReadonlySet<string>): readonly string[] {
  return Object.entries(holders).flatMap(([agent, { key }]) =>
    key !== undefined && gone.has(key) ? [agent] : [],
  )
}

/** Ends the part of those agents. Others that share the lease claim again, since its tickets end for all. */
function endPart(
  tx: Transaction,
  lease: Snapshot<EndpointDoc>,
  { gone, nowMs }: { gone: ReadonlySet<string>; nowMs: number },
): End {
  const agents = holdersBy(lease.data, gone)
  if (agents.length === 0) return { ended: 0, commands: [] }
  const left = leaveAll(lease.data, agents, nowMs)
  if (!left) return { ended: 1, commands: writeRelease(tx, lease, { nowMs, forget: false }) }
  tx.set(lease.ref, left)
  const body = { kind: 'revoke', endpoint: lease.ref.id, epoch: left.epoch, reason: 'moved' } as const
  const command = makeCommand(left.cell, body, nowMs)
  writeCommand(tx, command)
  return { ended: 0, commands: [command] }
}
