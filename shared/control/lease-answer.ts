/** The answer to a claim or a renewal: each lease with its ticket, and where the relays of its cell are. */
import { toProblem } from '../api/problem.ts'
import type { ClaimResult, Lease } from '../api/schemas/tunnels.ts'
import type { PortTunnelerError } from '../base/errors.ts'
import { requestFields } from '../base/request-scope.ts'
import { limits } from '../protocol/limits.ts'
import type { Caller } from './caller.ts'
import { type Cell, describeEndpoint, directoryOf, readyRelays } from './cells.ts'
import type { PolicyChange } from './claim-policy.ts'
import type { Control } from './control.ts'
import type { EndpointDoc, TunnelDoc } from './documents.ts'
import { howToLift } from './money/lifting.ts'
import { accountLimitsOf, policyOf } from './plans.ts'
import type { Snapshot } from './platform.ts'
import { type CountedTransfer, shareOf, type TransferShare } from './transfer.ts'

type Granted = { readonly tunnel: Snapshot<TunnelDoc>; readonly id: string; readonly endpoint: EndpointDoc }
export type Outcome = Granted | { readonly error: PortTunnelerError }
/** Older agents bind everything at the first one. */
export type Cells = readonly [Cell, ...Cell[]]

/** Spreads the renewals of many agents that started together. */
const renewJitter = 0.1

export async function answerLeases(
  control: Control,
  caller: Caller,
  context: {
    readonly agent: string
    readonly cells: Cells
    readonly outcomes: readonly Outcome[]
    readonly transfer: CountedTransfer | undefined
    /** What claims changed, by the place in the request. */
    readonly policyChanges?: readonly (PolicyChange | undefined)[]
  },
): Promise<ClaimResult> {
  const { docsUrl } = control.settings
  const { agent, cells, outcomes, transfer, policyChanges = [] } = context
  const [first, ...others] = cells
  const results = outcomes.map(async (outcome, index) => {
    if ('error' in outcome) {
      const lift = await howToLift(control, outcome.error)
      return { problem: toProblem(outcome.error, { docsUrl, lift, ...instanceNow() }) }
    }
    const cell = cells.find(({ id }) => id === outcome.endpoint.cell) ?? first
    const share = shareOf(transfer, readyRelays(control, cell).length)
    const lease = await describeLease(control, caller, { agent, cell, granted: outcome, share })
    const policySet = policyChanges[index] ?? []
    return { lease: { ...lease, ...(policySet.length > 0 && { policySet: [...policySet] }) } }
  })
  const early = 1 - renewJitter * control.random()
  const otherCells = others.map((cell) => ({ cell: cell.id, relays: directoryOf(control, cell) }))
  return {
    relays: directoryOf(control, first),
    cell: first.id,
    ...(otherCells.length > 0 && { otherCells }),
    results: await Promise.all(results),
    renewInMs: Math.round((limits.ticketMs / 2) * early),
  }
}

/** The request that is answered; there is none where the rules are called by themselves. */
function instanceNow(): { instance?: string } {
  const { requestId } = requestFields()
  return requestId === undefined ? {} : { instance: requestId }
}

async function describeLease(
  control: Control,
  caller: Caller,
  { agent, cell, granted, share }: { agent: string; cell: Cell; granted: Granted; share: TransferShare },
): Promise<Lease> {
  const { tunnel, id, endpoint } = granted
  const { name, kind, agents, policy, policyVersion, edits, names = [] } = tunnel.data
  const { requestId: request } = requestFields()
  const nowMs = control.clock.now()
  const leasedUntil = endpoint.holders?.[agent]?.expiresAt ?? endpoint.expiresAt
  const expiresAt = Math.min(nowMs + limits.ticketMs, leasedUntil)
  const claims = {
    sub: tunnel.ref.id,
    aud: endpoint.cell,
    account: caller.account,
    agent,
    ...(agents === 'many' && { agents }),
    kind,
    name,
    endpoint: id,
    epoch: endpoint.epoch,
    plan: caller.plan,
    policy: policyOf(policy, caller.limits),
    policyVersion,
    accountLimits: accountLimitsOf(caller.limits),
    ...share,
    ...(names.length > 0 && { names: [...names] }),
    ...(request !== undefined && { request }),
  }
  return {
    tunnel: tunnel.ref.id,
    name,
    kind,
    endpoint: describeEndpoint(id, kind, cell),
    cell: cell.id,
    agents: agents ?? 'one',
    epoch: endpoint.epoch,
    expiresAt: leasedUntil,
    ticket: await control.signer.signTicket(claims, { nowMs, expiresAt }),
    ticketExpiresAt: expiresAt,
    ...(request !== undefined && { request }),
    ...(edits && { edits }),
  }
}
