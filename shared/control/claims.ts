/**
 * Claims and renewals, a list in each call. Every tunnel of the list gets its own result: one refusal does not fail the
 * others. Rules: lease-rules.ts; where to look: candidates.ts; the writing: claim-transaction.ts.
 */
import type { z } from 'zod'
import type { ClaimResult, renewSchema } from '../api/schemas/tunnels.ts'
import { fail, isFailure } from '../base/errors.ts'
import { requireProvenMail } from './abuse/proven-mail.ts'
import { takenDownError } from './abuse/taken-down.ts'
import { type Caller, mayTouch, requirePermission } from './caller.ts'
import { chooseCell, isLost } from './cell-choice.ts'
import type { Cell } from './cells.ts'
import { claimPolicy, type PolicyChange } from './claim-policy.ts'
import { Claiming, type ClaimOf, type ClaimRequest, type Item } from './claiming.ts'
import { type Control, controlOf } from './control.ts'
import { deletedTunnels, type EndpointDoc, endpoints, type TunnelDoc, tunnels } from './documents.ts'
import { followTunnel } from './domains/following.ts'
import { asFailure } from './failures.ts'
import { type Drafting, findGenerated } from './generated.ts'
import { answerLeases, type Cells, type Outcome } from './lease-answer.ts'
import type { Snapshot } from './platform.ts'
import { recordRefusals } from './refusals.ts'
import { decideRenewal } from './renewal-rules.ts'
import { findKept } from './reserving.ts'
import { readTransfer, transferGate } from './transfer.ts'
import { draftTunnel, findTunnelByName, updateTunnel } from './tunnels.ts'

/** When a cell has no port left, try at most this many: more would search all of the service's ports in one call. */
const cellsTried = 4

type Wanted = ClaimRequest['tunnels'][number]

/** A problem of one tunnel is at that tunnel's index in the result. @throws cell.none, cell.unknown, auth.unverified */
export async function claimLeases(
  control: Control,
  caller: Caller,
  request: ClaimRequest,
  { seed, runningMs }: { seed?: string; runningMs?: number | undefined } = {},
): Promise<ClaimResult> {
  requireProvenMail(control, caller)
  const since = control.clock.monotonic()
  const transfer = await readTransfer(control, caller)
  const checkTransfer = transferGate(control, caller, transfer)
  const outcomes: Outcome[] = []
  const known: Snapshot<TunnelDoc>[] = []
  const items: Item[] = []
  const policyChanges: PolicyChange[] = []
  const used = new Set<string>()
  const source = seed ?? `${control.random()}`
  for (const [index, wanted] of request.tunnels.entries()) {
    try {
      const search = { wanted, agent: request.agent, seed: `${source}:${index}`, used }
      const resolved = await resolveTunnel(control, caller, search)
      known[index] = resolved.tunnel
      const { policy: parts, tags } = wanted
      const { found, changed } = await claimPolicy(control, caller, { found: resolved, parts, tags })
      policyChanges[index] = changed
      const { tunnel, redraft } = found
      if (used.has(tunnel.data.name)) throw fail('api.combination', 'The same tunnel is asked for twice.')
      used.add(tunnel.data.name)
      await checkTransfer(tunnel)
      items.push({ index, tunnel, port: wanted.port, ...(redraft && { redraft }) })
    } catch (error) {
      outcomes[index] = { error: asFailure(error) }
    }
  }
  const cells = await claimByCell(control, { caller, request, since, runningMs }, { items, outcomes })
  for (const { index, tunnel } of items) await followMoved(control, tunnel, outcomes[index])
  await recordRefusals(controlOf(control, caller.account), known, outcomes)
  const [firstOutcome] = outcomes
  const isBusy = outcomes.every((one) => 'error' in one && one.error.key === 'lease.busy')
  if (isBusy && firstOutcome && 'error' in firstOutcome) throw firstOutcome.error
  return answerLeases(control, caller, { agent: request.agent, cells, outcomes, transfer, policyChanges })
}

/**
 * Claims every tunnel in the cell that it was in before, and new ones beside the first of them.
 * @returns the cells that had a relay
 * @throws cell.none when none had
 */
async function claimByCell(
  control: Control,
  claim: Pick<ClaimOf, 'caller' | 'request' | 'since' | 'runningMs'>,
  { items, outcomes }: { items: readonly Item[]; outcomes: Outcome[] },
): Promise<Cells> {
  const home = items.find(({ tunnel }) => tunnel.data.cell !== '')?.tunnel.data.cell ?? ''
  const { cell: named, near } = claim.request
  const byCell = Map.groupBy(
    items,
    ({ tunnel }) => named ?? tunnel.data.wishCell ?? (tunnel.data.cell || home),
  )
  // Even without an item, the answer says where the relays are.
  if (items.length === 0) byCell.set(named ?? home, [])
  const spared = new Set(items.map(({ tunnel }) => tunnel.ref.id))
  const cells: Cell[] = []
  let failure: unknown
  for (const [preferred, group] of byCell) {
    const full: string[] = []
    for (let left = group; full.length === 0 || (left.length > 0 && full.length < cellsTried); ) {
      try {
        const cell = await chooseCell(control, { preferred, named, near, full })
        const claiming = new Claiming(control, { ...claim, cell, items: left, spared })
        for (const [index, outcome] of await claiming.run()) outcomes[index] = outcome
        if (cells.every(({ id }) => id !== cell.id)) cells.push(cell)
        full.push(cell.id)
        left = left.filter(({ index, tunnel }) => isElsewhereToo(tunnel, outcomes[index], named))
      } catch (error) {
        if (!isFailure(error, 'cell.none')) throw error
        // Keep the errors of the cells that had no room.
        if (full.length === 0) for (const { index } of left) outcomes[index] = { error }
        failure ??= error
        break
      }
    }
  }
  const [first, ...others] = cells
  if (first === undefined) throw failure
  return [first, ...others]
}

async function followMoved(
  control: Control,
  { data: { account, cell, names = [] } }: Snapshot<TunnelDoc>,
  outcome: Outcome | undefined,
): Promise<void> {
  if (!outcome || 'error' in outcome || outcome.endpoint.cell === cell || names.length === 0) return
  await followTunnel(
    control,
    account,
    names.map(({ host }) => host),
  )
}

/** A tunnel that never had an address may go to any cell: another one may have a port for it. */
function isElsewhereToo(
  { data }: Snapshot<TunnelDoc>,
  outcome: Outcome | undefined,
  named: string | undefined,
): boolean {
  const isFull = outcome !== undefined && 'error' in outcome && outcome.error.key === 'endpoint.exhausted'
  return isFull && named === undefined && data.cell === ''
}

/**
 * Finds the tunnel of that name; without a name, one that this agent had before. A new tunnel is made together with its
 * lease, so that a refused claim leaves nothing behind.
 */
async function resolveTunnel(
  control: Control,
  caller: Caller,
  {
    wanted: { name, kind, agents, port },
    ...wish
  }: { wanted: Wanted; agent: string; seed: string; used: ReadonlySet<string> },
): Promise<Drafting> {
  requireReach(caller, name)
  const own = controlOf(control, caller.account)
  const mode = agents && { agents }
  const draftNamed = (called: string) =>
    draftTunnel(caller, { name: called, kind, ...mode, policy: {} }, control.clock.now())
  const found =
    name === undefined
      ? await findGenerated(control, caller, { ...wish, kind, ...mode })
      : { tunnel: (await findTunnelByName(own, caller.account, name)) ?? draftNamed(name) }
  const { tunnel } = found
  if (tunnel.version === '') {
    requirePermission(caller, 'tunnels.write')
    const kept = await findKept(
      control,
      caller.account,
      kind === 'tcp' ? { port } : { name, isTls: kind === 'tls' },
    )
    return { ...found, tunnel: { ...tunnel, data: { ...tunnel.data, ...kept } } }
  }
  const { data } = tunnel
  if (data.kind !== kind)
    throw fail('tunnel.kind', `The tunnel "${data.name}" is of kind ${data.kind}, not ${kind}.`)
  if (agents === undefined || agents === (data.agents ?? 'one')) return found
  return { tunnel: await updateTunnel(own, caller, { id: tunnel.ref.id, change: { agents } }) }
}

/** @throws auth.scope when a bound key asks for a tunnel that is not its own, or for any */
function requireReach(caller: Caller, name: string | undefined): void {
  if (caller.tunnels === undefined || (name !== undefined && mayTouch(caller, name))) return
  const own = [...caller.tunnels].join(', ')
  throw fail('auth.scope', `This key serves only ${own}. Name one of them, or use another key.`)
}

/** Gives fresh tickets for what the agent holds, and extends the leases. Repeating it changes nothing. */
export async function renewLeases(
  control: Control,
  caller: Caller,
  { agent, leases }: z.infer<typeof renewSchema>,
): Promise<ClaimResult> {
  const found = await control.store.getAll(leases.map(({ tunnel }) => tunnels.ref(tunnel)))
  const outcomes = await Promise.all(
    leases.map(async ({ epoch }, index): Promise<Outcome> => {
      const tunnel = found[index]
      if (!tunnel && (await isForgotten(control, leases[index]?.tunnel))) return { error: fail('lease.gone') }
      if (tunnel?.data.account !== caller.account || !mayTouch(caller, tunnel.data.name))
        return { error: fail('session.revoked') }
      return renewOne(control, tunnel, { agent, epoch, key: caller.actor })
    }),
  )
  const own = found.flatMap((tunnel) => (tunnel?.data.account === caller.account ? [tunnel.data.cell] : []))
  const held = outcomes.flatMap((outcome) => ('error' in outcome ? [] : [outcome.endpoint.cell]))
  const [firstId, ...otherIds] = new Set([...held, ...own].filter((id) => id !== ''))
  // Not chooseCell: after an outage agents may be back before the relays, and keep what they have.
  const first = firstId ? await control.cells.lately(firstId) : await chooseCell(control, { preferred: '' })
  const others = otherIds.filter((id) => held.includes(id)).map((id) => control.cells.lately(id))
  const cells: Cells = [first, ...(await Promise.all(others))]
  const transfer = await readTransfer(control, caller)
  const left = await leaveLost(control, cells, outcomes)
  return answerLeases(control, caller, { agent, cells, outcomes: left, transfer })
}

/** In a lost cell nobody serves a tunnel; a claim takes it to another one. */
async function leaveLost(
  control: Control,
  cells: Cells,
  outcomes: readonly Outcome[],
): Promise<readonly Outcome[]> {
  const lost = new Set<string>()
  for (const cell of cells) if (await isLost(control, cell)) lost.add(cell.id)
  return outcomes.map((one) =>
    !('error' in one) && lost.has(one.endpoint.cell) ? { error: fail('lease.gone') } : one,
  )
}

/**
 * A deleted tunnel leaves a tombstone that its tickets do not outlive. Without one the store was restored to a time
 * before the tunnel; a claim makes it anew by its name.
 */
async function isForgotten({ store }: Pick<Control, 'store'>, tunnel = ''): Promise<boolean> {
  return (await store.get(deletedTunnels.ref(tunnel))) === undefined
}

async function renewOne(
  control: Control,
  tunnel: Snapshot<TunnelDoc>,
  { agent, epoch, key }: { agent: string; epoch: number; key: string },
): Promise<Outcome> {
  if (tunnel.data.takenDown) return { error: takenDownError(tunnel.data) }
  const id = tunnel.data.endpoint
  if (id === '') return { error: fail('lease.gone') }
  const claim = { tunnel: tunnel.ref.id, agent, epoch, key, shares: tunnel.data.agents === 'many' }
  const decide = (current: EndpointDoc | undefined) =>
    current && decideRenewal(current, { ...claim, nowMs: control.clock.now() })
  let renewal: ReturnType<typeof decide>
  await control.store.change(endpoints.ref(id), (current) => {
    renewal = decide(current)
    return renewal?.kind === 'extend' ? renewal.next : 'keep'
  })
  if (!renewal || renewal.kind === 'gone') return { error: fail('lease.gone') }
  if (renewal.kind === 'displaced') return { error: fail('quota.displaced') }
  if (renewal.kind === 'lost') return { error: fail('lease.lost') }
  return { tunnel, id, endpoint: renewal.next }
}
