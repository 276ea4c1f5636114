/**
 * The kill switch: an operator takes one tunnel down, and puts it back. Its lease ends and relays cut its visitors
 * within seconds, no agent gets it or its address again, and its visitors hear why. docs/decisions/0104
 */
import { fail } from '../../base/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { makeCommand, type Outgoing, publishCommands, writeCommand } from '../commands.ts'
import type { Control } from '../control.ts'
import { type EndpointDoc, endpoints, type TunnelDoc, tunnels } from '../documents.ts'
import { kick } from '../jobs/kick.ts'
import { keepMs, release } from '../lease-rules.ts'
import { type By, writeAct } from '../operator/act.ts'
import type { Snapshot, Transaction } from '../platform.ts'
import { lookToTake } from '../quota.ts'
import { lookToWriteToOwners } from './letters.ts'

/** So long nobody gets the address: who was led there by a mail or a search still goes there a year later. */
export const takedownMs = 400 * 24 * 3_600_000

export type Because = By & { readonly reason: string }

/** @throws operator.missing, operator.exists */
export async function takeDown(control: Control, by: Because, id: string): Promise<void> {
  await changeTakedown(control, (tx, nowMs) => lookToTakeDown(tx, by, { id, nowMs }))
}

/** Its agents get it again when they next ask, within ten minutes. @throws operator.missing */
export async function restoreTunnel(control: Control, by: By, id: string): Promise<void> {
  await changeTakedown(control, (tx, nowMs) => lookToRestore(tx, by, { id, nowMs }))
}

type Written = { readonly commands: readonly Outgoing[]; readonly jobs: readonly string[] }

async function changeTakedown(
  control: Control,
  look: (tx: Transaction, nowMs: number) => Promise<() => Written>,
): Promise<void> {
  const nowMs = control.clock.now()
  const { commands, jobs } = await control.store.transact(async (tx) => (await look(tx, nowMs))())
  await publishCommands(control, commands)
  await kick(control, jobs)
}

type Which = { readonly id: string; readonly nowMs: number }

/** Reads, so call it before the first write; the returned function writes. Then publish and kick what it returns. */
async function lookToTakeDown(tx: Transaction, by: Because, { id, nowMs }: Which): Promise<() => Written> {
  const found = await tx.get(tunnels.ref(id))
  if (!found) throw fail('operator.missing', `There is no tunnel "${id}".`)
  const { account, name, cell } = found.data
  if (found.data.takenDown) throw fail('operator.exists', `The tunnel "${name}" was taken down before.`)
  const place = await placeOf(tx, found)
  const take = await lookToTake(tx, account)
  const news = { news: 'taken_down', account, tunnel: id, name, reason: by.reason } as const
  const tell = await lookToWriteToOwners(tx, news, nowMs)
  return () => {
    const until = nowMs + takedownMs
    const version = versionAfter(found.data, nowMs)
    const marks = {
      takenDown: { reason: by.reason, by: by.actor },
      takenDownAt: nowMs,
      takedownVersion: version,
      refusedAt: until,
    }
    tx.update(found.ref, { ...marks, updatedAt: nowMs })
    const commands = place ? [...withhold(tx, place, { nowMs, until })] : []
    if (place?.data.state === 'leased') take({ online: -1 })
    if (cell !== '') commands.push(tellRelays(tx, found, { until, version, nowMs }))
    writeAct(tx, by, { account, action: 'tunnel.taken_down', target: id, details: { name } }, nowMs)
    return { commands, jobs: [tell()] }
  }
}

async function lookToRestore(tx: Transaction, by: By, { id, nowMs }: Which): Promise<() => Written> {
  const found = await tx.get(tunnels.ref(id))
  if (!found?.data.takenDown) throw fail('operator.missing', `No tunnel "${id}" is taken down.`)
  const { account, name, cell, endpoint } = found.data
  // Its account may have given it to another of its tunnels meanwhile.
  const place = endpoint === '' ? undefined : await tx.get(endpoints.ref(endpoint))
  const news = { news: 'restored', account, tunnel: id, name, reason: '' } as const
  const tell = await lookToWriteToOwners(tx, news, nowMs)
  return () => {
    const { takenDown: _, takenDownAt: __, refusedAt: ___, ...rest } = found.data
    const version = versionAfter(found.data, nowMs)
    const refusedAt = rest.refused ? { refusedAt: rest.refused.at } : {}
    tx.set(found.ref, { ...rest, ...refusedAt, takedownVersion: version, updatedAt: nowMs })
    if (place?.data.isTakenDown) {
      const { isTakenDown: ____, ...data } = place.data
      const restUntil = data.releasedAt + limits.ticketMs + limits.skewMs
      tx.set(place.ref, { ...data, restUntil, keepUntil: nowMs + keepMs })
    }
    const commands = cell === '' ? [] : [tellRelays(tx, found, { until: 0, version, nowMs })]
    writeAct(tx, by, { account, action: 'tunnel.restored', target: id, details: { name } }, nowMs)
    return { commands, jobs: [tell()] }
  }
}

/** Its endpoint, unless another tunnel has that by now. */
async function placeOf(
  tx: Transaction,
  { ref, data }: Snapshot<TunnelDoc>,
): Promise<Snapshot<EndpointDoc> | undefined> {
  const place = data.endpoint === '' ? undefined : await tx.get(endpoints.ref(data.endpoint))
  return place?.data.tunnel === ref.id ? place : undefined
}

/** It follows the clock too: a store that was restored makes none that relays have seen. */
function versionAfter({ takedownVersion = 0 }: TunnelDoc, nowMs: number): number {
  return Math.max(takedownVersion + 1, nowMs)
}

/** Ends the lease, and keeps the address from everybody. */
function withhold(
  tx: Transaction,
  { ref, data }: Snapshot<EndpointDoc>,
  { nowMs, until }: { readonly nowMs: number; readonly until: number },
): readonly Outgoing[] {
  if (data.state !== 'leased' && data.state !== 'resting') return []
  const ended = release(data, { nowMs, forget: false })
  tx.set(ref, { ...ended, restUntil: until, keepUntil: until, isTakenDown: true })
  if (data.state !== 'leased') return []
  const body = { kind: 'revoke', endpoint: ref.id, epoch: ended.epoch, reason: 'taken_down' } as const
  const command = makeCommand(ended.cell, body, nowMs)
  writeCommand(tx, command)
  return [command]
}

function tellRelays(
  tx: Transaction,
  { ref, data }: Snapshot<TunnelDoc>,
  { until, version, nowMs }: { readonly until: number; readonly version: number; readonly nowMs: number },
): Outgoing {
  const { cell, endpoint } = data
  const command = makeCommand(cell, { kind: 'takedown', tunnel: ref.id, endpoint, until, version }, nowMs)
  writeCommand(tx, command)
  return command
}
