/**
 * Nothing passes between agent and relay, and nobody is told: it is noticed, reported and healed, and nobody is cut.
 */
import assert from 'node:assert/strict'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { assertAtMost, ms, type Scenario } from '../scenario.ts'
import { allWhole, startTransfers } from '../transfers.ts'
import { askWeb, refusedIn, untilServed } from '../visitors.ts'
import { openWorld, type World } from '../world.ts'

const noticedMsMax = 10_000
const refusedMsMax = 250
/** A visitor that waits longer came before the relay noticed, and is told when it does. */
const atOnceMs = 1_000
const healedMsMax = 1_000

export const blackHole: Scenario = {
  name: 'black-hole',
  title: 'a black hole both ways: noticed in 10 s, refusals with a reason, healed in 1 s, no connection cut',
  async run({ network, faults, seed, isShort, patience }) {
    const holeMs = isShort ? 11_000 : 60_000
    const world = await openWorld(network)
    try {
      // Data is sent for longer than the silence lasts, so that bytes are on the way when it begins and ends.
      const chunks = (holeMs + 3_000) / 100
      const shape = { bytes: chunks * 2_048, chunkBytes: 2_048, everyMs: 100, seed }
      const transfers = await startTransfers(world.echo, 20, shape)
      await sleep(systemClock, 1_000)
      const from = world.agent.events.items.length
      faults.blackHole()
      const startMs = systemClock.monotonic()
      const [agentMs, relayMs, early] = await Promise.all([
        agentNotices(world, from),
        relayNotices(world),
        askWeb(world),
      ])
      assert.equal(early.status, 503)
      const refusedMs = await refusals(world, startMs + holeMs)
      faults.heal()
      const healedMs = await untilServed(world.echo, 20_000)
      await allWhole(transfers)
      // The protocol says 9 s; the patience here is for late ticks.
      assertAtMost(Math.max(agentMs, relayMs), noticedMsMax + (patience - 1) * 1_000, 'noticed, ms')
      assertAtMost(early.tookMs, noticedMsMax + patience * atOnceMs, 'the first to come is told, ms')
      assertAtMost(refusedMs, refusedMsMax * patience, 'slowest refusal, ms')
      assertAtMost(healedMs, healedMsMax * patience, 'a new visitor after healing, ms')
      return [
        `silent ${holeMs / 1_000} s`,
        `noticed by agent ${ms(agentMs)}, relay ${ms(relayMs)}`,
        `the first visitor told after ${ms(early.tookMs)}, then refused in ${ms(refusedMs)}`,
        `new visitor ${ms(healedMs)} after healing`,
        '20 of 20 open connections whole',
      ]
    } finally {
      faults.heal()
      await world.close()
    }
  },
}

async function agentNotices({ agent }: World, from: number): Promise<number> {
  const startMs = systemClock.monotonic()
  await agent.waitFor('relay.lost', { from, deadlineMs: 20_000 })
  return systemClock.monotonic() - startMs
}

/**
 * Resolves when a new visitor is told at once. Each is asked beside those that still wait: a visitor that came before
 * the relay noticed waits for the agent.
 */
function relayNotices(world: World): Promise<number> {
  const startMs = systemClock.monotonic()
  return new Promise((resolve, reject) => {
    const timer = systemClock.every(100, () => {
      askWeb(world).then(
        ({ status, tookMs }) => {
          if (status === 503 && tookMs < atOnceMs) finish(resolve)
        },
        (error: unknown) => finish(() => reject(error)),
      )
    })
    const finish = (then: (ms: number) => void) => {
      timer.clear()
      then(systemClock.monotonic() - startMs)
    }
  })
}

/** Until `endMs`: http visitors get a page with a code, tcp visitors an end. @returns the slowest of both */
async function refusals(world: World, endMs: number): Promise<number> {
  let slowestMs = 0
  do {
    const { status, code, tookMs } = await askWeb(world)
    assert.equal(status, 503)
    assert(code, 'a refusal without a code')
    slowestMs = Math.max(slowestMs, tookMs, await refusedIn(world.echo))
    await sleep(systemClock, 200)
  } while (systemClock.monotonic() < endMs)
  return slowestMs
}
