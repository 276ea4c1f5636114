/**
 * Usage to the byte: the relay's own journal and sync against the real rules on SQLite, over a channel that drops,
 * doubles, delays and reorders, with relay and control plane killed again and again. The test moves the clock.
 */

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Keeper } from '@porttunneler/relay-vm/keeper'
import { Meters } from '@porttunneler/relay-vm/meters/meters'
import { newBoot, UsageJournal } from '@porttunneler/relay-vm/meters/usage'
import { Places } from '@porttunneler/relay-vm/places'
import type { Control as ControlCalls } from '@porttunneler/relay-vm/platform/control.http'
import { Routes } from '@porttunneler/relay-vm/routes'
import { SecurityEvents } from '@porttunneler/relay-vm/security-events'
import { ServerTime } from '@porttunneler/relay-vm/server-time'
import { RelayState } from '@porttunneler/relay-vm/state'
import { ControlSync } from '@porttunneler/relay-vm/sync'
import { type SyncRequest, syncAnswerSchema, syncSchema } from '@porttunneler/shared/api/schemas/relays'
import { fail } from '@porttunneler/shared/base/errors'
import { newId } from '@porttunneler/shared/base/ids'
import { silentLog } from '@porttunneler/shared/base/log'
import { Secret } from '@porttunneler/shared/base/secret'
import { TrustedProxies } from '@porttunneler/shared/base/trusted-proxies'
import { claimLeases } from '@porttunneler/shared/control/claims'
import type { Store } from '@porttunneler/shared/control/platform'
import { queries } from '@porttunneler/shared/control/query-table'
import { syncRelay } from '@porttunneler/shared/control/relays'
import type { UsageHourDoc } from '@porttunneler/shared/control/usage-documents'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { seededRandom } from '@porttunneler/shared/testing/wire-pair'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { makeTestControl, quietSync } from './testing/control.ts'

const kills = 100
/** `PT_SEEDS=50` for a long run. */
const seeds = Array.from({ length: Number(process.env.PT_SEEDS ?? 1) }, (_, index) => index + 1)
const houseworkMs = 10_000
const relay = newId('rel', 1)
const journalSchema = z.object({ rows: z.array(z.object({ boot: z.string() })) })
const closers: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** The control plane, which may die between any two calls of its store; what it stored stays. */
async function makePlane(random: () => number) {
  const t = makeTestControl()
  closers.push(() => t.close())
  await t.openCell()
  const ada = await t.caller()
  const wanted = ['one', 'two', 'three'].map((name) => ({ name, kind: 'tcp' as const }))
  const { results } = await claimLeases(t.control, ada, {
    agent: newId('agt', 1),
    tunnels: wanted,
    takeover: false,
  })
  const tunnels = results.flatMap((result) => ('lease' in result ? [result.lease.tunnel] : []))
  let left = Number.POSITIVE_INFINITY
  const store: Store = new Proxy(t.control.store, {
    get(target, name: keyof Store) {
      if (left-- <= 0) throw fail('store.unavailable')
      const value = target[name]
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const control = { ...t.control, store }
  return {
    clock: t.clock,
    account: ada.account,
    tunnels,
    /** @param dies in the middle of the call */
    async sync(request: SyncRequest, { dies = false } = {}) {
      left = dies ? Math.floor(random() * 12) : Number.POSITIVE_INFINITY
      try {
        return await syncRelay(control, { relay, cell: 'home' }, syncSchema.parse(request))
      } finally {
        left = Number.POSITIVE_INFINITY
      }
    },
    async stored(): Promise<readonly StoredRow[]> {
      const rows: StoredRow[] = []
      for (const tunnel of tunnels) {
        let after: readonly [string | number, string] | undefined
        do {
          const where = { account: ada.account, tunnel }
          const page = await t.control.store.query(queries.usageOfTunnel, {
            where,
            limit: 500,
            ...(after && { after }),
          })
          rows.push(...page.items.map(({ data, ref }) => ({ ...data, boot: ref.id.split(':')[2] ?? '' })))
          after = page.next
        } while (after)
      }
      return rows
    },
  }
}
type StoredRow = UsageHourDoc & { readonly boot: string }
type Plane = Awaited<ReturnType<typeof makePlane>>

/** Everything that can happen to a call. Delayed calls arrive in any order, some after their relay's death. */
class BadLine {
  readonly #plane: Plane
  readonly #random: () => number
  #late: SyncRequest[] = []
  isGood = false
  counts = { calls: 0, dropped: 0, answersLost: 0, doubled: 0, delayed: 0, died: 0 }

  constructor(plane: Plane, random: () => number) {
    this.#plane = plane
    this.#random = random
  }

  async call(request: SyncRequest) {
    const copy: SyncRequest = JSON.parse(JSON.stringify(request))
    this.counts.calls += 1
    const luck = this.isGood ? 1 : this.#random()
    if (luck < 0.12) {
      this.counts.dropped += 1
      throw fail('relay.control')
    }
    if (luck < 0.24) {
      this.counts.delayed += 1
      this.#late.push(copy)
      throw fail('relay.control')
    }
    if (luck < 0.36) {
      this.counts.died += 1
      await this.#plane.sync(copy, { dies: true })
      throw fail('relay.control')
    }
    const answer = await this.#plane.sync(copy)
    if (luck < 0.48) {
      this.counts.doubled += 1
      this.#late.push(copy)
    }
    await this.#deliverLate()
    if (luck < 0.6) {
      this.counts.answersLost += 1
      throw fail('relay.control')
    }
    return syncAnswerSchema.parse(JSON.parse(JSON.stringify(answer)))
  }

  async #deliverLate(): Promise<void> {
    const now = this.#late.filter(() => this.isGood || this.#random() < 0.4)
    this.#late = this.#late.filter((one) => !now.includes(one))
    for (const request of now.sort(() => this.#random() - 0.5)) await this.#plane.sync(request)
  }
}

type Bytes = { in: number; out: number }
const sumOf = (all: readonly Bytes[]): Bytes =>
  all.reduce((sum, one) => ({ in: sum.in + one.in, out: sum.out + one.out }), { in: 0, out: 0 })
const total = ({ in: received, out }: Bytes) => received + out

/** One process of the relay, made of its own parts; what visitors sent and got is counted besides. */
class Life {
  readonly boots = new Set<string>()
  readonly carried: Bytes = { in: 0, out: 0 }
  /** `carried` as of the last complete write to disk. */
  durable: Bytes = { in: 0, out: 0 }
  end: 'killed' | 'flushed' | 'stopped' = 'killed'
  readonly meters = new Meters()
  readonly sync: ControlSync
  readonly #streams: { tunnel: string; bytesIn: number; bytesOut: number }[] = []
  readonly #world: World
  readonly #parts: { journal: UsageJournal; keeper: Keeper; time: ServerTime }
  readonly #housework: { clear(): void }
  #isDead = false

  private constructor(world: World, parts: Awaited<ReturnType<typeof Life.load>>) {
    this.#world = world
    this.#parts = parts
    const { plane, line, clock, random } = world
    const control: ControlCalls = {
      enrol: () => Promise.reject(fail('relay.enrolment')),
      sync: async (request) => {
        if (this.#isDead) throw fail('relay.control')
        for (const { boot } of request.usage.filter((row) => row !== null)) world.claim(boot, this)
        return line.call(request)
      },
    }
    world.claim(parts.boot, this)
    const { state, events } = parts
    const routes = new Routes({
      clock,
      meters: this.meters,
      decrees: state.decrees,
      onGone() {},
      onPresence() {},
    })
    // Meters of tunnels without a route are dropped when quiet: the next visitor begins with a fresh one.
    this.sync = new ControlSync({
      ...parts,
      clock,
      random,
      log: silentLog,
      control,
      proxies: new TrustedProxies([]),
      credential: async () => new Secret('ptc_test'),
      routes,
      meters: this.meters,
      events,
      describe: () => ({
        boot: { ...quietSync.boot, boot: parts.boot },
        state: 'ready',
        load: quietSync.load,
      }),
      onCommand() {},
      onDirectory() {},
    })
    this.sync.start()
    this.#housework = clock.every(houseworkMs, () => void this.save())
    this.account = plane.account
  }
  readonly account: string

  private static async load({ clock, folder }: World) {
    const boot = newBoot(clock.now())
    const state = await RelayState.load(folder)
    const time = new ServerTime(clock, state.timeOffsetMs)
    const journal = await UsageJournal.load(folder, { boot, nowMs: time.now(), everyMs: 60_000 })
    const events = await SecurityEvents.load(folder, time)
    const places = await Places.load(folder)
    const keeper = new Keeper({ state, journal, events, places, log: silentLog })
    return { boot, state, time, journal, events, places, keeper }
  }

  static async start(world: World): Promise<Life> {
    const life = new Life(world, await Life.load(world))
    world.lives.push(life)
    return life
  }

  /** As the relay's housework does. */
  async save(): Promise<void> {
    const { journal, keeper, time } = this.#parts
    journal.account(this.meters.all(), time.now())
    const carried = { ...this.carried }
    await keeper.save()
    if (!this.#isDead) this.durable = carried
  }

  /** Visitors come, send, get and leave. */
  carry(): void {
    const { random, plane } = this.#world
    const tunnel = plane.tunnels[Math.floor(random() * plane.tunnels.length)] ?? ''
    const stream = { tunnel, bytesIn: 0, bytesOut: 0 }
    this.#streams.push(stream)
    this.meters.of(tunnel, this.account).opened(stream)
    for (const open of this.#streams) {
      // The relay's view: bytes out to the agent came in from the visitor.
      const [bytesOut, bytesIn] = [Math.floor(random() * 2 ** 20), Math.floor(random() * 2 ** 24)]
      open.bytesOut += bytesOut
      open.bytesIn += bytesIn
      this.carried.in += bytesOut
      this.carried.out += bytesIn
    }
    for (const gone of this.#streams.filter(() => random() < 0.3)) {
      this.#streams.splice(this.#streams.indexOf(gone), 1)
      this.meters.of(gone.tunnel, this.account).closed(gone)
    }
  }

  /** From now on nothing it does reaches anybody; its disk stays as it was at this moment. */
  kill(): void {
    this.#isDead = true
    this.#housework.clear()
    for (const boot of this.#world.copyDisk()) this.#world.claim(boot, this)
    this.#world.dying.push(this.sync.stop())
  }

  async stop(): Promise<void> {
    this.end = 'stopped'
    this.#housework.clear()
    await this.sync.finish()
  }
}

class World {
  readonly plane: Plane
  readonly line: BadLine
  readonly random: () => number
  readonly clock: FakeClock
  readonly lives: Life[] = []
  readonly dying: Promise<void>[] = []
  readonly #owners = new Map<string, Life>()
  readonly #folders: string[] = []

  constructor(plane: Plane, random: () => number) {
    this.plane = plane
    this.random = random
    this.line = new BadLine(plane, random)
    // A relay whose clock is wrong by up to five minutes.
    this.clock = new FakeClock(plane.clock.now() + Math.round((random() - 0.5) * 600_000))
    this.#folders.push(mkdtempSync(join(tmpdir(), 'ptun-model-')))
    closers.push(() => {
      for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true })
    })
  }

  get folder(): string {
    return this.#folders.at(-1) ?? ''
  }

  /** @returns the names under which the journal in it counts */
  copyDisk(): readonly string[] {
    const next = mkdtempSync(join(tmpdir(), 'ptun-model-'))
    for (const name of ['state.json', 'usage.json', 'events.json']) {
      const path = join(this.folder, name)
      if (existsSync(path)) writeFileSync(join(next, name), readFileSync(path))
      // It also died in the middle of writing.
      if (this.random() < 0.3) writeFileSync(join(next, `${name}.new`), '{"version":1,"ro')
    }
    this.#folders.push(next)
    const file = join(next, 'usage.json')
    if (!existsSync(file)) return []
    return journalSchema.parse(JSON.parse(readFileSync(file, 'utf8'))).rows.map(({ boot }) => boot)
  }

  /** The first to use a name that nobody used before has made it. */
  claim(boot: string, life: Life): void {
    if (this.#owners.has(boot)) return
    this.#owners.set(boot, life)
    life.boots.add(boot)
  }

  async pass(ms: number): Promise<void> {
    this.plane.clock.advance(ms)
    this.clock.advance(ms)
    // Mostly until the running exchange is over, sometimes into the middle of it.
    const turns = this.random() < 0.7 ? Number.POSITIVE_INFINITY : this.random() * 30
    for (let done = 0; done < turns && this.clock.pending < 2; done++) await turn()
  }

  async live(life: Life, steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      life.carry()
      const isLong = this.random() < 0.03
      await this.pass(Math.floor(this.random() * (isLong ? 2_400_000 : 20_000)))
    }
  }
}

async function run(seed: number) {
  const random = seededRandom(seed)
  const plane = await makePlane(random)
  const world = new World(plane, random)
  for (let kill = 0; kill < kills; kill++) {
    const life = await Life.start(world)
    await world.live(life, 2 + Math.floor(random() * 6))
    if (random() < 0.2) {
      await life.save()
      life.end = 'flushed'
    }
    life.kill()
  }
  world.line.isGood = true
  const last = await Life.start(world)
  await world.live(last, 5)
  await last.stop()
  await Promise.all(world.dying)
  return { world, stored: await plane.stored() }
}

describe('usage under faults', () => {
  test.each(seeds)(
    'seed %i: after 100 kills of the relay the store has what was carried less what each kill cost',
    async (seed) => {
      const { world, stored: rows } = await run(seed)
      expect(rows.filter(({ boot }) => !world.lives.some(({ boots }) => boots.has(boot)))).toEqual([])
      let lost = 0
      let window = 0
      for (const { boots, carried, durable, end } of world.lives) {
        const kept = sumOf(rows.filter(({ boot }) => boots.has(boot)))
        if (end !== 'killed') expect(kept, `${end}: to the byte`).toEqual(carried)
        for (const way of ['in', 'out'] as const) {
          expect(kept[way], 'what was on disk is stored').toBeGreaterThanOrEqual(durable[way])
          expect(kept[way], 'never more than was carried').toBeLessThanOrEqual(carried[way])
        }
        lost += total(carried) - total(kept)
        window += total(carried) - total(durable)
      }
      const carried = sumOf(world.lives.map((life) => life.carried))
      expect(total(sumOf(rows)) + lost).toBe(total(carried))
      expect(lost).toBeLessThanOrEqual(window)
      expect(total(carried)).toBeGreaterThan(2 ** 30)
      for (const [fault, count] of Object.entries(world.line.counts)) expect(count, fault).toBeGreaterThan(10)
    },
  )
})
