/**
 * Names of tunnels besides their endpoints: `names/{host}` and the tunnel's list change in one transaction, so a
 * renewal reads nothing more and its ticket has the true list. Rules: name-rules.ts. The caller has checked the proof
 * that the host belongs to the account: nothing here does, and no public route leads here.
 */
import { fail } from '../base/errors.ts'
import { readOwnDomain, readSpelling } from '../base/host-names.ts'
import { type Alias, namesMax } from '../protocol/endpoint.ts'
import { writeAudit } from './audit.ts'
import { type Caller, mayTouch } from './caller.ts'
import { queryAll } from './cells.ts'
import { makeCommand, type Outgoing, publishCommands, writeCommand } from './commands.ts'
import type { AnyControl, Control } from './control.ts'
import { type TunnelDoc, tunnels } from './documents.ts'
import { isOurs } from './domains/places.ts'
import { type NameDoc, names } from './name-documents.ts'
import { cellsOf, decideName, type NameView, putBackName, restName, silentRelayMs } from './name-rules.ts'
import type { Snapshot, Transaction } from './platform.ts'
import { queries } from './query-table.ts'

/** Who changes a name: a member, or the service itself. */
type By = Pick<Caller, 'account' | 'actor' | 'from' | 'tunnels'>
/** @throws what the account is to be told */
type RequireRight = (tx: Transaction) => Promise<void>
export type NameOfTunnel = { readonly tunnel: string; readonly host: string }

/** The limit of the list as JSON: tickets carry it, and agents send thousands of tickets. */
const namesBytesMax = 3 * 1024
/** Tries again when the name rests elsewhere by the time it is read. */
const triesMax = 4

/**
 * Leads the host to the tunnel, from another one of the same account and cell at once.
 * @param requireRight reads, in the transaction of the change, whether the account has a right to the host
 * @throws api.not_found, name.invalid, name.limit, name.held, name.resting
 */
export async function addName(
  control: Control,
  caller: By,
  name: NameOfTunnel,
  requireRight: RequireRight = async () => {},
): Promise<void> {
  await checkHost(control, name.host)
  for (let tries = 1; ; tries++) {
    const seen = await readName(control, name.host)
    const view = await viewOf(control, seen?.state === 'resting' ? seen.cells : [])
    const outgoing = await control.store.transact((tx) =>
      take(control, caller, { tx, name, seen, view, requireRight }),
    )
    if (outgoing) return publishCommands(control, outgoing)
    if (tries === triesMax) throw fail('store.contention')
  }
}

/**
 * The host no longer leads to the tunnel, and rests.
 * @throws api.not_found
 */
export async function removeName(control: AnyControl, caller: By, name: NameOfTunnel): Promise<void> {
  const nowMs = control.clock.now()
  const outgoing = await control.store.transact(async (tx) => {
    await readOwn(tx, caller, name.tunnel)
    const remove = await lookToRemoveName(tx, caller, name.host, name.tunnel)
    if (!remove) throw fail('api.not_found')
    return remove(nowMs)
  })
  await publishCommands(control, outgoing)
}

/**
 * Call it in the transaction that takes the name from the account. It returns a function that writes, and that returns
 * what to publish then.
 * @param only the tunnel that must have it; default: any of the account
 * @returns undefined when the name leads to none of them
 */
export async function lookToRemoveName(
  tx: Transaction,
  by: By,
  host: string,
  only?: string,
): Promise<((nowMs: number) => readonly Outgoing[]) | undefined> {
  const current = await tx.get(names.ref(host))
  if (current?.data.state !== 'active' || current.data.account !== by.account) return undefined
  const id = current.data.tunnel
  if (only !== undefined && only !== id) return undefined
  const tunnel = await tx.get(tunnels.ref(id))
  return (nowMs) => {
    const next = restName(current.data, tunnel ? cellsOf(tunnel.data, nowMs) : [], nowMs)
    tx.set(current.ref, next)
    if (tunnel) tx.update(tunnel.ref, { names: without(tunnel.data, host), updatedAt: nowMs })
    writeEntry(tx, by, { action: 'name.removed', name: { tunnel: id, host }, nowMs })
    return tell(tx, next.cells, { host, version: next.version, tunnel: '', account: '' }, nowMs)
  }
}

/** Before a tunnel is deleted or its account closed: one after the other, for a transaction's documents are limited. */
export async function removeAllNames(control: AnyControl, caller: By, tunnel: string): Promise<void> {
  const found = await control.store.get(tunnels.ref(tunnel))
  for (const { host } of found?.data.names ?? []) await removeName(control, caller, { tunnel, host })
}

async function readName({ store, clock }: Control, host: string): Promise<NameDoc | undefined> {
  const ref = names.ref(host)
  const seen = (await store.get(ref))?.data
  const isRight = !seen || putBackName(seen, clock.now()) === 'keep'
  return isRight ? seen : store.change(ref, (now) => (now ? putBackName(now, clock.now()) : 'keep'))
}

/** @returns undefined when the name has changed since it was read: look again */
async function take(
  control: Control,
  caller: By,
  {
    tx,
    name: { tunnel: id, host },
    seen,
    view,
    requireRight,
  }: {
    tx: Transaction
    name: NameOfTunnel
    seen: NameDoc | undefined
    view: NameView
    requireRight: RequireRight
  },
): Promise<readonly Outgoing[] | undefined> {
  const nowMs = control.clock.now()
  await requireRight(tx)
  const tunnel = await readOwn(tx, caller, id)
  const current = await tx.get(names.ref(host))
  if (current?.data.version !== seen?.version) return undefined
  const isElsewhere = current?.data.state === 'active' && current.data.tunnel !== id
  const holder = isElsewhere ? await tx.get(tunnels.ref(current.data.tunnel)) : undefined
  if (tunnel.data.kind === 'tcp') throw fail('name.invalid', 'A tunnel of kind tcp has a port and no names.')
  const { account, cell } = tunnel.data
  const holderCells = holder ? cellsOf(holder.data, nowMs) : []
  const verdict = decideName(current?.data, {
    claimant: { account, tunnel: id, cell },
    holderCells,
    view,
    nowMs,
  })
  switch (verdict.kind) {
    case 'has':
      return []
    case 'held':
      throw fail('name.held', `Another account has the name ${host}.`)
    case 'elsewhere':
      throw fail('name.held', `Another tunnel of this account has the name ${host}. Remove it there first.`)
    case 'rests':
      throw fail('name.resting', undefined, { fields: { retryAfterMs: verdict.retryInMs } })
    default:
  }
  const { version } = verdict.next
  const list = [...without(tunnel.data, host), { host, version }]
  if (list.length > namesMax || JSON.stringify(list).length > namesBytesMax) throw fail('name.limit')
  tx.set(names.ref(host), verdict.next)
  tx.update(tunnel.ref, { names: list, updatedAt: nowMs })
  if (holder) tx.update(holder.ref, { names: without(holder.data, host), updatedAt: nowMs })
  writeEntry(tx, caller, { action: 'name.added', name: { tunnel: id, host }, nowMs })
  return tell(tx, cell === '' ? [] : [cell], { host, version, tunnel: id, account }, nowMs)
}

/** @throws api.not_found */
async function readOwn(tx: Transaction, caller: By, id: string): Promise<Snapshot<TunnelDoc>> {
  const tunnel = await tx.get(tunnels.ref(id))
  if (tunnel?.data.account !== caller.account || !mayTouch(caller, tunnel.data.name))
    throw fail('api.not_found')
  return tunnel
}

function without({ names: list = [] }: TunnelDoc, host: string): readonly Alias[] {
  return list.filter((one) => one.host !== host)
}

function tell(
  tx: Transaction,
  cells: readonly string[],
  body: Alias & { readonly tunnel: string; readonly account: string },
  nowMs: number,
): readonly Outgoing[] {
  const outgoing = cells.map((cell) => makeCommand(cell, { kind: 'name', ...body }, nowMs))
  for (const command of outgoing) writeCommand(tx, command)
  return outgoing
}

function writeEntry(
  tx: Transaction,
  { account, actor, from }: By,
  { action, name, nowMs }: { action: 'name.added' | 'name.removed'; name: NameOfTunnel; nowMs: number },
): void {
  const details = { host: name.host }
  writeAudit(tx, { account, actor, from, target: name.tunnel, action, details }, nowMs)
}

/** @throws name.* for an invalid host, and name.invalid for a host under a cell's domain */
async function checkHost(control: Control, host: string): Promise<void> {
  const spelt = readSpelling(host)
  if ('error' in spelt) throw spelt.error
  if (spelt.host !== host) throw fail('name.invalid', `The name is kept as "${spelt.host}".`)
  if (isOurs(host, await control.cells.open()))
    throw fail('name.invalid', `${host} stands for or lies under a name of this service.`)
  const read = readOwnDomain(host)
  if ('error' in read) throw read.error
}

/** The time up to which all relays of the cells that were heard within a day have applied commands. */
async function viewOf(control: Control, cells: readonly string[]): Promise<NameView> {
  const from = control.clock.now() - silentRelayMs
  const lists = await Promise.all(
    cells.map((cell) => queryAll(control.store, queries.relaysOfCell, { where: { cell }, from })),
  )
  return { appliedAt: Math.min(Infinity, ...lists.flat().map(({ data }) => data.appliedAt)) }
}
