import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { limits } from '../protocol/limits.ts'
import { blankEndpoint } from './cells.ts'
import type { EndpointDoc } from './documents.ts'
import { type CellView, decideClaim, decideRenewal, free, mayReuse, release } from './lease-rules.ts'

const start = Date.UTC(2026, 0, 1)
const minute = 60_000
const id = 'tcp:home:20000'

/** Four tunnels of two accounts, an agent each and one more for the first. */
const claimants = [
  { account: 'a', tunnel: 'a1', agent: 'x' },
  { account: 'a', tunnel: 'a1', agent: 'y' },
  { account: 'a', tunnel: 'a2', agent: 'x' },
  { account: 'b', tunnel: 'b1', agent: 'z' },
] as const

type Ticket = {
  readonly tunnel: string
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
  binding: Ticket | undefined
  /** Commands that wait for the relay to ask. */
  #sent: { at: number; epoch: number }[] = []

  constructor(kind: 'tcp' | 'host') {
    this.doc = blankEndpoint('home', kind, 0.5)
  }

  get view(): CellView {
    return {
      ready: [{ instance: 'r1', bootAt: start }],
      appliedAt: this.relayReadAt,
      seenAt: this.relayReadAt,
      isFull: true,
      isBound: () => this.binding !== undefined,
    }
  }

  sync() {
    this.relayReadAt = this.nowMs
    for (const { epoch } of this.#sent.splice(0)) this.#hear(epoch)
  }

  #hear(epoch: number) {
    this.relayEpoch = Math.max(this.relayEpoch, epoch)
    if (this.binding && this.binding.epoch < this.relayEpoch) this.binding = undefined
  }

  /** A relay takes a live ticket unless it knows of a higher epoch. */
  couldBind({ exp, epoch }: Ticket) {
    return exp + limits.skewMs > this.nowMs && epoch >= this.relayEpoch
  }

  bind(index: number) {
    const ticket = this.tickets[index % Math.max(1, this.tickets.length)]
    if (!ticket || !this.couldBind(ticket)) return
    this.#hear(ticket.epoch)
    this.binding = ticket
  }

  claim(who: (typeof claimants)[number], takeover: boolean) {
    const before = this.doc
    const verdict = decideClaim(id, before, {
      claimant: { ...who, takeover },
      cell: this.view,
      nowMs: this.nowMs,
    })
    if (verdict.kind !== 'take') return
    this.#checkHandover(before, verdict.next)
    this.doc = verdict.next
    if (verdict.evicts) this.#sent.push({ at: this.nowMs, epoch: this.doc.epoch })
    this.#sign()
  }

  #checkHandover(before: EndpointDoc, next: EndpointDoc) {
    expect(next.epoch).toBeGreaterThanOrEqual(before.epoch)
    const sameHolder = before.tunnel === next.tunnel && before.agent === next.agent
    if (!sameHolder) expect(next.epoch).toBeGreaterThan(before.epoch)
    if (before.tunnel === next.tunnel) return
    const old = this.tickets.filter(({ tunnel, epoch }) => tunnel !== next.tunnel && epoch <= before.epoch)
    for (const ticket of old) expect(this.couldBind(ticket), JSON.stringify({ ticket, before })).toBe(false)
    expect(this.binding).toBeUndefined()
  }

  renew(index: number) {
    const ticket = this.tickets[index % Math.max(1, this.tickets.length)]
    if (!ticket) return
    const { tunnel, epoch } = ticket
    const agent = claimants.find((who) => who.tunnel === tunnel)?.agent ?? ''
    const renewal = decideRenewal(this.doc, { tunnel, agent, epoch, nowMs: this.nowMs })
    if (!('next' in renewal)) return
    expect(decideRenewal(renewal.next, { tunnel, agent, epoch, nowMs: this.nowMs }).kind).toBe('keep')
    this.doc = renewal.next
    this.#sign()
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
    if (!isOver || !mayReuse(id, this.doc, { account: '', cell: this.view, nowMs: this.nowMs })) return
    const freed = free(this.doc)
    this.#checkHandover(this.doc, { ...freed, tunnel: 'nobody', epoch: freed.epoch + 1 })
    this.doc = freed
  }

  #sign() {
    const exp = Math.min(this.nowMs + limits.ticketMs, this.doc.expiresAt)
    expect(exp).toBeLessThanOrEqual(this.doc.expiresAt)
    const { tunnel, account, epoch } = this.doc
    this.tickets.push({ tunnel, account, epoch, exp })
  }
}

type Step = (world: World) => void
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(fc.constantFrom(...claimants), fc.boolean()).map(
      ([who, takeover]): Step =>
        (world) =>
          world.claim(who, takeover),
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
  fc.constant<Step>((world) => world.sweep()),
  { weight: 2, arbitrary: fc.constant<Step>((world) => world.sync()) },
  fc.constant<Step>((world) => {
    world.binding = undefined
  }),
  {
    weight: 3,
    arbitrary: fc.integer({ min: 1, max: 180 * minute }).map(
      (ms): Step =>
        (world) => {
          world.nowMs += ms
        },
    ),
  },
)

describe('lease: the state machine', () => {
  test.each(['tcp', 'host'] as const)(
    'no run of claims, renewals, releases and outages hands a %s endpoint on while an old ticket could bind it',
    (kind) => {
      fc.assert(
        fc.property(fc.array(steps, { minLength: 5, maxLength: 60 }), (run) => {
          const world = new World(kind)
          for (const step of run) step(world)
        }),
        { numRuns: 2_000 },
      )
    },
  )

  test("every endpoint that nobody serves is somebody else's in the end", () => {
    const world = new World('tcp')
    world.claim(claimants[0], false)
    world.nowMs += limits.leaseMs + limits.skewMs
    world.sync()
    world.claim(claimants[3], false)
    expect(world.doc).toMatchObject({ state: 'leased', account: 'b' })
  })

  test('denied and reserved endpoints are given to nobody, whoever held them', () => {
    for (const state of ['denied', 'reserved'] as const) {
      const world = new World('tcp')
      world.claim(claimants[0], false)
      const doc = { ...world.doc, state }
      const verdict = decideClaim(id, doc, {
        claimant: { ...claimants[0], takeover: true },
        cell: world.view,
        nowMs: world.nowMs,
      })
      expect(verdict.kind).toBe('taken')
    }
  })
})
