/** Tunnels: their account makes, lists, edits and deletes them. Names are unique in an account (`tunnelNames`). */

import type { z } from 'zod'
import type { Tunnel, tunnelUpdateSchema } from '../api/schemas/tunnels.ts'
import { fail, isFailure } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import type { AgentMode, Policy, TunnelKind } from '../protocol/endpoint.ts'
import type { WrittenEdits } from '../protocol/http-edits.ts'
import { limits } from '../protocol/limits.ts'
import { requireNotTakenDown } from './abuse/taken-down.ts'
import { type AuditEntry, byCaller, writeAudit } from './audit.ts'
import { type Caller, mayTouch } from './caller.ts'
import { type Cell, describeEndpoint, readyRelays } from './cells.ts'
import { noTunnelRoom } from './claim-refusals.ts'
import { makeCommand, type Outgoing, publishCommands, writeCommand } from './commands.ts'
import type { AccountControl } from './control.ts'
import { withCounts } from './counting.ts'
import { checkNewName } from './deny-lists.ts'
import { writeDisbanding } from './disbanding.ts'
import {
  deletedTunnels,
  type EndpointDoc,
  endpoints,
  type TunnelDoc,
  tunnelNames,
  tunnels,
} from './documents.ts'
import { type Ending, release } from './lease-rules.ts'
import type { Page, QueryOptions, Snapshot, Transaction } from './platform.ts'
import { checkedEdits, checkedPolicy, type LoosePolicy, policyCommand } from './policies.ts'
import { queries } from './query-table.ts'
import { doubtQuota, lookToTake, type QuotaChange, readQuota, writeQuota } from './quota.ts'
import { tombstoneOf } from './tombstones.ts'
import { removeAllNames } from './tunnel-names.ts'
import { judgeTunnel, lastServed } from './tunnel-state.ts'

/** As zod returns it: absent fields may be present as undefined, which no store takes. */
export type NewTunnel = {
  readonly name: string
  readonly kind: TunnelKind
  /** Default: one. */
  readonly agents?: AgentMode
  readonly policy: LoosePolicy
  readonly edits?: WrittenEdits | undefined
  readonly tags?: readonly string[] | undefined
  readonly generated?: boolean
  readonly request?: string
}
/** Called in the transaction of the change, to write what must commit with it. */
export type AlsoWrite = (tx: Transaction, tunnel: Snapshot<TunnelDoc>) => void

/** @throws tunnel.name_taken, quota.defined, endpoint.name_denied, policy.needs_http */
export async function createTunnel(
  control: AccountControl,
  caller: Caller,
  input: NewTunnel,
  alsoWrite?: AlsoWrite,
): Promise<Snapshot<TunnelDoc>> {
  const { account } = caller
  const nowMs = control.clock.now()
  const fresh = draftTunnel(caller, input, nowMs)
  try {
    await withCounts(control, () =>
      control.store.transact(async (tx) => {
        const taken = await tx.get(tunnelNames.ref(`${account}:${input.name}`))
        if (taken) throw fail('tunnel.name_taken', `A tunnel named "${input.name}" exists.`)
        const quota = await readQuota(tx, account)
        if (quota.data.tunnels >= caller.limits.tunnelsDefined) throw noTunnelRoom(caller)
        writeTunnel(tx, caller, fresh, nowMs)
        writeQuota(tx, quota, { tunnels: 1 })
        alsoWrite?.(tx, fresh)
      }),
    )
  } catch (error) {
    if (isFailure(error, 'quota.defined')) await doubtQuota(control, account)
    throw error
  }
  return fresh
}

/** A tunnel that does not exist yet. @throws auth.scope, endpoint.name_denied, name.* */
export function draftTunnel(caller: Caller, input: NewTunnel, nowMs: number): Snapshot<TunnelDoc> {
  if (!mayTouch(caller, input.name))
    throw fail('auth.scope', `This key is bound to other tunnels than "${input.name}".`)
  if (input.kind !== 'tcp') checkNewName(input.name)
  const ref = tunnels.ref(newId('tun', nowMs))
  return { ref, data: newTunnel(caller.account, input, nowMs), version: '' }
}

/** Writes its name, itself and the audit entry. The caller has read that the name is free. */
export function writeTunnel(
  tx: Transaction,
  caller: Caller,
  { ref, data }: Snapshot<TunnelDoc>,
  nowMs: number,
): void {
  const { account, name } = data
  tx.create(tunnelNames.ref(`${account}:${name}`), { account, tunnel: ref.id })
  tx.create(ref, data)
  writeAudit(tx, { ...entryOf(caller, ref.id), action: 'tunnel.created', details: { name } }, nowMs)
}

function newTunnel(
  account: string,
  { name, kind, agents = 'one', policy, edits, tags, generated = false, request }: NewTunnel,
  nowMs: number,
): TunnelDoc {
  const fresh = { policyVersion: 1, revision: 1, endpoint: '', cell: '', agent: '' }
  const times = { createdAt: nowMs, updatedAt: nowMs }
  const made = {
    generated,
    ...(request !== undefined && { request }),
    ...checkedEdits(kind, edits),
    ...tagged(tags),
  }
  return { account, name, kind, agents, ...made, policy: checkedPolicy(kind, policy), ...fresh, ...times }
}

/** A tunnel without tags has no such field. */
export function tagged(tags: readonly string[] = []): Pick<TunnelDoc, 'tags'> {
  return tags.length > 0 ? { tags } : {}
}

/** @throws api.not_found for an unknown tunnel and for somebody else's alike */
export async function readTunnel(
  control: AccountControl,
  caller: Caller,
  id: string,
): Promise<Snapshot<TunnelDoc>> {
  const snapshot = await control.store.get(tunnels.ref(id))
  if (!snapshot || !mayTouch(caller, snapshot.data.name)) throw fail('api.not_found')
  return snapshot
}

export async function findTunnelByName(
  control: AccountControl,
  account: string,
  name: string,
): Promise<Snapshot<TunnelDoc> | undefined> {
  const claim = await control.store.get(tunnelNames.ref(`${account}:${name}`))
  return claim && control.store.get(tunnels.ref(claim.data.tunnel))
}

/** Newest first. A bound key gets only its own, so its pages may be short. */
export async function listTunnels(
  control: AccountControl,
  caller: Caller,
  options: Pick<QueryOptions, 'limit' | 'after'>,
): Promise<Page<TunnelDoc>> {
  const page = await control.store.query(queries.tunnelsOfAccount, { where: {}, ...options })
  return { ...page, items: page.items.filter(({ data }) => mayTouch(caller, data.name)) }
}

type TunnelUpdate = {
  readonly id: string
  readonly change: z.infer<typeof tunnelUpdateSchema>
  /** Set in the policy as it is; a `policy` in `change` replaces it whole. */
  readonly policyParts?: Partial<Policy>
  /** The revision that the caller read, if it must be unchanged. */
  readonly ifRevision?: number
}

/**
 * @throws api.not_found, api.conflict, tunnel.name_taken, tunnel.taken_down, endpoint.name_denied, policy.needs_http
 */
export async function updateTunnel(
  control: AccountControl,
  caller: Caller,
  { id, change, policyParts, ifRevision }: TunnelUpdate,
): Promise<Snapshot<TunnelDoc>> {
  const nowMs = control.clock.now()
  const { account } = caller
  const [snapshot, outgoing] = await control.store.transact(async (tx) => {
    const before = await tx.get(tunnels.ref(id))
    if (!before || !mayTouch(caller, before.data.name)) throw fail('api.not_found')
    const { data } = before
    if (ifRevision !== undefined && ifRevision !== data.revision) throw fail('api.conflict')
    const name = change.name ?? data.name
    const isRenamed = name !== data.name
    if (!mayTouch(caller, name))
      throw fail('auth.scope', `This key is bound to other tunnels than "${name}".`)
    if (isRenamed) requireNotTakenDown(data)
    if (isRenamed && data.kind !== 'tcp') checkNewName(name)
    const taken = isRenamed ? await tx.get(tunnelNames.ref(`${account}:${name}`)) : undefined
    if (taken) throw fail('tunnel.name_taken', `A tunnel named "${name}" exists.`)
    const agents = change.agents ?? data.agents ?? 'one'
    const isDisbanded = agents === 'one' && data.agents === 'many' && data.endpoint !== ''
    const shared = isDisbanded ? await tx.get(endpoints.ref(data.endpoint)) : undefined
    const wanted = policyParts ? { ...data.policy, ...policyParts } : change.policy
    // It follows the clock too: a store that was restored makes none that relays have seen.
    const policyVersion = wanted ? Math.max(data.policyVersion + 1, nowMs) : data.policyVersion
    const policy = wanted ? checkedPolicy(data.kind, wanted) : data.policy
    const { edits: editsBefore, tags: tagsBefore, ...kept } = data
    const edits = change.edits ? checkedEdits(data.kind, change.edits) : editsBefore && { edits: editsBefore }
    const next: TunnelDoc = {
      ...kept,
      ...edits,
      ...tagged(change.tags ?? tagsBefore),
      name,
      agents,
      generated: data.generated && !isRenamed,
      policy,
      policyVersion,
      revision: data.revision + 1,
      updatedAt: nowMs,
    }
    tx.set(before.ref, next)
    if (isRenamed) {
      tx.delete(tunnelNames.ref(`${account}:${data.name}`))
      tx.create(tunnelNames.ref(`${account}:${name}`), { account, tunnel: id })
    }
    const commands = wanted && next.cell !== '' ? [policyCommand(caller, { id, next, nowMs })] : []
    if (shared?.data.tunnel === id) commands.push(...writeDisbanding(tx, shared, nowMs))
    for (const command of commands) writeCommand(tx, command)
    writeAudit(tx, { ...entryOf(caller, id), action: 'tunnel.updated', details: { name, agents } }, nowMs)
    return [{ ...before, data: next }, commands] as const
  })
  await publishCommands(control, outgoing)
  return snapshot
}

/**
 * Ends its lease at once. Its address rests and is then free for everybody, and its name is free.
 * @throws api.not_found, api.conflict, tunnel.taken_down
 */
export async function deleteTunnel(
  control: AccountControl,
  caller: Caller,
  { id, ifRevision }: { readonly id: string; readonly ifRevision?: number },
): Promise<void> {
  const known = await readTunnel(control, caller, id)
  requireNotTakenDown(known.data)
  if (ifRevision !== undefined && ifRevision !== known.data.revision) throw fail('api.conflict')
  await removeAllNames(control, caller, id)
  const nowMs = control.clock.now()
  const outgoing = await control.store.transact(async (tx) => {
    const before = await tx.get(tunnels.ref(id))
    if (!before || !mayTouch(caller, before.data.name)) throw fail('api.not_found')
    const { data } = before
    if (ifRevision !== undefined && ifRevision !== data.revision) throw fail('api.conflict')
    requireNotTakenDown(data)
    if ((data.names ?? []).length > 0) throw fail('api.conflict', 'A name was added to it meanwhile.')
    const endpoint = data.endpoint === '' ? undefined : await tx.get(endpoints.ref(data.endpoint))
    const wished = data.wish === undefined ? undefined : await tx.get(endpoints.ref(data.wish))
    const take = await lookToTake(tx, data.account)
    const written = writeDeletion(tx, entryOf(caller, id), { before, endpoint, take, nowMs })
    // The endpoint it holds is released above, for nobody in particular.
    const isApart = wished?.ref.id !== endpoint?.ref.id || wished?.data.state === 'reserved'
    if (wished?.data.reservedTunnel === id && isApart) tx.update(wished.ref, { reservedTunnel: '' })
    return written
  })
  await publishCommands(control, outgoing)
}

type Deletion = {
  readonly before: Snapshot<TunnelDoc>
  /** The endpoint it held last. */
  readonly endpoint: Snapshot<EndpointDoc> | undefined
  readonly take: (change: QuotaChange) => void
  readonly nowMs: number
}

/** Deletes the tunnel, its name and its lease, within `tx`. */
export function writeDeletion(
  tx: Transaction,
  entry: Omit<AuditEntry, 'action'>,
  { before: { ref, data }, endpoint, take, nowMs }: Deletion,
): readonly Outgoing[] {
  const { account, name } = data
  tx.delete(ref)
  tx.delete(tunnelNames.ref(`${account}:${name}`))
  tx.create(deletedTunnels.ref(ref.id), tombstoneOf(data, nowMs))
  writeAudit(tx, { ...entry, action: 'tunnel.deleted', details: { name } }, nowMs)
  const isHeld = endpoint?.data.tunnel === ref.id
  take({ tunnels: -1, online: isHeld && endpoint.data.state === 'leased' ? -1 : 0 })
  return isHeld ? writeRelease(tx, endpoint, { nowMs, forget: true }) : []
}

/** Ends the lease there, within `tx`. */
export function writeRelease(
  tx: Transaction,
  endpoint: Snapshot<EndpointDoc>,
  { nowMs, ...ending }: Ending & { readonly nowMs: number },
): readonly Outgoing[] {
  const next = release(endpoint.data, { nowMs, ...ending })
  if (endpoint.data.state !== 'leased' && endpoint.data.state !== 'resting') return []
  tx.set(endpoint.ref, next)
  // Nothing is bound, but visitors of a tunnel that is no more must not hear for a day that it is offline.
  const isRemembered = ending.forget && nowMs - endpoint.data.releasedAt < limits.placeMs
  if (endpoint.data.state !== 'leased' && !isRemembered) return []
  const reason = ending.isDisplaced ? 'displaced' : ending.forget ? 'deleted' : 'released'
  const body = { kind: 'revoke', endpoint: endpoint.ref.id, epoch: next.epoch, reason } as const
  const command = makeCommand(next.cell, body, nowMs)
  writeCommand(tx, command)
  return [command]
}

/** Tunnels as the API shows them, with the state of their endpoints. */
export async function describeTunnels(
  control: AccountControl,
  found: readonly Snapshot<TunnelDoc>[],
): Promise<Tunnel[]> {
  const held = found.filter(({ data }) => data.endpoint !== '')
  const snapshots = await control.store.getAll(held.map(({ data }) => endpoints.ref(data.endpoint)))
  const byId = new Map(snapshots.flatMap((snapshot) => (snapshot ? [[snapshot.ref.id, snapshot.data]] : [])))
  const cells = await control.cells.latelyAll(held.map(({ data }) => data.cell))
  return found.map((snapshot) => {
    const { endpoint, cell } = snapshot.data
    return describeTunnel(control, snapshot, { endpoint: byId.get(endpoint), cell: cells.get(cell) })
  })
}

/** @param place its endpoint and cell, if it has them */
function describeTunnel(
  control: AccountControl,
  { ref, data }: Snapshot<TunnelDoc>,
  { endpoint, cell }: { endpoint?: EndpointDoc | undefined; cell?: Cell | undefined },
): Tunnel {
  const isOwn = endpoint?.tunnel === ref.id
  const ready = cell ? readyRelays(control, cell) : []
  const facts = { id: ref.id, tunnel: data, endpoint, ready, nowMs: control.clock.now() }
  const { state, why, holders } = judgeTunnel(facts)
  const lastServedAt = lastServed(facts, state)
  const { name, kind, agents, policy, edits, tags, revision, createdAt, updatedAt } = data
  return {
    id: ref.id,
    name,
    kind,
    policy,
    ...(edits && { edits }),
    ...(tags && { tags: [...tags] }),
    state,
    why,
    ...(lastServedAt !== undefined && { lastServedAt }),
    ...(isOwn && cell && { endpoint: describeEndpoint(data.endpoint, kind, cell) }),
    agents: agents ?? 'one',
    holders: [...holders],
    revision,
    createdAt,
    updatedAt,
  }
}

function entryOf(caller: Caller, target: string) {
  return { ...byCaller(caller), target }
}
