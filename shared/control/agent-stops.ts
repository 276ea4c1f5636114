/**
 * Stops one agent from afar: every lease that it holds ends, relays tell it so within seconds, and until somebody
 * starts it again its claims are refused (stop-rules.ts). Others that share a lease with it claim again and go on.
 */
import { fail } from '../base/errors.ts'
import { byCaller, writeAudit } from './audit.ts'
import { type Caller, mayTouch } from './caller.ts'
import { queryAll } from './cells.ts'
import { makeCommand, type Outgoing, publishCommands, writeCommand } from './commands.ts'
import type { AccountControl } from './control.ts'
import { type EndpointDoc, endpoints, type TunnelDoc, tunnels } from './documents.ts'
import { isHolder, leaveAll, liveHolders, release } from './lease-rules.ts'
import type { Ref, Snapshot, Transaction } from './platform.ts'
import { queries } from './query-table.ts'
import { lookToTake } from './quota.ts'
import { withStop } from './stop-rules.ts'

/** Each is an endpoint and a command, besides the quota and the audit entry; a transaction's documents are limited. */
const stopsAtOnce = 8
/** It may claim another tunnel while its others end, in the moment before it hears of it. */
const roundsMax = 3

type Held = { readonly lease: Snapshot<EndpointDoc>; readonly tunnel: Snapshot<TunnelDoc> }

/**
 * Repeating it stops what it could not end before.
 * @returns the names of the tunnels that it served
 * @throws api.not_found when it serves nothing, auth.scope when it serves a tunnel that the caller may not touch
 */
export async function stopAgent(
  control: AccountControl,
  caller: Caller,
  agent: string,
): Promise<readonly string[]> {
  const names: string[] = []
  for (let round = 0; round < roundsMax; round++) {
    const held = await heldBy(control, caller, agent)
    if (held.length === 0) break
    for (let start = 0; start < held.length; start += stopsAtOnce) {
      const some = held.slice(start, start + stopsAtOnce)
      const details = names.length === 0 ? { tunnels: held.length } : undefined
      const commands = await control.store.transact((tx) =>
        endTogether(tx, { control, caller, agent, held: some, details }),
      )
      names.push(...some.map(({ tunnel }) => tunnel.data.name))
      await publishCommands(control, commands)
    }
  }
  if (names.length === 0) throw fail('api.not_found')
  return [...new Set(names)].toSorted()
}

async function heldBy(control: AccountControl, caller: Caller, agent: string): Promise<readonly Held[]> {
  const nowMs = control.clock.now()
  const leases = await queryAll(control.store, queries.leasesOfAccount, {
    where: { state: 'leased' },
    from: nowMs + 1,
  })
  const own = leases.filter(({ data }) => liveHolders(data, nowMs).some(([holder]) => holder === agent))
  const found = await control.store.getAll(own.map(({ data }) => tunnels.ref(data.tunnel)))
  const held = own.flatMap((lease, index) => {
    const tunnel = found[index]
    return tunnel ? [{ lease, tunnel }] : []
  })
  const mine = held.filter(({ tunnel }) => mayTouch(caller, tunnel.data.name))
  // To a key that is bound to other tunnels the agent does not exist.
  if (mine.length === 0) return []
  if (mine.length < held.length)
    throw fail('auth.scope', 'The agent also serves tunnels that this key may not touch.')
  return held
}

type Ending = {
  readonly control: AccountControl
  readonly caller: Caller
  readonly agent: string
  readonly held: readonly Held[]
  /** What the audit entry says; one transaction writes it. */
  readonly details: { readonly tunnels: number } | undefined
}

async function endTogether(
  tx: Transaction,
  { control, caller, agent, held, details }: Ending,
): Promise<readonly Outgoing[]> {
  const nowMs = control.clock.now()
  const latest = await Promise.all(held.map(({ lease }) => tx.get(endpoints.ref(lease.ref.id))))
  const take = await lookToTake(tx, caller.account)
  const commands: Outgoing[] = []
  let ended = 0
  latest.forEach((lease, index) => {
    const isSame = lease?.data.state === 'leased' && lease.data.tunnel === held[index]?.tunnel.ref.id
    if (!isSame || !isHolder(lease.data, agent)) return
    const { next, isOver } = endPart(lease.data, agent, nowMs)
    tx.set(lease.ref, next)
    if (isOver) ended += 1
    commands.push(tell(tx, lease.ref, { next, agent, isOver, nowMs }))
  })
  take({ online: -ended })
  if (details) {
    const entry = { ...byCaller(caller), target: agent, details }
    writeAudit(tx, { ...entry, action: 'agent.stopped' }, nowMs)
  }
  return commands
}

/** Ends its part of the lease, and the lease if nobody shares it; the address is kept for the tunnel. */
function endPart(
  current: EndpointDoc,
  agent: string,
  nowMs: number,
): { readonly next: EndpointDoc; readonly isOver: boolean } {
  const marked = withStop(current, agent, nowMs)
  const left = leaveAll(marked, [agent], nowMs)
  return { next: left ?? release(marked, { nowMs, forget: false }), isOver: left === undefined }
}

/** Relays of older releases know no `agents`: there it hears that the tunnel was withdrawn, or moved. */
function tell(
  tx: Transaction,
  endpoint: Ref<EndpointDoc>,
  { next, agent, isOver, nowMs }: { next: EndpointDoc; agent: string; isOver: boolean; nowMs: number },
): Outgoing {
  const reason = isOver ? 'stopped' : 'moved'
  const about = { endpoint: endpoint.id, epoch: next.epoch, reason, agents: [agent] }
  const command = makeCommand(next.cell, { kind: 'revoke', ...about }, nowMs)
  writeCommand(tx, command)
  return command
}
