/**
 * A relay whose clock is five minutes wrong: its own parts against the real rules on SQLite, each side with its own
 * clock. Valid tickets are served, and ended ones stop within a stated time. docs/operations.md
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { applyCommand } from '@porttunneler/relay-vm/commands'
import { Keeper } from '@porttunneler/relay-vm/keeper'
import { Meters } from '@porttunneler/relay-vm/meters/meters'
import { newBoot, UsageJournal } from '@porttunneler/relay-vm/meters/usage'
import { Places } from '@porttunneler/relay-vm/places'
import { Routes } from '@porttunneler/relay-vm/routes'
import { SecurityEvents } from '@porttunneler/relay-vm/security-events'
import { ServerTime } from '@porttunneler/relay-vm/server-time'
import { RelayState } from '@porttunneler/relay-vm/state'
import { ControlSync } from '@porttunneler/relay-vm/sync'
import { type Command, syncAnswerSchema, syncSchema } from '@porttunneler/shared/api/schemas/relays'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { newId } from '@porttunneler/shared/base/ids'
import { silentLog } from '@porttunneler/shared/base/log'
import { Secret } from '@porttunneler/shared/base/secret'
import { TrustedProxies } from '@porttunneler/shared/base/trusted-proxies'
import { setAccountStatus } from '@porttunneler/shared/control/accounts'
import type { Caller } from '@porttunneler/shared/control/caller'
import { claimLeases, renewLeases } from '@porttunneler/shared/control/claims'
import { syncRelay } from '@porttunneler/shared/control/relays'
import { deleteTunnel } from '@porttunneler/shared/control/tunnels'
import { limits } from '@porttunneler/shared/protocol/limits'
import { checkTicket } from '@porttunneler/shared/protocol/ticket'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from './testing/control.ts'

const relay = newId('rel', 1)
const agent = newId('agt', 1)
const second = 1_000
const day = 24 * 3_600_000

let plane: TestControl
let folder: string
let clock: FakeClock
let ada: Caller
const closers: (() => Promise<unknown>)[] = []

beforeEach(async () => {
  plane = makeTestControl()
  folder = await mkdtemp(join(tmpdir(), 'ptun-skew-'))
  await plane.openCell()
  ada = await plane.caller()
})
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
  await plane.close()
  await rm(folder, { recursive: true })
})

function pass(ms: number): void {
  plane.clock.advance(ms)
  clock.advance(ms)
}

async function claim() {
  const wanted = { agent, tunnels: [{ name: 'db', kind: 'tcp' as const }], takeover: false }
  const [result] = (await claimLeases(plane.control, ada, wanted)).results
  if (result === undefined || !('lease' in result)) throw new Error('no lease')
  return result.lease
}

/** One process of the relay: the parts that judge tickets and commands. */
async function startRelay({ isOnline = true } = {}) {
  const state = await RelayState.load(folder)
  const time = new ServerTime(clock, state.timeOffsetMs)
  const boot = newBoot(clock.now())
  const journal = await UsageJournal.load(folder, { boot, nowMs: time.now(), everyMs: 60_000 })
  const events = await SecurityEvents.load(folder, time)
  const places = await Places.load(folder)
  const meters = new Meters()
  const routes = new Routes({ clock, meters, decrees: state.decrees, onGone() {}, onPresence() {} })
  const drains: string[] = []
  const warnings: string[] = []
  const log = {
    ...silentLog,
    warn: (fields: { code?: string }) => void (fields.code !== undefined && warnings.push(fields.code)),
  }
  const obey = (command: Command) =>
    applyCommand(command, {
      state,
      routes,
      places,
      time,
      visitors: { cut() {} },
      sessions: { tellTransfer() {} },
      onKeys() {},
      onDrain: () => void drains.push(command.id),
    })
  let answers = 0
  const sync = new ControlSync({
    clock,
    random: () => 0,
    log,
    control: {
      enrol: () => Promise.reject(fail('relay.enrolment')),
      async sync(request) {
        if (!isOnline) throw fail('relay.control')
        const answer = await syncRelay(plane.control, { relay, cell: 'home' }, syncSchema.parse(request))
        answers += 1
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
    keeper: new Keeper({ state, journal, events, places, log: silentLog }),
    describe: () => ({
      boot: {
        instance: 'r1',
        boot,
        version: '1',
        agentAddress: { host: 'h', port: 1, sni: 's' },
        watchUrl: 'http://h',
      },
      state: 'ready',
      load: { sessions: 0, streams: 0, cpu: 0, rssBytes: 0 },
    }),
    onDirectory() {},
    onCommand: obey,
  })
  const settled = async (count: number) => {
    while (answers < count || clock.pending === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  sync.start()
  if (isOnline) await settled(1)
  const stop = () => sync.stop()
  closers.push(stop)
  return {
    time,
    obey,
    drains,
    warnings,
    stop,
    /** The next turn of its sync. */
    async hear() {
      const before = answers
      pass(limits.syncMs)
      await settled(before + 1)
    },
    /** The result for an agent that comes with the ticket: a session and a binding begin in this way. */
    async judge(ticket: string): Promise<string> {
      try {
        const claims = await checkTicket(ticket, { keys: state.keys.jwks, cell: 'home', nowMs: time.now() })
        routes.check(claims)
        return 'served'
      } catch (error) {
        if (isFailure(error)) return error.key
        throw error
      }
    },
  }
}

describe.each([
  ['fast', limits.skewMs],
  ['slow', -limits.skewMs],
])('a relay clock five minutes %s', (_way, offMs) => {
  beforeEach(() => {
    clock = new FakeClock(plane.clock.now() + offMs)
  })

  test('is known from the first answer, and told to the operator once', async () => {
    const one = await startRelay()
    await one.hear()
    expect(one.warnings).toEqual(['PT-5022'])
    expect(one.time.now()).toBe(plane.clock.now())
    expect(Math.sign(one.time.wallOffsetMs)).toBe(-Math.sign(offMs))
  })

  test('a ticket is served from its first second to its last, and not after five minutes more', async () => {
    const one = await startRelay()
    const { ticket, ticketExpiresAt } = await claim()
    expect(await one.judge(ticket)).toBe('served')
    pass(ticketExpiresAt - plane.clock.now() - second)
    expect(await one.judge(ticket)).toBe('served')
    pass(second + limits.skewMs)
    expect(await one.judge(ticket)).toBe('ticket.invalid')
  })

  test('offline after a restart it serves valid tickets, and ended ones for at most ten minutes', async () => {
    clock.jump(-offMs)
    const before = await startRelay()
    await before.stop()
    clock.jump(offMs)
    const { ticket, ticketExpiresAt } = await claim()
    const one = await startRelay({ isOnline: false })
    expect(one.time.now() - plane.clock.now()).toBe(offMs)
    expect(await one.judge(ticket)).toBe('served')
    pass(ticketExpiresAt - plane.clock.now() - second)
    expect(await one.judge(ticket)).toBe('served')
    pass(second + 2 * limits.skewMs)
    expect(await one.judge(ticket)).toBe('ticket.invalid')
  })

  test('a tunnel deleted is refused from the next sync until its last ticket is dead', async () => {
    const one = await startRelay()
    const { tunnel, ticket } = await claim()
    await deleteTunnel(plane.of(ada), ada, { id: tunnel })
    await one.hear()
    expect(await one.judge(ticket)).toBe('session.revoked')
    for (let waitedMs = 0; waitedMs <= limits.ticketMs + 2 * limits.skewMs; waitedMs += 300_000) {
      pass(300_000 - limits.syncMs)
      await one.hear()
      expect(await one.judge(ticket), `${waitedMs} ms later`).not.toBe('served')
    }
  })

  test('an account suspended is refused, and served again when it is taken back', async () => {
    const one = await startRelay()
    const { ticket } = await claim()
    await setAccountStatus(plane.control, ada.account, 'suspended')
    await one.hear()
    expect(await one.judge(ticket)).toBe('session.revoked')
    await setAccountStatus(plane.control, ada.account, 'active')
    await one.hear()
    expect(await one.judge(ticket)).toBe('served')
  })

  test('when keys change, tickets of the old and the new key are served to their end', async () => {
    const one = await startRelay()
    await claim()
    pass(7 * day - limits.ticketMs / 2)
    await one.hear()
    const old = await claim()
    pass(limits.ticketMs / 2)
    await plane.runJobs()
    await one.hear()
    const renewal = { agent, leases: [{ tunnel: old.tunnel, epoch: old.epoch }] }
    const [renewed] = (await renewLeases(plane.control, ada, renewal)).results
    if (renewed === undefined || !('lease' in renewed)) throw new Error('not renewed')
    pass(old.ticketExpiresAt - plane.clock.now() - limits.syncMs - second)
    await one.hear()
    expect(await one.judge(old.ticket)).toBe('served')
    expect(await one.judge(renewed.lease.ticket)).toBe('served')
  })

  test('only the process that an order to drain was meant for obeys it', async () => {
    // With what it stored under a right clock, so that its time is wrong before the first answer.
    clock.jump(-offMs)
    const before = await startRelay()
    await before.stop()
    clock.jump(offMs)
    const order = { id: 'old', kind: 'drain', relay, version: 1, at: plane.clock.now() } as const
    pass(second)
    const deaf = await startRelay({ isOnline: false })
    deaf.obey(order)
    deaf.obey({ ...order, id: 'unsure', at: plane.clock.now() + offMs })
    expect(deaf.drains).toEqual([])
    await deaf.stop()
    const one = await startRelay()
    one.obey(order)
    expect(one.drains).toEqual([])
    one.obey({ ...order, id: 'new', at: plane.clock.now() })
    expect(one.drains).toEqual(['new'])
  })
})
