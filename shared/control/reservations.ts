/**
 * Host names and ports that an account keeps: reserved, listed and released. Rules: reservation-rules.ts; moves:
 * reservation-moves.ts. Each change is one transaction of the endpoint, the quota and the audit.
 */

import { fail } from '../base/errors.ts'
import { type AuditAction, byCaller, writeAudit } from './audit.ts'
import { type Caller, mayTouch } from './caller.ts'
import { blankEndpoint, type Cell, Views } from './cells.ts'
import type { Control } from './control.ts'
import { withCounts } from './counting.ts'
import { type EndpointDoc, endpoints, tunnels } from './documents.ts'
import { isReserved } from './lease-rules.ts'
import { beyond } from './money/lifting.ts'
import type { Page, QueryOptions, Snapshot, Transaction } from './platform.ts'
import { queries } from './query-table.ts'
import { doubtQuota, lookToTake, pace, readQuota, writeQuota } from './quota.ts'
import { decideReserve, giveUp, restMsOf, revisionOf } from './reservation-rules.ts'

export type ReservedKind = EndpointDoc['kind']
export type Reservation = Snapshot<EndpointDoc>
/** Called in the transaction of the change, to write what must commit with it. */
type AlsoWrite = (tx: Transaction, made: Reservation) => void

/** The words for the two kinds in quotas, refusals and the audit. */
export const wordsOf = {
  host: {
    count: 'reservedHosts',
    limit: 'quota.reserved_hosts',
    noun: 'reserved names',
    audit: { reserved: 'name.reserved', released: 'name.released', moved: 'name.moved' },
  },
  tcp: {
    count: 'reservedPorts',
    limit: 'quota.reserved_ports',
    noun: 'reserved ports',
    audit: { reserved: 'port.reserved', released: 'port.released', moved: 'port.moved' },
  },
} as const satisfies Record<
  ReservedKind,
  { readonly audit: Record<string, AuditAction> } & Record<string, unknown>
>

/**
 * Repeating it changes nothing.
 * @returns undefined when it cannot be had
 * @throws quota.reserved_hosts, quota.reserved_ports, quota.pace, endpoint.port_denied, auth.scope
 */
export async function reserve(
  control: Control,
  caller: Caller,
  { id, kind, cell }: { readonly id: string; readonly kind: ReservedKind; readonly cell: Cell },
  alsoWrite?: AlsoWrite,
): Promise<Reservation | undefined> {
  requireUnbound(caller)
  const { account } = caller
  const views = new Views(control, cell)
  const ref = endpoints.ref(id)
  const attempt = () =>
    control.store.transact(async (tx) => {
      const nowMs = control.clock.now()
      const found = await tx.get(ref)
      const quota = await readQuota(tx, account)
      if (!found && kind === 'tcp') throw fail('endpoint.port_denied')
      const current = found?.data ?? blankEndpoint(cell.id, 'host', control.random())
      const verdict = decideReserve(id, current, { account, cell: views.current, nowMs })
      if (verdict.kind === 'denied') throw fail('endpoint.port_denied')
      if (verdict.kind !== 'take' && verdict.kind !== 'has') return verdict.kind
      const made: Reservation = { ref, data: verdict.kind === 'take' ? verdict.next : current, version: '' }
      if (verdict.kind === 'take') {
        const { count, audit } = wordsOf[kind]
        requireRoom(caller, kind, quota.data[count] ?? 0)
        // Each one rests when it is given up, so keeping and giving up in turn would block all there are.
        const paced =
          current.account === account
            ? { paceAt: quota.data.paceAt }
            : pace(quota.data.paceAt, { online: caller.limits.tunnelsOnline, nowMs })
        if ('error' in paced) throw paced.error
        tx.set(ref, verdict.next)
        writeQuota(tx, quota, { [count]: 1, paceAt: paced.paceAt })
        writeAudit(tx, { ...byCaller(caller), target: nameOf(id), action: audit.reserved }, nowMs)
      }
      alsoWrite?.(tx, made)
      return made
    })
  let done = await withRepair(control, account, attempt)
  if (done === 'unread') {
    await views.withBound()
    done = await withRepair(control, account, attempt)
  }
  return typeof done === 'string' ? undefined : done
}

/** After a refusal by a count, has the count checked soon. */
async function withRepair<T>(control: Control, account: string, attempt: () => Promise<T>): Promise<T> {
  try {
    return await withCounts(control, attempt)
  } catch (error) {
    await doubtQuota(control, account)
    throw error
  }
}

/** For an account with this plan. @throws quota.reserved_hosts, quota.reserved_ports */
export function requireRoom(
  { limits, plan }: Pick<Caller, 'limits' | 'plan'>,
  kind: ReservedKind,
  count: number,
): void {
  const { count: name, limit, noun } = wordsOf[kind]
  const max = limits[name]
  if (count >= max)
    throw fail(limit, `The plan "${plan}" has room for ${max} ${noun}, and ${count} are reserved.`, {
      fields: beyond(name, count),
    })
}

/** A bound key cannot change anything that others may want. @throws auth.scope */
export function requireUnbound({ tunnels: own }: Caller): void {
  if (own)
    throw fail('auth.scope', `This key serves only ${[...own].join(', ')}; reserving needs another key.`)
}

/**
 * Nobody keeps it any more, and it rests before others get it.
 * @throws api.not_found, api.conflict, auth.scope
 */
export async function releaseReservation(
  control: Control,
  caller: Caller,
  { id, ifRevision }: { readonly id: string; readonly ifRevision?: number | undefined },
): Promise<void> {
  requireUnbound(caller)
  await control.store.transact(async (tx) => {
    const nowMs = control.clock.now()
    const { ref, data } = await readOwn(tx, caller, { id, ifRevision })
    const withdraw = await lookToWithdraw(tx, data)
    const take = await lookToTake(tx, caller.account)
    tx.set(ref, giveUp(data, restMsOf(data, nowMs), nowMs))
    // A tunnel that serves it now keeps it while it runs, and asks for its own name at the next start.
    withdraw(nowMs)
    const { count, audit } = wordsOf[data.kind]
    take({ [count]: -1 })
    writeAudit(tx, { ...byCaller(caller), target: nameOf(id), action: audit.released }, nowMs)
  })
}

/** The tunnel that it was given to no longer asks for it. */
export async function lookToWithdraw(
  tx: Transaction,
  { reservedTunnel = '' }: EndpointDoc,
): Promise<(nowMs: number) => void> {
  const tunnel = reservedTunnel === '' ? undefined : await tx.get(tunnels.ref(reservedTunnel))
  return (nowMs) => {
    if (tunnel?.data.wish === undefined) return
    const { wish: _, wishCell: __, ...data } = tunnel.data
    tx.set(tunnel.ref, { ...data, updatedAt: nowMs })
  }
}

/** Within a transaction. @throws api.not_found, api.conflict */
export async function readOwn(
  tx: Pick<Transaction, 'get'>,
  { account }: Pick<Caller, 'account'>,
  { id, ifRevision }: { readonly id: string; readonly ifRevision?: number | undefined },
): Promise<Reservation> {
  const found = await tx.get(endpoints.ref(id))
  if (!found || !isReserved(found.data) || found.data.account !== account) throw fail('api.not_found')
  if (ifRevision !== undefined && ifRevision !== revisionOf(found.data)) throw fail('api.conflict')
  return found
}

/** A bound key sees it only if it has the name of one of its tunnels. @throws api.not_found, auth.scope */
export async function readReservation(control: Control, caller: Caller, id: string): Promise<Reservation> {
  const found = await readOwn(control.store, caller, { id })
  if (!mayTouch(caller, labelOf(id))) requireUnbound(caller)
  return found
}

/** Newest first. A bound key sees those with names of its tunnels. */
export async function listReservations(
  control: Control,
  caller: Caller,
  kind: ReservedKind,
  options: Pick<QueryOptions, 'limit' | 'after'>,
): Promise<Page<EndpointDoc>> {
  const where = { account: caller.account, kind }
  const page = await control.store.query(queries.reservedOfAccount, { where, ...options })
  return { ...page, items: page.items.filter(({ ref }) => mayTouch(caller, labelOf(ref.id))) }
}

/** `shop.tunnel.example.com`, or `home:20100`: the form for people and the audit. */
export function nameOf(id: string): string {
  return id.slice(id.indexOf(':') + 1)
}

function labelOf(id: string): string {
  return nameOf(id).split('.')[0] ?? ''
}
