/** One agent's claim: it looks for an endpoint for each of its tunnels, and the account's lane takes it. */
import type { z } from 'zod'
import type { claimSchema } from '../api/schemas/tunnels.ts'
import { fail, type PortTunnelerError } from '../base/errors.ts'
import { unreachable } from '../base/unreachable.ts'
import type { Caller } from './caller.ts'
import { findCandidate, isAskedFor } from './candidates.ts'
import { type Cell, Views } from './cells.ts'
import type { Attempt } from './claim-attempt.ts'
import type { AttemptResult } from './claim-transaction.ts'
import { makeTunnelRoom } from './collecting.ts'
import { type Control, controlOf } from './control.ts'
import { findDisplaceable } from './displacing.ts'
import type { TunnelDoc } from './documents.ts'
import { asFailure } from './failures.ts'
import type { Drafting } from './generated.ts'
import type { Outcome } from './lease-answer.ts'
import type { CellView } from './lease-rules.ts'
import type { Snapshot } from './platform.ts'
import { doubtQuota } from './quota.ts'
import { findTunnelByName } from './tunnels.ts'

/** After this many rounds a claim is told that there is nothing: each round lost a race, so others are being served. */
const roundsMax = 200
/** How often room is made. A displaced agent that comes back in time keeps its lease, and another is looked for. */
const roomMax = 3

export type ClaimRequest = z.infer<typeof claimSchema>
export type Item = {
  readonly index: number
  readonly tunnel: Snapshot<TunnelDoc>
  readonly port: number | undefined
  /** For a tunnel that the service names and has yet to make: the same tunnel under its next name. */
  readonly redraft?: Drafting['redraft']
}

export type ClaimOf = {
  readonly caller: Caller
  readonly request: ClaimRequest
  readonly cell: Cell
  /** Monotonic; when the request came. */
  readonly since: number
  readonly items: readonly Item[]
  /** How long the agent's program has been running; undefined: it does not say. */
  readonly runningMs: number | undefined
  /** Tunnels of the request: none of them may be ended for another. */
  readonly spared: ReadonlySet<string>
}
/** The state of one tunnel from round to round. */
type Search = Pick<Item, 'port' | 'redraft'> & {
  tunnel: Snapshot<TunnelDoc>
  readonly tried: Set<string>
  displaced: Attempt['displaced']
  roomMade: number
}

export class Claiming {
  readonly #control: Control
  readonly #claim: ClaimOf
  readonly #views: Views
  readonly #startedAt: number | undefined
  /** Endpoints proposed for one of its tunnels; no other may get them. */
  readonly #proposed = new Set<string>()

  constructor(control: Control, claim: ClaimOf) {
    this.#control = control
    this.#claim = claim
    this.#views = new Views(control, claim.cell)
    const { runningMs } = claim
    this.#startedAt = runningMs === undefined ? undefined : control.clock.now() - runningMs
  }

  /** Keyed by the place in the request. */
  async run(): Promise<ReadonlyMap<number, Outcome>> {
    const outcomes = new Map<number, Outcome>()
    await Promise.all(
      this.#claim.items.map(async (item) => {
        outcomes.set(item.index, await this.#obtain(item))
      }),
    )
    return outcomes
  }

  async #obtain({ index: _, ...item }: Item): Promise<Outcome> {
    const search: Search = { ...item, tried: new Set(), displaced: [], roomMade: 0 }
    try {
      for (let round = 0; round < roundsMax; round++) {
        const outcome = await this.#round(search)
        if (outcome) return outcome
      }
      return { error: fail('endpoint.exhausted') }
    } catch (error) {
      return { error: asFailure(error) }
    }
  }

  /** @returns undefined when it has to be tried again */
  async #round(search: Search): Promise<Outcome | undefined> {
    const { caller, request, cell, since } = this.#claim
    const { agent, takeover, waitedMs } = request
    const candidate = await this.#propose(search)
    const former = await this.#viewOfFormer(search.tunnel)
    const view = this.#views.current
    const nowMs = this.#control.clock.now()
    const startedAt = this.#startedAt
    const context = { caller, agent, takeover, waitedMs, startedAt, cell, view, nowMs }
    const { tunnel, port, displaced } = search
    const insists = isAskedFor(candidate, { tunnel, port, cell })
    try {
      const attempt = { context, tunnel, candidate, insists, displaced, former }
      const result = await this.#control.lanes.claim(this.#control, caller.account, { attempt, since })
      return await this.#settle(search, { candidate, result, hadBound: view.hasBound })
    } finally {
      this.#proposed.delete(candidate)
    }
  }

  /** Only relays of the cell that the tunnel leaves know whether its agent is still there. */
  async #viewOfFormer({ data: { cell } }: Snapshot<TunnelDoc>): Promise<CellView | undefined> {
    if (cell === '' || cell === this.#claim.cell.id) return undefined
    const found = await this.#control.cells.find(cell)
    return found && new Views(this.#control, found).withBound()
  }

  async #propose({ tunnel, port, tried }: Search): Promise<string> {
    const { cell } = this.#claim
    const own = tunnel.data.endpoint
    const search = { tunnel, port, tried, avoid: this.#proposed, cell, views: this.#views }
    for (;;) {
      const candidate = await findCandidate(this.#control, search)
      // Another tunnel of the call may have chosen the same one just now. Its own one, and one asked for, are only its
      // own.
      if (
        this.#proposed.has(candidate) &&
        candidate !== own &&
        port === undefined &&
        tunnel.data.kind === 'tcp'
      )
        continue
      this.#proposed.add(candidate)
      return candidate
    }
  }

  async #settle(
    search: Search,
    { candidate, result, hadBound }: { candidate: string; result: AttemptResult; hadBound: boolean },
  ): Promise<Outcome | undefined> {
    switch (result.kind) {
      case 'leased':
        return { tunnel: { ...search.tunnel, data: result.tunnel }, id: candidate, endpoint: result.endpoint }
      case 'refused':
        return { error: result.error }
      case 'rests':
        if (hadBound) return { error: resting(result.untilMs, this.#control.clock.now()) }
        await this.#views.withBound()
        return undefined
      case 'unread':
        if (hadBound) throw new Error('a claim asks for relay reports that were already read')
        await this.#views.withBound()
        return undefined
      case 'taken':
        if (search.tunnel.data.kind === 'tcp' || !this.#rename(search)) search.tried.add(candidate)
        return undefined
      case 'named':
        return this.#findNamed(search)
      case 'full':
        return this.#endOthers(search, result)
      case 'crowded':
        return this.#dropUnused(search, result.error)
      case 'again':
        throw new Error('a claim does not fit a transaction')
      default:
        return unreachable(result)
    }
  }

  /** Another agent of the account asked for the same name at the same moment, and has made the tunnel. */
  async #findNamed(search: Search): Promise<Outcome | undefined> {
    const { account } = this.#claim.caller
    const { name, kind, request } = search.tunnel.data
    const found = await findTunnelByName(controlOf(this.#control, account), account, name)
    if (!found) return undefined
    // The service chose the same name for two requests.
    if (request !== undefined && found.data.request !== request && this.#rename(search)) return undefined
    if (found.data.kind !== kind) return { error: fail('tunnel.kind') }
    search.tunnel = found
    return undefined
  }

  /** Gives a generated name, which nobody knows yet, another form. @returns whether it has one */
  #rename(search: Search): boolean {
    const next = search.tunnel.version === '' ? search.redraft?.() : undefined
    if (next) search.tunnel = next
    return next !== undefined
  }

  async #endOthers(
    search: Search,
    { over, error }: Extract<AttemptResult, { kind: 'full' }>,
  ): Promise<Outcome | undefined> {
    const { caller, spared } = this.#claim
    search.displaced =
      search.roomMade++ < roomMax
        ? await findDisplaceable(this.#control, caller.account, { count: over, spared })
        : []
    if (search.displaced.length >= over) return undefined
    await doubtQuota(this.#control, caller.account)
    return { error }
  }

  async #dropUnused(search: Search, error: PortTunnelerError): Promise<Outcome | undefined> {
    const { account } = this.#claim.caller
    if (search.roomMade++ < roomMax && (await makeTunnelRoom(this.#control, account))) return undefined
    await doubtQuota(this.#control, account)
    return { error }
  }
}

function resting(untilMs: number | undefined, nowMs: number): PortTunnelerError {
  const fields = { retryAfterMs: 60_000 }
  if (untilMs === undefined || untilMs <= nowMs) return fail('endpoint.resting', undefined, { fields })
  const minutes = Math.ceil((untilMs - nowMs) / 60_000)
  return fail(
    'endpoint.resting',
    `It was another account's until a while ago, and is free in ${minutes} min.`,
    { fields },
  )
}
