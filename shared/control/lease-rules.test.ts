import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { limits } from '../protocol/limits.ts'
import { blankEndpoint } from './cells.ts'
import type { EndpointDoc } from './documents.ts'
import {
  type CellView,
  decideClaim,
  disband,
  endLapsed,
  free,
  holdersMax,
  isAway,
  isHolder,
  isReserved,
  leave,
  liveHolders,
  mayReuse,
  release,
  withAway,
} from './lease-rules.ts'
import { decideRenewal } from './renewal-rules.ts'
import { decideReserve, dedicate, giveUp, passOn, restMsOf } from './reservation-rules.ts'

const start = Date.UTC(2026, 0, 1)
const minute = 60_000
const id = 'tcp:home:20000'

/** Four tunnels of two accounts, one agent each, and a second agent for the first tunnel. */
const claimants = [
  { account: 'a', tunnel: 'a1', agent: 'x' },
  { account: 'a', tunnel: 'a1', agent: 'y' },
  { account: 'a', tunnel: 'a2', agent: 'x' },
  { account: 'b', tunnel: 'b1', agent: 'z' },
] as const

type Ticket = {
  readonly tunnel: string
  readonly agent: string
  readonly account: string
  readonly epoch: number
  readonly exp: number
}

/** One endpoint, its relay, and every ticket that was ever signed for it. */
class World {
  nowMs = start
  doc: EndpointDoc
  readonly tickets: Ticket[] = []
  /** What the relay knows: the highest epoch that a command named, and when it last asked. */
  relayEpoch = 0
  relayReadAt = start
  /** How wrong its clock is until the control plane has told it the time. */
  relayOffMs = 0
  binding: Ticket | undefined
  /** Commands that wait for the relay to ask. */
  #sent: { at: number; epoch: number }[] = []

  /** Whether the tunnels are for many agents. */
  readonly shares: boolean

  constructor(kind: 'tcp' | 'host', shares = false) {
    this.doc = blankEndpoint('home', kind, 0.5)
    this.shares = shares
  }

  get view(): CellView {
    return {
      witnesses: [
        {
          instance: 'r1',
          bootAt: start,
          seenAt: this.relayReadAt,
          heardSince: start,
          isWhole: true,
          serves: () => this.binding && { epoch: this.binding.epoch, isDetached: false },
        },
      ],
      ready: [{ instance: 'r1', bootAt: start }],
      appliedAt: this.relayReadAt,
      seenAt: this.relayReadAt,
      hasBound: true,
      isBound: () => this.binding !== undefined,
    }
  }

  sync() {
    this.relayReadAt = this.nowMs
    this.relayOffMs = 0
    for (const { epoch } of this.#sent.splice(0)) this.#hear(epoch)
  }

  #hear(epoch: number) {
    this.relayEpoch = Math.max(this.relayEpoch, epoch)
    if (this.binding && this.binding.epoch < this.relayEpoch) this.binding = undefined
  }

  /** A new process, out of touch, with what the last one stored, on a machine whose clock was changed. */
  restart(offMs: number) {
    this.binding = undefined
    this.relayOffMs = offMs
  }

  /** A relay takes a live ticket unless it knows of a higher epoch. */
  couldBind({ exp, epoch }: Ticket) {
    return exp + limits.skewMs > this.nowMs + this.relayOffMs && epoch >= this.relayEpoch
  }

  bind(index: number) {
    const ticket = this.tickets[index % Math.max(1, this.tickets.length)]
    if (!ticket || !this.couldBind(ticket)) return
    this.#hear(ticket.epoch)
    this.binding = ticket
  }

  claim(who: (typeof claimants)[number], how: { takeover: boolean; insists: boolean }) {
    this.#endLapsed(who)
    const before = this.doc
    const verdict = decideClaim(id, before, {
      claimant: { ...who, ...how, shares: this.shares },
      cell: this.view,
      nowMs: this.nowMs,
    })
    if (verdict.kind !== 'take') return
    if (isReserved(before)) {
      expect(who.account, 'kept for its account').toBe(before.account)
      expect(['', who.tunnel], 'kept for one tunnel').toContain(before.reservedTunnel)
      expect(verdict.next.reservedAt).toBe(before.reservedAt)
    }
    this.#checkHandover(before, verdict.next)
    if (this.shares && before.state === 'leased' && before.tunnel === who.tunnel) {
      expect(verdict).toMatchObject({ evicts: false, next: { epoch: before.epoch } })
      for (const [agent] of liveHolders(before, this.nowMs))
        expect(isHolder(verdict.next, agent), `${agent} stays`).toBe(true)
    }
    this.doc = verdict.next
    if (verdict.evicts) this.#sent.push({ at: this.nowMs, epoch: this.doc.epoch })
    this.#sign(who.agent)
  }

  /** Ends a lapsed lease as the system does, so that a claim touches only one account's quota. */
  #endLapsed({ account }: (typeof claimants)[number]) {
    const { doc, nowMs } = this
    const ended = doc.account === account ? undefined : endLapsed(id, doc, { cell: this.view, nowMs })
    if (!ended) return
    this.#checkHandover(doc, ended)
    this.doc = ended
    this.#sent.push({ at: nowMs, epoch: ended.epoch })
  }

  /** Reserves it for an account. */
  reserve(account: string) {
    const verdict = decideReserve(id, this.doc, { account, cell: this.view, nowMs: this.nowMs })
    if (verdict.kind !== 'take') return
    const { next } = verdict
    if (next.tunnel !== this.doc.tunnel) this.#checkHandover(this.doc, { ...next, epoch: next.epoch + 1 })
    this.doc = next
  }

  /** A change of the account to what it keeps. */
  keep(change: (doc: EndpointDoc) => EndpointDoc) {
    if (!isReserved(this.doc)) return
    const before = this.doc
    this.doc = change(before)
    expect(this.doc.epoch).toBeGreaterThanOrEqual(before.epoch)
    if (before.state === 'leased' && this.doc.state === 'resting')
      this.#sent.push({ at: this.nowMs, epoch: this.doc.epoch })
  }

  #checkHandover(before: EndpointDoc, next: EndpointDoc) {
    const others = this.tickets.filter(({ account }) => account !== next.account)
    for (const ticket of others)
      expect(this.couldBind(ticket), JSON.stringify({ ticket, before })).toBe(false)
    expect(next.epoch).toBeGreaterThanOrEqual(before.epoch)
    const sameHolder = Object.keys(next.holders ?? {}).some((agent) => isHolder(before, agent))
    if (before.tunnel !== next.tunnel || !(sameHolder || this.shares))
      expect(next.epoch).toBeGreaterThan(before.epoch)
    if (before.tunnel === next.tunnel) return
    expect(this.binding).toBeUndefined()
    // Within an account a higher epoch is enough, as between the agents of one tunnel.
    const isLive = before.state === 'leased' && before.expiresAt + limits.skewMs > this.nowMs
    if (isLive && before.account === next.account) return
    const old = this.tickets.filter(({ tunnel, epoch }) => tunnel !== next.tunnel && epoch <= before.epoch)
    for (const ticket of old) expect(this.couldBind(ticket), JSON.stringify({ ticket, before })).toBe(false)
  }

  renew(index: number) {
    const ticket = this.tickets[index % Math.max(1, this.tickets.length)]
    if (!ticket) return
    const { tunnel, epoch, agent } = ticket
    const claim = { tunnel, agent, epoch, shares: this.shares, key: 'k', nowMs: this.nowMs }
    const renewal = decideRenewal(this.doc, claim)
    if (this.shares) expect(renewal.kind, 'nobody loses to another').not.toBe('lost')
    if (!('next' in renewal)) return
    expect(decideRenewal(renewal.next, claim).kind).toBe('keep')
    this.doc = renewal.next
    this.#sign(agent)
  }

  /** One agent gives back what it holds, or its part. */
  leave(agent: string) {
    if (this.doc.state !== 'leased' || !isHolder(this.doc, agent)) return
    const left = leave(this.doc, agent, this.nowMs)
    if (!left) {
      this.end(false)
      return
    }
    expect(isHolder(left, agent)).toBe(false)
    expect(left).toMatchObject({ state: 'leased', epoch: this.doc.epoch })
    this.doc = left
  }

  /** Its owner sets it to one agent again. */
  disband() {
    if (this.doc.state !== 'leased' || liveHolders(this.doc, this.nowMs).length < 2) return
    this.doc = disband(this.doc, this.nowMs)
    this.#sent.push({ at: this.nowMs, epoch: this.doc.epoch })
  }

  end(forget: boolean) {
    if (this.doc.state !== 'leased' && this.doc.state !== 'resting') return
    const before = this.doc
    this.doc = release(before, { nowMs: this.nowMs, forget })
    expect(this.doc.keepUntil).toBeGreaterThanOrEqual(this.doc.restUntil)
    if (before.state === 'leased') this.#sent.push({ at: this.nowMs, epoch: this.doc.epoch })
  }

  sweep() {
    if (this.doc.state === 'leased' && this.doc.expiresAt <= this.nowMs && !this.binding) this.end(false)
    const isOver = this.doc.state === 'resting' && this.doc.keepUntil <= this.nowMs
    const account = isReserved(this.doc) ? this.doc.account : ''
    if (!isOver || !mayReuse(id, this.doc, { account, cell: this.view, nowMs: this.nowMs })) return
    const freed = free(this.doc)
    expect(freed).toMatchObject({ state: account === '' ? 'free' : 'reserved', account })
    this.#checkHandover(this.doc, { ...freed, tunnel: 'nobody', epoch: freed.epoch + 1 })
    this.doc = freed
  }

  #sign(agent: string) {
    const exp = Math.min(this.nowMs + limits.ticketMs, this.doc.holders?.[agent]?.expiresAt ?? 0)
    expect(exp).toBeGreaterThan(this.nowMs)
    expect(exp).toBeLessThanOrEqual(this.doc.expiresAt)
    const { tunnel, account, epoch } = this.doc
    for (const other of this.tickets.filter((ticket) => ticket.epoch === epoch))
      expect([other.tunnel, this.shares || other.agent], 'nobody else was ever served at this epoch').toEqual(
        [tunnel, this.shares || agent],
      )
    this.tickets.push({ tunnel, agent, account, epoch, exp })
  }
}

const plain = { takeover: false, insists: false }

/** Waits at random, and to the moments at which something ends. */
const waits = fc.oneof(
  fc.integer({ min: 1, max: 180 * minute }),
  fc.constantFrom(limits.ticketMs, limits.leaseMs, limits.skewMs, limits.awayMs),
)

type Step = (world: World) => void
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(fc.constantFrom(...claimants), fc.boolean(), fc.boolean()).map(
      ([who, takeover, insists]): Step =>
        (world) =>
          world.claim(who, { takeover, insists }),
    ),
  },
  fc.nat(50).map(
    (index): Step =>
      (world) =>
        world.renew(index),
  ),
  fc.nat(50).map(
    (index): Step =>
      (world) =>
        world.bind(index),
  ),
  fc.boolean().map(
    (forget): Step =>
      (world) =>
        world.end(forget),
  ),
  fc.constantFrom('x', 'y', 'z').map(
    (agent): Step =>
      (world) =>
        world.leave(agent),
  ),
  fc.constant<Step>((world) => world.disband()),
  fc.constantFrom('a', 'b').map(
    (account): Step =>
      (world) =>
        world.reserve(account),
  ),
  {
    weight: 2,
    arbitrary: fc.constant<Step>((world) =>
      world.keep((doc) => passOn(doc, doc.account === 'a' ? 'b' : 'a', world.nowMs)),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.nat(2).map(
      (index): Step =>
        (world) =>
          world.keep((doc) =>
            dedicate(doc, ['', `${doc.account}1`, `${doc.account}1`][index] ?? '', world.nowMs),
          ),
    ),
  },
  fc.constant<Step>((world) => world.keep((doc) => giveUp(doc, restMsOf(doc, world.nowMs), world.nowMs))),
  fc.constant<Step>((world) => world.sweep()),
  { weight: 2, arbitrary: fc.constant<Step>((world) => world.sync()) },
  fc.constant<Step>((world) => {
    world.binding = undefined
  }),
  fc.integer({ min: -limits.skewMs, max: limits.skewMs }).map(
    (offMs): Step =>
      (world) =>
        world.restart(offMs),
  ),
  {
    weight: 3,
    arbitrary: waits.map(
      (ms): Step =>
        (world) => {
          world.nowMs += ms
        },
    ),
  },
)

describe('lease: the state machine', () => {
  test.each([
    ['tcp', 'one agent', false],
    ['host', 'one agent', false],
    ['tcp', 'many agents', true],
    ['host', 'many agents', true],
  ] as const)(
    'no run of claims, renewals, releases, reservations and outages hands a %s endpoint of %s on while an old ticket could bind it',
    (kind, _agents, shares) => {
      fc.assert(
        fc.property(fc.array(steps, { minLength: 5, maxLength: 60 }), (run) => {
          const world = new World(kind, shares)
          for (const step of run) step(world)
        }),
        { numRuns: 1_500 },
      )
    },
  )

  test('every endpoint that nobody serves can go to somebody else in the end', () => {
    const world = new World('tcp')
    world.claim(claimants[0], plain)
    world.nowMs += limits.leaseMs + limits.skewMs
    world.sync()
    world.claim(claimants[3], plain)
    expect(world.doc).toMatchObject({ state: 'leased', account: 'b' })
  })

  test('a tunnel that insists gets another tunnel’s unserved endpoint in its account, and a stranger does not', () => {
    const [first, , other, stranger] = claimants
    const insisting = { takeover: false, insists: true }
    const world = new World('tcp')
    world.claim(first, plain)
    world.nowMs += limits.awayMs
    world.sync()
    world.claim(stranger, insisting)
    world.claim(other, plain)
    expect(world.doc).toMatchObject({ tunnel: first.tunnel })
    world.claim(other, insisting)
    expect(world.doc).toMatchObject({ state: 'leased', tunnel: other.tunnel })
  })

  test('nobody gets a denied or reserved endpoint, whoever held it', () => {
    for (const state of ['denied', 'reserved'] as const) {
      const world = new World('tcp')
      world.claim(claimants[0], plain)
      const doc = { ...world.doc, state }
      const verdict = decideClaim(id, doc, {
        claimant: { ...claimants[0], takeover: true, shares: false },
        cell: world.view,
        nowMs: world.nowMs,
      })
      expect(verdict.kind).toBe('taken')
    }
  })
})

describe('lease: several holders', () => {
  const nowMs = start
  const cell: CellView = { ...new World('tcp').view, ready: [{ instance: 'r1', bootAt: start }] }
  const join = (doc: EndpointDoc, agent: string, shares = true) =>
    decideClaim(id, doc, {
      claimant: { account: 'a', tunnel: 'a1', agent, takeover: false, shares },
      cell,
      nowMs,
    })
  const joined = (agents: readonly string[]) =>
    agents.reduce<EndpointDoc>(
      (doc, agent) => {
        const verdict = join(doc, agent)
        if (verdict.kind !== 'take') throw new Error(verdict.kind)
        return verdict.next
      },
      blankEndpoint('home', 'tcp', 0.5),
    )
  const agents = Array.from({ length: holdersMax }, (_, n) => `agent${n}`)

  test('a tunnel is away when all its agents are, reported one by one or all at once', () => {
    const two = joined(['x', 'y'])
    const note = { instance: 'r1', away: true, nowMs }
    const half = withAway(two, { ...note, agent: 'x' }) ?? two
    expect(isAway(half, cell.ready)).toBe(false)
    expect(isAway(withAway(half, { ...note, agent: 'y' }) ?? half, cell.ready)).toBe(true)
    expect(isAway(withAway(two, note) ?? two, cell.ready), 'a relay that knows no agents').toBe(true)
    expect(withAway(half, { ...note, agent: 'x' }), 'said again').toBeUndefined()
    expect(withAway(two, { ...note, agent: 'stranger' })).toBeUndefined()
  })

  test('the number of agents is limited, and one that is away makes room', () => {
    const full = joined(agents)
    expect(join(full, 'late').kind).toBe('full')
    expect(join(full, 'agent3').kind, 'one of them again').toBe('take')
    const thinner = withAway(full, { instance: 'r1', agent: 'agent3', away: true, nowMs }) ?? full
    const verdict = join(thinner, 'late')
    expect(verdict).toMatchObject({ kind: 'take', evicts: false })
    expect('next' in verdict && Object.keys(verdict.next.holders ?? {})).toHaveLength(holdersMax)
  })

  test('an agent that stops renewing is out when another renews, and the lease goes on', () => {
    const two = joined(['x', 'y'])
    const later = start + limits.leaseMs - 1
    const claim = { tunnel: 'a1', agent: 'x', epoch: two.epoch, shares: true, key: 'k', nowMs: later }
    const first = decideRenewal(two, claim)
    const doc = 'next' in first ? first.next : two
    expect(liveHolders(doc, later + 1).map(([agent]) => agent)).toEqual(['x'])
    expect(decideRenewal(doc, { ...claim, agent: 'y', nowMs: later + 2 * 60 * minute }).kind).toBe('extend')
  })

  test('a tunnel set to one agent again goes to the first that claims it, and the next waits', () => {
    const single = disband(joined(['x', 'y']), nowMs)
    const first = join(single, 'y', false)
    expect(first).toMatchObject({ kind: 'take', evicts: false, next: { epoch: single.epoch } })
    expect('next' in first && join(first.next, 'x', false).kind).toBe('unclear')
  })
})
