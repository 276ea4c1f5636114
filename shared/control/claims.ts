/**
 * Claims and renewals, a list a call. Every tunnel of the list gets its own answer: one refusal does
 * not spoil the others. Rules: lease-rules.ts; where to look: candidates.ts; the writing: claim-transaction.ts.
 */
import { createHash } from 'node:crypto'
import type { z } from 'zod'
import type { ClaimResult, claimSchema, renewSchema } from '../api/schemas/tunnels.ts'
import { fail, isFailure } from '../base/errors.ts'
import { unreachable } from '../base/unreachable.ts'
import { type Caller, mayTouch, requirePermission } from './caller.ts'
import { findCandidate } from './candidates.ts'
import { type Cell, chooseCell, Views } from './cells.ts'
import {
  type AttemptResult,
  type ClaimContext,
  claimsPerTransaction,
  claimTogether,
} from './claim-transaction.ts'
import { publishCommands } from './commands.ts'
import { type Control, controlOf } from './control.ts'
import { type EndpointDoc, endpoints, online, type TunnelDoc, tunnels } from './documents.ts'
import { asFailure } from './failures.ts'
import { answerLeases, type Cells, type Outcome } from './lease-answer.ts'
import { decideRenewal } from './lease-rules.ts'
import { pruneOnline, putOnline } from './online.ts'
import type { Snapshot } from './platform.ts'
import { queries } from './query-table.ts'
import { readTransfer, transferGate } from './transfer.ts'
import { createTunnel, findTunnelByName, updateTunnel } from './tunnels.ts'

type ClaimRequest = z.infer<typeof claimSchema>
type Wanted = ClaimRequest['tunnels'][number]
type Item = {
  readonly index: number
  readonly tunnel: Snapshot<TunnelDoc>
  readonly port: number | undefined
  readonly tried: Set<string>
}

/** Beyond it a claim is told that there is nothing: each try lost a race, so others are being served. */
const roundsMax = 200

/** @throws cell.none; what concerns one tunnel is a problem in its place of the list */
export async function claimLeases(
  control: Control,
  caller: Caller,
  request: ClaimRequest,
  { seed }: { seed?: string } = {},
): Promise<ClaimResult> {
  const outcomes: Outcome[] = []
  const items: Item[] = []
  const transfer = await readTransfer(control, caller)
  const checkTransfer = await transferGate(control, caller, transfer)
  const used = new Set<string>()
  for (const [index, wanted] of request.tunnels.entries()) {
    try {
      const name = generatedName(seed ?? `${control.random()}`, index)
      const tunnel = await resolveTunnel(control, caller, { wanted, agent: request.agent, name, used })
      if (used.has(tunnel.ref.id)) throw fail('api.invalid', 'The same tunnel is asked for twice.')
      used.add(tunnel.ref.id)
      checkTransfer(tunnel.ref.id)
      items.push({ index, tunnel, port: wanted.port, tried: new Set() })
    } catch (error) {
      outcomes[index] = { error: asFailure(error) }
    }
  }
  const cells = await claimByCell(control, { caller, request }, { items, outcomes })
  return answerLeases(control, caller, { agent: request.agent, cells, outcomes, transfer })
}

/**
 * Every tunnel in the cell that it was in before, and new ones beside the first of them.
 * @returns the cells that had a relay
 * @throws cell.none when none had
 */
async function claimByCell(
  control: Control,
  { caller, request }: { caller: Caller; request: ClaimRequest },
  { items, outcomes }: { items: readonly Item[]; outcomes: Outcome[] },
): Promise<Cells> {
  const home = items.find(({ tunnel }) => tunnel.data.cell !== '')?.tunnel.data.cell ?? ''
  const byCell = Map.groupBy(items, ({ tunnel }) => tunnel.data.cell || home)
  // Without an item the answer still says where the relays are.
  if (items.length === 0) byCell.set(home, [])
  const cells: Cell[] = []
  let failure: unknown
  for (const [preferred, group] of byCell) {
    try {
      const cell = await chooseCell(control, preferred)
      await runRounds(control, { caller, request, cell }, { items: group, outcomes })
      cells.push(cell)
    } catch (error) {
      if (!isFailure(error, 'cell.none')) throw error
      failure = error
      for (const { index } of group) outcomes[index] = { error }
    }
  }
  const [first, ...others] = cells
  if (first === undefined) throw failure
  return [first, ...others]
}

/** The tunnel of that name, made if need be; without a name one that this agent had before. */
async function resolveTunnel(
  control: Control,
  caller: Caller,
  {
    wanted: { name, kind, agents },
    agent,
    name: fresh,
    used,
  }: { wanted: Wanted; agent: string; name: string; used: ReadonlySet<string> },
): Promise<Snapshot<TunnelDoc>> {
  requireReach(caller, name)
  const known =
    name === undefined
      ? await findIdle(control, caller.account, { agent, kind, fresh, used })
      : await findTunnelByName(controlOf(control, caller.account), caller.account, name)
  if (!known) {
    requirePermission(caller, 'tunnels.write')
    const generated = name === undefined
    const input = { name: name ?? fresh, kind, agents: agents ?? 'one', policy: {}, generated } as const
    try {
      return await createTunnel(controlOf(control, caller.account), caller, input)
    } catch (error) {
      // Another agent of the account asked for the same name at the same moment: it is there now.
      if (!generated && isFailure(error, 'tunnel.name_taken'))
        return resolveTunnel(control, caller, { wanted: { name, kind }, agent, name: fresh, used })
      throw error
    }
  }
  if (known.data.kind !== kind)
    throw fail('tunnel.kind', `The tunnel "${known.data.name}" is of kind ${known.data.kind}, not ${kind}.`)
  if (agents === undefined || agents === (known.data.agents ?? 'one')) return known
  return updateTunnel(controlOf(control, caller.account), caller, { id: known.ref.id, change: { agents } })
}

/** @throws auth.scope when a bound key asks for a tunnel that is not its own, or for any */
function requireReach(caller: Caller, name: string | undefined): void {
  if (caller.tunnels === undefined || (name !== undefined && mayTouch(caller, name))) return
  const own = [...caller.tunnels].join(', ')
  throw fail('auth.scope', `This key serves only ${own}. Name one of them, or use another key.`)
}

async function findIdle(
  control: Control,
  account: string,
  {
    agent,
    kind,
    fresh,
    used,
  }: { agent: string; kind: TunnelDoc['kind']; fresh: string; used: ReadonlySet<string> },
): Promise<Snapshot<TunnelDoc> | undefined> {
  // The same request again (the name comes from its Idempotency-Key): the same tunnel.
  const same = await findTunnelByName(controlOf(control, account), account, fresh)
  if (same) return same
  const where = { account, agent, kind, generated: true }
  const { items } = await control.store.query(queries.generatedTunnels, { where, limit: 50 })
  const quota = await control.store.get(online.ref(account))
  return items.find(({ ref }) => !quota?.data.tunnels[ref.id] && !used.has(ref.id))
}

function generatedName(seed: string, index: number): string {
  return `t-${createHash('sha256').update(`${seed}:${index}`).digest('hex').slice(0, 10)}`
}

async function runRounds(
  control: Control,
  { caller, request, cell }: { caller: Caller; request: ClaimRequest; cell: Cell },
  { items, outcomes }: { items: readonly Item[]; outcomes: Outcome[] },
): Promise<void> {
  const views = new Views(control, cell)
  await makeRoom(control, { caller, views, wanted: items.length })
  const pending = [...items]
  for (let round = 0; pending.length > 0 && round < roundsMax; round++) {
    const nowMs = control.clock.now()
    const group = pending.splice(0, claimsPerTransaction)
    const avoid = new Set<string>()
    const attempts: { item: Item; tunnel: string; candidate: string }[] = []
    for (const item of group) {
      try {
        const candidate = await findCandidate(control, { ...item, avoid, cell, views })
        avoid.add(candidate)
        attempts.push({ item, tunnel: item.tunnel.ref.id, candidate })
      } catch (error) {
        outcomes[item.index] = { error: asFailure(error) }
      }
    }
    if (attempts.length === 0) continue
    const { agent, takeover, waitedMs } = request
    const view = views.current
    const context: ClaimContext = { caller, agent, takeover, waitedMs, cell, view, nowMs }
    const { results, commands } = await claimTogether(control, context, attempts)
    await publishCommands(control, commands)
    for (const [position, { item, candidate }] of attempts.entries()) {
      const result = results[position]
      const again = (result?.kind === 'rests' || result?.kind === 'unread') && !view.isFull
      if (again) await views.full()
      const outcome = again ? undefined : settle(result, { item, candidate })
      if (outcome) outcomes[item.index] = outcome
      else pending.push(item)
    }
  }
  for (const { index } of pending) outcomes[index] = { error: fail('endpoint.exhausted') }
}

/** @returns undefined when the candidate was gone and another has to be looked for */
function settle(
  result: AttemptResult | undefined,
  { item, candidate }: { item: Item; candidate: string },
): Outcome | undefined {
  if (!result) throw new Error('a claim came back without a result')
  switch (result.kind) {
    case 'leased':
      return {
        tunnel: { ...item.tunnel, data: result.tunnel },
        id: candidate,
        endpoint: result.endpoint,
      }
    case 'refused':
      return { error: result.error }
    case 'rests':
      return { error: fail('endpoint.resting', undefined, { fields: { retryAfterMs: 60_000 } }) }
    case 'unread':
      throw new Error('a claim wants to know more than there is')
    case 'taken':
      item.tried.add(candidate)
      return undefined
    default:
      return unreachable(result)
  }
}

async function makeRoom(
  control: Control,
  { caller, views, wanted }: { caller: Caller; views: Views; wanted: number },
): Promise<void> {
  const quota = await control.store.get(online.ref(caller.account))
  const count = Object.keys(quota?.data.tunnels ?? {}).length
  if (count + wanted > caller.limits.tunnelsOnline)
    await pruneOnline(control, caller.account, await views.full())
}

/** Fresh tickets for what the agent holds; leases are extended on the way. Repeating it changes nothing. */
export async function renewLeases(
  control: Control,
  caller: Caller,
  { agent, leases }: z.infer<typeof renewSchema>,
): Promise<ClaimResult> {
  const found = await control.store.getAll(leases.map(({ tunnel }) => tunnels.ref(tunnel)))
  const outcomes = await Promise.all(
    leases.map(async ({ epoch }, index): Promise<Outcome> => {
      const tunnel = found[index]
      if (tunnel?.data.account !== caller.account || !mayTouch(caller, tunnel.data.name))
        return { error: fail('session.revoked') }
      return renewOne(control, tunnel, { agent, epoch })
    }),
  )
  const own = found.flatMap((tunnel) => (tunnel?.data.account === caller.account ? [tunnel.data.cell] : []))
  const held = outcomes.flatMap((outcome) => ('error' in outcome ? [] : [outcome.endpoint.cell]))
  const [firstId, ...otherIds] = new Set([...held, ...own].filter((id) => id !== ''))
  // Not chooseCell: after an outage agents may be back before the relays are, and keep what they have.
  const first = firstId ? await control.cells.read(firstId) : await chooseCell(control, '')
  const others = otherIds.filter((id) => held.includes(id)).map((id) => control.cells.read(id))
  const cells: Cells = [first, ...(await Promise.all(others))]
  const transfer = await readTransfer(control, caller)
  return answerLeases(control, caller, { agent, cells, outcomes, transfer })
}

async function renewOne(
  control: Control,
  tunnel: Snapshot<TunnelDoc>,
  { agent, epoch }: { agent: string; epoch: number },
): Promise<Outcome> {
  const id = tunnel.data.endpoint
  if (id === '') return { error: fail('lease.gone') }
  const claim = { tunnel: tunnel.ref.id, agent, epoch, shares: tunnel.data.agents === 'many' }
  const decide = (current: EndpointDoc | undefined) =>
    current && decideRenewal(current, { ...claim, nowMs: control.clock.now() })
  let renewal: ReturnType<typeof decide>
  let isLapsed = false
  await control.store.change(endpoints.ref(id), (current) => {
    renewal = decide(current)
    isLapsed = current !== undefined && current.expiresAt <= control.clock.now()
    return renewal?.kind === 'extend' ? renewal.next : 'keep'
  })
  if (!renewal || renewal.kind === 'gone') return { error: fail('lease.gone') }
  if (renewal.kind === 'lost') return { error: fail('lease.lost') }
  // It may have been struck off the quota meanwhile, and runs after all.
  if (isLapsed) await putOnline(control, tunnel.data.account, { [tunnel.ref.id]: { endpoint: id, epoch } })
  return { tunnel, id, endpoint: renewal.next }
}
