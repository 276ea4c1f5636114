/**
 * Moves what an account keeps to one of its tunnels, or to another account of the same person. Rights on both sides
 * count: the caller may change the names of the account that has it, and is a person who may do the same in the other.
 */
import { permissionsOf } from '../api/schemas/access.ts'
import { fail } from '../base/errors.ts'
import { byCaller, writeAudit } from './audit.ts'
import { type Caller, mayTouch, roleOf } from './caller.ts'
import { makeCommand, type Outgoing, publishCommands, writeCommand } from './commands.ts'
import type { Control } from './control.ts'
import { withCounts } from './counting.ts'
import { accounts, type EndpointDoc, endpoints, members, type TunnelDoc, tunnels } from './documents.ts'
import { disband } from './lease-rules.ts'
import { limitsOf } from './plans.ts'
import type { Snapshot, Transaction } from './platform.ts'
import { lookToTake, readQuota, writeQuota } from './quota.ts'
import { dedicate, passOn } from './reservation-rules.ts'
import {
  lookToWithdraw,
  nameOf,
  type Reservation,
  readOwn,
  requireRoom,
  requireUnbound,
  wordsOf,
} from './reservations.ts'
import { requireStill } from './still.ts'

type What = { readonly id: string; readonly ifRevision?: number | undefined }

/**
 * From now on only this tunnel gets it, and claims it instead of its former endpoint; undefined: any tunnel of the
 * account.
 * @throws api.not_found, api.conflict, tunnel.kind, auth.scope
 */
export async function moveToTunnel(
  control: Control,
  caller: Caller,
  { tunnel: to, ...what }: What & { readonly tunnel: string | undefined },
): Promise<Reservation> {
  requireUnbound(caller)
  const [moved, outgoing] = await control.store.transact(async (tx) => {
    const nowMs = control.clock.now()
    const { ref, data } = await readOwn(tx, caller, what)
    if (to !== undefined && data.reservedTunnel === to) return [{ ref, data, version: '' }, []] as const
    const tunnel =
      to === undefined
        ? undefined
        : await readTunnelFor(tx, caller, { id: to, kind: data.kind, endpoint: ref.id })
    const withdraw = await lookToWithdraw(tx, data)
    const place = tunnel && (await readPlace(tx, tunnel, ref.id))
    const before = tunnel && (await readWished(tx, tunnel, ref.id))
    const take = await lookToTake(tx, caller.account)
    const next = dedicate(data, to ?? '', nowMs)
    tx.set(ref, next)
    withdraw(nowMs)
    const freed = before && { ...before, data: dedicate(before.data, '', nowMs) }
    // The tunnel that had it before may serve it now; then both changes are to one document.
    const left = freed?.ref.id === place?.ref.id ? freed : place
    if (freed && freed !== left) tx.set(freed.ref, freed.data)
    const ended = data.state === 'leased' && next.state === 'resting'
    if (ended) take({ online: -1 })
    const commands = ended ? [revokeOf(ref.id, next, nowMs)] : []
    if (tunnel) commands.push(...writeWish(tx, tunnel, { place: left, id: ref.id, cell: data.cell, nowMs }))
    for (const command of commands) writeCommand(tx, command)
    const details = { tunnel: to ?? '' }
    writeAudit(
      tx,
      { ...byCaller(caller), target: nameOf(ref.id), action: wordsOf[data.kind].audit.moved, details },
      nowMs,
    )
    return [{ ref, data: next, version: '' }, commands] as const
  })
  await publishCommands(control, outgoing)
  return moved
}

/** @throws api.not_found, tunnel.kind */
async function readTunnelFor(
  tx: Transaction,
  caller: Caller,
  {
    id,
    kind,
    endpoint,
  }: { readonly id: string; readonly kind: EndpointDoc['kind']; readonly endpoint: string },
): Promise<Snapshot<TunnelDoc>> {
  const tunnel = await tx.get(tunnels.ref(id))
  if (tunnel?.data.account !== caller.account || !mayTouch(caller, tunnel.data.name))
    throw fail('api.not_found', 'There is no such tunnel.')
  const { name, kind: its } = tunnel.data
  if ((its === 'tcp') !== (kind === 'tcp'))
    throw fail(
      'tunnel.kind',
      `The tunnel "${name}" is of kind ${its}, which has ${its === 'tcp' ? 'a port' : 'a name'}.`,
    )
  // Otherwise the relay would end the TLS of a name that stands for the promise that it does not.
  if (its !== 'tls' && nameOf(endpoint).split('.')[1] === 'e2e')
    throw fail('tunnel.kind', `The tunnel "${name}" is of kind ${its}; names in "e2e" are for kind tls.`)
  return tunnel
}

/** Where the tunnel is served now, unless it is already there. */
async function readPlace(
  tx: Transaction,
  { ref, data }: Snapshot<TunnelDoc>,
  id: string,
): Promise<Snapshot<EndpointDoc> | undefined> {
  const place =
    data.endpoint === '' || data.endpoint === id ? undefined : await tx.get(endpoints.ref(data.endpoint))
  return place?.data.state === 'leased' && place.data.tunnel === ref.id ? place : undefined
}

/** What it was given before, which any tunnel of the account may have again. */
async function readWished(
  tx: Transaction,
  { ref, data: { wish = '' } }: Snapshot<TunnelDoc>,
  id: string,
): Promise<Snapshot<EndpointDoc> | undefined> {
  const wished = wish === '' || wish === id ? undefined : await tx.get(endpoints.ref(wish))
  return wished?.data.reservedTunnel === ref.id ? wished : undefined
}

/** Tells its agents to claim again, and they get what it was given. */
function writeWish(
  tx: Transaction,
  { ref, data }: Snapshot<TunnelDoc>,
  {
    place,
    id,
    cell,
    nowMs,
  }: {
    readonly place: Snapshot<EndpointDoc> | undefined
    readonly id: string
    readonly cell: string
    readonly nowMs: number
  },
): readonly Outgoing[] {
  tx.set(ref, { ...data, wish: id, wishCell: cell, updatedAt: nowMs })
  if (!place) return []
  const next = disband(place.data, nowMs)
  tx.set(place.ref, next)
  return [revokeOf(place.ref.id, next, nowMs)]
}

function revokeOf(endpoint: string, { cell, epoch }: EndpointDoc, nowMs: number): Outgoing {
  return makeCommand(cell, { kind: 'revoke', endpoint, epoch, reason: 'moved' }, nowMs)
}

/**
 * Ends the lease if it is served, and it rests until no ticket of this account can bind it.
 * @throws api.not_found, api.conflict, quota.reserved_hosts, quota.reserved_ports, auth.scope
 */
export async function moveToAccount(
  control: Control,
  caller: Caller,
  { account: to, ...what }: What & { readonly account: string },
  alsoWrite?: (tx: Transaction) => void,
): Promise<void> {
  requireUnbound(caller)
  const run = async (tx: Transaction) => {
    const nowMs = control.clock.now()
    await requireStill(tx, caller, { needs: 'domains.write', nowMs })
    const { ref, data } = await readOwn(tx, caller, what)
    if (to === caller.account) throw fail('api.combination', 'It is in this account already.')
    const target = await readTarget(tx, caller, to)
    const withdraw = await lookToWithdraw(tx, data)
    const theirs = await readQuota(tx, to)
    const take = await lookToTake(tx, caller.account)
    const { kind } = data
    const { count, audit } = wordsOf[kind]
    requireRoom(target, kind, theirs.data[count] ?? 0)
    const next = passOn(data, to, nowMs)
    tx.set(ref, next)
    withdraw(nowMs)
    const ended = data.state === 'leased'
    take({ [count]: -1, online: ended ? -1 : 0 })
    writeQuota(tx, theirs, { [count]: 1 })
    const entry = { ...byCaller(caller), target: nameOf(ref.id), action: audit.moved } as const
    writeAudit(tx, { ...entry, details: { to } }, nowMs)
    writeAudit(tx, { ...entry, account: to, details: { from: caller.account } }, nowMs)
    const commands = ended ? [revokeOf(ref.id, next, nowMs)] : []
    for (const command of commands) writeCommand(tx, command)
    alsoWrite?.(tx)
    return commands
  }
  await publishCommands(control, await withCounts(control, () => control.store.transact(run)))
}

/** The other account, if the same person may change names in it. Otherwise it looks as if it did not exist. */
async function readTarget(tx: Transaction, { member }: Caller, account: string) {
  const [found, membership] = await Promise.all([
    tx.get(accounts.ref(account)),
    member === '' ? undefined : tx.get(members.ref(`${account}:${member}`)),
  ])
  const isActive = found?.data.status === 'active' && membership && membership.data.status !== 'disabled'
  if (!isActive || !permissionsOf(roleOf(membership.data)).has('domains.write'))
    throw fail('api.not_found', 'There is no such account, or you may not change its names.')
  return { plan: found.data.plan, limits: limitsOf(found.data) }
}
