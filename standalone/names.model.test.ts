/**
 * Names of tunnels under the worst conditions: two accounts, two cells, three relays; the rules on SQLite on one side,
 * a relay's own state, sync, bindings and routing on the other. Commands are lost, doubled and late; relays are cut off
 * for a day and more, reboot with and without their disk, leave and come back, and have wrong clocks; agents show any
 * ticket that they ever had. A name never reaches a tunnel of another account.
 *
 * Each of these was broken on purpose and failed within two seeds: a name rests without regard to what relays have
 * applied; a silent relay counts as gone after an hour; a relay trusts itself for ever; a removal is ignored; relays
 * read only the commands of one ticket's lifetime. Two breaks do not show here, because other rules cover them: a rest
 * without regard to tickets (names.contract.ts has it), and a last report that keeps trust (relay-vm/names.test.ts).
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { applyCommand, applyFromBus, type CommandTargets } from '@porttunneler/relay-vm/commands'
import { Keeper } from '@porttunneler/relay-vm/keeper'
import { Meters } from '@porttunneler/relay-vm/meters/meters'
import { newBoot, UsageJournal } from '@porttunneler/relay-vm/meters/usage'
import { Names } from '@porttunneler/relay-vm/names'
import { Places } from '@porttunneler/relay-vm/places'
import { Routes } from '@porttunneler/relay-vm/routes'
import { SecurityEvents } from '@porttunneler/relay-vm/security-events'
import { ServerTime } from '@porttunneler/relay-vm/server-time'
import { SessionBindings } from '@porttunneler/relay-vm/session-bindings'
import { RelayState } from '@porttunneler/relay-vm/state'
import { ControlSync } from '@porttunneler/relay-vm/sync'
import { type Command, syncAnswerSchema, syncSchema } from '@porttunneler/shared/api/schemas/relays'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { silentLog } from '@porttunneler/shared/base/log'
import { Secret } from '@porttunneler/shared/base/secret'
import { TrustedProxies } from '@porttunneler/shared/base/trusted-proxies'
import type { Caller } from '@porttunneler/shared/control/caller'
import { ensureCell } from '@porttunneler/shared/control/cells'
import { claimLeases, renewLeases } from '@porttunneler/shared/control/claims'
import { cells, tunnels } from '@porttunneler/shared/control/documents'
import { names } from '@porttunneler/shared/control/name-documents'
import { topics } from '@porttunneler/shared/control/names'
import { plans } from '@porttunneler/shared/control/plans'
import { syncRelay } from '@porttunneler/shared/control/relays'
import { addName, removeName } from '@porttunneler/shared/control/tunnel-names'
import { checkTicket, ticketClaimsSchema } from '@porttunneler/shared/protocol/ticket'
import { isWhole } from '@porttunneler/shared/testing/breadth'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { seededRandom } from '@porttunneler/shared/testing/wire-pair'
import { decodeJwt } from 'jose'
import { afterEach, describe, expect, test } from 'vitest'
import { makeTestControl } from './testing/control.ts'

/** `PT_SEEDS=50` for a long run, `PT_SEED=7` for one. */
const seeds = process.env.PT_SEED
  ? [Number(process.env.PT_SEED)]
  : Array.from({ length: Number(process.env.PT_SEEDS ?? (isWhole ? 4 : 1)) }, (_, index) => index + 1)
const steps = isWhole ? 250 : 120
const minute = 60_000
const hour = 60 * minute
const hosts = ['a.example.org', 'b.example.org', 'c.example.org']
const closers: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
type Plane = ReturnType<typeof makeTestControl>
type CellId = 'north' | 'south'

/** One relay over its lives, made of a relay's own parts. */
class ModelRelay {
  readonly cell: CellId
  readonly clock: FakeClock
  readonly #plane: Plane
  readonly #id: string
  readonly #folder: string
  isOnline = true
  /** Commands of the bus that have not arrived yet. */
  late: Command[] = []
  #life: Awaited<ReturnType<ModelRelay['begin']>> | undefined
  #lives = 0

  constructor(
    plane: Plane,
    { n, cell, folder, offMs }: { n: number; cell: CellId; folder: string; offMs: number },
  ) {
    this.#plane = plane
    this.cell = cell
    this.#id = `rel_${`${n}`.padStart(26, '0')}`
    this.#folder = folder
    this.clock = new FakeClock(plane.clock.now() + offMs)
  }

  get isUp(): boolean {
    return this.#life !== undefined
  }

  /** The account that a visitor of the host would reach now, with its tunnel. */
  reaches(host: string): { account: string; tunnel: string } | undefined {
    const route = this.#life?.names.resolve(host)
    return route && route.members.length > 0
      ? { account: route.claims.account, tunnel: route.claims.sub }
      : undefined
  }

  async begin() {
    const folder = this.#folder
    const { clock } = this
    const state = await RelayState.load(folder)
    const time = new ServerTime(clock, state.timeOffsetMs)
    const boot = newBoot(clock.now() + this.#lives++)
    const journal = await UsageJournal.load(folder, { boot, nowMs: time.now(), everyMs: hour })
    const events = await SecurityEvents.load(folder, time)
    const places = await Places.load(folder)
    const meters = new Meters()
    const routes = new Routes({ clock, meters, decrees: state.decrees, onGone() {}, onPresence() {} })
    const knowledge = state.names
    const domain = () => state.cell?.domain
    const { takenDown } = state
    const moment = () => time.moment()
    const resolver = new Names({ knowledge, takenDown, places, routes, domain, moment, cut() {} })
    const keeper = new Keeper({ state, journal, events, places, log: silentLog })
    const targets: CommandTargets = {
      state,
      routes,
      places,
      time,
      visitors: { cut() {} },
      sessions: { tellTransfer() {} },
      onKeys() {},
      onDrain() {},
    }
    const obey = (command: Command) => applyFromBus(command, targets, time.now())
    const sync = new ControlSync({
      clock,
      random: () => 0,
      log: silentLog,
      control: {
        enrol: () => Promise.reject(fail('relay.enrolment')),
        sync: async (request) => {
          if (!this.isOnline) throw fail('relay.control')
          const claims = { relay: this.#id, cell: this.cell }
          const parsed = syncSchema.parse(JSON.parse(JSON.stringify(request)))
          const answer = await syncRelay(this.#plane.control, claims, parsed)
          return syncAnswerSchema.parse(JSON.parse(JSON.stringify(answer)))
        },
      },
      proxies: new TrustedProxies([]),
      credential: async () => new Secret('ptc_test'),
      state,
      time,
      routes,
      meters,
      journal,
      events,
      places,
      keeper,
      describe: () => ({
        boot: {
          instance: `r${this.#id.slice(-1)}`,
          boot,
          version: '1',
          agentAddress: { host: 'h', port: Number(this.#id.slice(-2)), sni: 's' },
          watchUrl: 'http://h',
        },
        state: 'ready',
        load: { sessions: 0, streams: 0, cpu: 0, rssBytes: 0 },
      }),
      onDirectory() {},
      onCommand: (command) => applyCommand(command, targets),
    })
    sync.start()
    return {
      state,
      time,
      routes,
      meters,
      names: resolver,
      sync,
      obey,
      sessions: new Map<string, ModelSession>(),
    }
  }

  async start(): Promise<void> {
    this.#life = await this.begin()
    await this.settled()
  }

  /** Resolves when any running exchange is over. */
  async settled(): Promise<void> {
    while (this.isUp && this.clock.pending === 0) await turn()
  }

  /** @param how `leave`: orderly, with a last report */
  async stop(how: 'kill' | 'leave' | 'lose disk'): Promise<void> {
    const life = this.#life
    this.#life = undefined
    if (how === 'leave') await life?.sync.finish()
    else await life?.sync.stop()
    if (how === 'lose disk') await rm(this.#folder, { recursive: true, force: true })
  }

  deliver(command: Command): void {
    this.#life?.obey(command)
  }

  /** An agent shows a ticket. */
  async bind(ticket: string): Promise<void> {
    const life = this.#life
    if (!life) return
    const claims = ticketClaimsSchema.parse(decodeJwt(ticket))
    const { account, sub } = claims
    const session = life.sessions.get(account) ?? new ModelSession(account)
    life.sessions.set(account, session)
    const { routes, meters, names: resolver, state, time } = life
    const check = (shown: string) =>
      checkTicket(shown, { keys: state.keys.jwks, cell: this.cell, nowMs: time.now() })
    session.bindings ??= new SessionBindings(
      claims,
      {
        clock: this.clock,
        mayCheck: () => true,
        log: silentLog,
        fairLog: { info() {}, warn() {} } as never,
        routes,
        names: resolver,
        tcp: {} as never,
        meters,
        onPresence() {},
      },
      check,
    )
    session.bindings.begin(session as never)
    const answered = session.answer()
    session.bindings.onWord(session.bindOf(sub), ticket)
    await answered
  }

  /** The account's agent loses its session here. */
  lose(account: string): void {
    const session = this.#life?.sessions.get(account)
    if (!session) return
    this.#life?.routes.lost(session as never)
    this.#life?.sessions.delete(account)
  }
}

/** The parts of a session that bindings and routes use. */
class ModelSession {
  readonly id: string
  readonly state = 'open'
  bindings: SessionBindings | undefined
  readonly #tunnels: string[] = []
  #answered = Promise.withResolvers<void>()

  constructor(id: string) {
    this.id = id
  }

  bindOf(tunnel: string): number {
    if (!this.#tunnels.includes(tunnel)) this.#tunnels.push(tunnel)
    return this.#tunnels.indexOf(tunnel) + 1
  }

  /** The answer to its next request. */
  answer(): Promise<void> {
    this.#answered = Promise.withResolvers()
    return this.#answered.promise
  }

  bound(): void {
    this.#answered.resolve()
  }
  unbound(): void {
    this.#answered.resolve()
  }
  resetBind(): void {}
  close(): void {
    this.#answered.resolve()
  }
}

type Owned = {
  readonly caller: Caller
  readonly agent: string
  readonly id: string
  readonly name: string
  epoch: number
}

class World {
  readonly t = makeTestControl()
  readonly random: () => number
  readonly relays: ModelRelay[] = []
  readonly owned: Owned[] = []
  /** Every ticket that was ever given out, with its cell. */
  readonly tickets: { readonly cell: string; readonly ticket: string }[] = []
  /** How many names passed from one account to the other. */
  passed = 0
  readonly #owners = new Map<string, string>()
  readonly moves: boolean

  constructor(seed: number) {
    this.random = seededRandom(seed)
    this.moves = seed % 2 === 0
    closers.push(() => this.t.close())
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.random() * list.length)] as T
  }

  async build(): Promise<void> {
    const { t } = this
    const face = { httpScheme: 'http', httpPort: 80, tlsPort: 443, portFrom: 20_000, portTo: 20_001 } as const
    const folder = await mkdtemp(join(tmpdir(), 'ptun-names-'))
    closers.push(() => rm(folder, { recursive: true, force: true }))
    for (const id of ['north', 'south'])
      await ensureCell(t.control, { id, host: `${id}.test`, domain: `${id}.test`, ...face })
    for (const [index, cell] of (['north', 'north', 'south'] as const).entries()) {
      const offMs = Math.round((this.random() - 0.5) * 8 * minute)
      const relay = new ModelRelay(t, { n: index + 1, cell, folder: join(folder, `${index}`), offMs })
      this.relays.push(relay)
      const listening = t.control.bus.subscribe(topics.commands(cell), `r${index}`, (message) => {
        relay.late.push(message as unknown as Command)
      })
      const subscription = await listening
      closers.push(() => subscription.close())
      await relay.start()
      closers.push(() => relay.stop('kill'))
      await this.pass(31_000)
    }
    const ada = await t.caller('ada@example.com', { limits: plans.unlimited })
    const eve = await t.caller('eve@example.com', { limits: plans.unlimited })
    const plan = [
      [ada, 'one', 'north'],
      [ada, 'two', 'north'],
      [ada, 'three', 'south'],
      [eve, 'four', 'north'],
      [eve, 'five', 'south'],
    ] as const
    for (const [caller, name, cell] of plan) await this.#make(caller, name, cell)
  }

  async #make(caller: Caller, name: string, cell: CellId): Promise<void> {
    const agent = `agt_${caller.account.slice(-26)}`
    const lease = await this.claim({ caller, agent, id: '', name, epoch: 0 }, cell)
    if (!lease) throw new Error('no lease at the start')
    this.owned.push({ caller, agent, id: lease.tunnel, name, epoch: lease.epoch })
  }

  /** @param cell the only open one, for a new tunnel or one that moves */
  async claim({ caller, agent, name }: Owned, cell?: CellId) {
    const { control } = this.t
    for (const id of ['north', 'south']) {
      const state = cell === undefined || id === cell ? 'open' : 'closed'
      await control.store.update(cells.ref(id), { state })
      control.cells.forget(id)
    }
    try {
      const wanted = [{ name, kind: 'http' as const }]
      const { results } = await claimLeases(control, caller, { agent, tunnels: wanted, takeover: true })
      const [result] = results
      return result && 'lease' in result ? this.#keep(result.lease) : undefined
    } catch (error) {
      // No relay of the cell has reported.
      if (!isFailure(error, 'cell.none')) throw error
      return undefined
    }
  }

  #keep<T extends { readonly cell?: string | undefined; readonly ticket: string }>(lease: T): T {
    this.tickets.push({ cell: lease.cell ?? '', ticket: lease.ticket })
    return lease
  }

  /** A fresh ticket, by renewal or else by a claim; all relays of the cell see it, or only some. */
  async renew(one: Owned, everywhere = false): Promise<void> {
    const leases = [{ tunnel: one.id, epoch: one.epoch }]
    const [result] = (await renewLeases(this.t.control, one.caller, { agent: one.agent, leases })).results
    const lease = result && 'lease' in result ? this.#keep(result.lease) : await this.claim(one)
    if (!lease) return
    one.epoch = lease.epoch
    for (const relay of this.relays)
      if (relay.cell === lease.cell && (everywhere || this.random() < 0.7)) await relay.bind(lease.ticket)
  }

  async add(one: Owned, host: string): Promise<void> {
    try {
      await addName(this.t.control, one.caller, { tunnel: one.id, host })
    } catch (error) {
      if (!isFailure(error, 'name.held') && !isFailure(error, 'name.resting')) throw error
      return
    }
    const before = this.#owners.get(host)
    if (before !== undefined && before !== one.caller.account) this.passed += 1
    this.#owners.set(host, one.caller.account)
  }

  /** Mostly the account that did not have it, since that one has to wait. */
  async want(host: string): Promise<void> {
    const last = this.#owners.get(host)
    const others = this.owned.filter(({ caller }) => caller.account !== last)
    await this.add(this.pick(this.random() < 0.8 ? others : this.owned), host)
  }

  async remove(host: string): Promise<void> {
    const doc = (await this.t.control.store.get(names.ref(host)))?.data
    const holder = this.owned.find(({ id }) => id === doc?.tunnel)
    if (doc?.state === 'active' && holder)
      await removeName(this.t.control, holder.caller, { tunnel: holder.id, host })
  }

  /** Time passes everywhere, and each relay has an exchange, or tries. */
  async pass(ms: number): Promise<void> {
    this.t.clock.advance(ms)
    for (const relay of this.relays) {
      relay.clock.advance(ms)
      await relay.settled()
    }
    await turn()
  }

  /** What the bus has for the relays arrives now, later, twice or never. */
  deliver(): void {
    for (const relay of this.relays) {
      // A relay that is cut off gets nothing from the bus either, and later all of it.
      if (!relay.isOnline) continue
      const waiting = relay.late
      relay.late = []
      for (const command of waiting) {
        const luck = this.random()
        if (luck < 0.6) relay.deliver(command)
        if (luck > 0.5 && luck < 0.8) relay.late.unshift(command)
      }
    }
  }

  async act(): Promise<void> {
    const luck = this.random()
    const one = this.pick(this.owned)
    const relay = this.pick(this.relays)
    if (luck < 0.25) await this.renew(one)
    else if (luck < 0.35) {
      // An agent may be restored from a backup, or act on purpose: any ticket that was ever given out may be shown.
      const shown = this.tickets.slice(this.random() < 0.7 ? -8 : 0).filter(({ cell }) => cell === relay.cell)
      if (shown.length > 0) await relay.bind(this.pick(shown).ticket)
    } else if (luck < 0.6) await this.want(this.pick(hosts))
    else if (luck < 0.7) await this.remove(this.pick(hosts))
    else if (luck < 0.76) relay.isOnline = false
    else if (luck < 0.8) relay.isOnline = true
    else if (luck < 0.82) relay.lose(one.caller.account)
    else if (luck < 0.86 || !relay.isUp) await this.reboot(relay)
    else if (luck < 0.92) relay.clock.jump(Math.round((this.random() - 0.5) * 8 * minute))
    else if (luck < 0.94 && this.moves) {
      const lease = await this.claim(one, this.pick(['north', 'south'] as const))
      if (lease) one.epoch = lease.epoch
    } else this.deliver()
  }

  async reboot(relay: ModelRelay): Promise<void> {
    if (!relay.isUp) return relay.start()
    await relay.stop(this.pick(['kill', 'leave', 'lose disk'] as const))
    if (this.random() < 0.7) await relay.start()
  }

  /** No name leads to another account's tunnel, at any relay. */
  async check(): Promise<void> {
    for (const host of hosts) {
      const doc = (await this.t.control.store.get(names.ref(host)))?.data
      for (const [index, relay] of this.relays.entries()) {
        const reached = relay.reaches(host)
        if (reached === undefined) continue
        const where = `${host} at relay ${index + 1} (${relay.cell}), ${doc?.state}`
        expect(reached.account, where).toBe(doc?.account)
        if (doc?.state !== 'active' || reached.tunnel === doc.tunnel || this.moves) continue
        const home = (await this.t.control.store.get(tunnels.ref(doc.tunnel)))?.data.cell
        expect(relay.cell, `${where}: of two cells, one tunnel`).toBe(home)
      }
    }
  }

  /** Everything broken works again: every name leads to its tunnel at every relay of its cell. */
  async heal(): Promise<void> {
    for (const relay of this.relays) {
      relay.isOnline = true
      if (!relay.isUp) await relay.start()
    }
    for (let n = 0; n < 3; n++) await this.pass(31_000)
    for (const one of this.owned) await this.renew(one, true)
    for (const host of hosts) {
      const doc = (await this.t.control.store.get(names.ref(host)))?.data
      if (doc?.state !== 'active') continue
      const home = (await this.t.control.store.get(tunnels.ref(doc.tunnel)))?.data.cell
      for (const relay of this.relays)
        if (relay.cell === home) expect(relay.reaches(host)?.tunnel, `${host} is served`).toBe(doc.tunnel)
    }
  }

  /** Mostly a moment; sometimes so long that tickets, relays and trust run out. */
  step(): number {
    const luck = this.random()
    if (luck < 0.45) return 31_000
    if (luck < 0.7) return 6 * minute
    if (luck < 0.9) return 40 * minute
    return luck < 0.97 ? 3 * hour : 13 * hour
  }
}

describe('names of tunnels', () => {
  test.each(seeds)(
    'a name never reaches another account, whatever is lost, late, rebooted or silent (seed %i)',
    async (seed) => {
      const world = new World(seed)
      await world.build()
      for (let step = 0; step < steps; step++) {
        await world.pass(world.step())
        await world.check()
        for (let n = 0; n < 3; n++) {
          await world.act()
          await world.check()
        }
      }
      await world.heal()
      await world.check()
      expect(world.passed, 'names that passed between the accounts').toBeGreaterThan(0)
    },
  )
})
