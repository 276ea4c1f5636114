/**
 * Black holes again and again: relay and agent then hold as much as before. A round is as long as it takes to notice a
 * silence (9 s), because shorter limits would test other code: 100 rounds take about 20 minutes.
 */
import { readdirSync } from 'node:fs'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { z } from 'zod'
import { eventually } from '../../harness/events.ts'
import { dial, endOf } from '../../harness/sockets.ts'
import { relayOf } from '../../harness/standalone.ts'
import type { Network } from '../network.ts'
import { relayMetrics } from '../relay-metrics.ts'
import { assertAtMost, type Lab, type Scenario } from '../scenario.ts'
import { pingOver, untilServed } from '../visitors.ts'
import { openWorld, type World } from '../world.ts'

type Holdings = {
  readonly descriptors: number
  readonly sockets: number
  readonly timers: number
  /** Pieces of 256 KiB with bytes on their way. */
  readonly slabs: number
  /** What senders may send; only for the relay. */
  readonly held: number
}

const kinds = ['descriptors', 'sockets', 'timers', 'slabs', 'held'] as const

const visitorsEachRound = 10
/** A PING's timer, a keep-alive connection to the API: things that may exist at one moment and not at another. */
const slack = 3

export const noLeak: Scenario = {
  name: 'no-leak',
  title: 'black hole and heal, again and again: no socket, timer, descriptor or buffer stays behind',
  async run(lab) {
    const rounds = lab.isShort ? 5 : 100
    const world = await openWorld(lab.network, { agentEnv: { NODE_OPTIONS: `--import ${reporter}` } })
    try {
      // The first round makes what is made once: connections to the API, compiled code.
      await round(world, lab)
      const before = await settled(world, lab.network)
      for (let count = 1; count < rounds; count++) await round(world, lab)
      const after = await settled(world, lab.network)
      for (const side of ['relay', 'agent'] as const)
        for (const kind of kinds)
          assertAtMost(
            after[side][kind],
            before[side][kind] + (kind === 'held' ? 0 : slack),
            `${kind} of the ${side}`,
          )
      return [
        `${rounds} rounds`,
        `relay ${say(before.relay, after.relay)}`,
        `agent ${say(before.agent, after.agent)}`,
      ]
    } finally {
      lab.faults.heal()
      await world.close()
    }
  },
}

const reporter = new URL('../report-resources.ts', import.meta.url).href

/** Visitors are connected before; some leave in the silence, the others after it. */
async function round(world: World, { faults }: Lab): Promise<void> {
  const visitors = await Promise.all(Array.from({ length: visitorsEachRound }, () => dial(world.echo)))
  await Promise.all(visitors.map(pingOver))
  const from = world.agent.events.items.length
  faults.blackHole()
  await world.agent.waitFor('relay.lost', { from, deadlineMs: 20_000 })
  for (const visitor of visitors.slice(0, visitorsEachRound / 2)) visitor.destroy()
  faults.heal()
  await untilServed(world.echo, 20_000)
  const rest = visitors.slice(visitorsEachRound / 2)
  await Promise.all(rest.map(pingOver))
  const ends = rest.map(endOf)
  for (const visitor of rest) visitor.end()
  await Promise.all(ends)
}

/** Waits until two samples a second apart agree: closing sockets and short deadlines are over by then. */
function settled(world: World, network: Network): Promise<{ relay: Holdings; agent: Holdings }> {
  let last = ''
  return eventually(
    'holdings that no longer change',
    async () => {
      const now = { relay: relayHoldings(world, network), agent: await agentHoldings(world) }
      const isSame = JSON.stringify(now) === last
      last = JSON.stringify(now)
      if (isSame) return now
      await sleep(systemClock, 1_000)
      return undefined
    },
    60_000,
  )
}

function relayHoldings({ standalone }: World, network: Network): Holdings {
  const pid = relayOf(standalone.program.pid)
  if (pid === undefined) throw new Error('the server has no relay')
  const metrics = relayMetrics(network)
  const active = (type: string) => metrics(`nodejs_active_resources{type="${type}"}`)
  return {
    descriptors: descriptorsOf(pid),
    sockets: active('TCPSocketWrap'),
    timers: active('Timeout'),
    slabs: metrics('ptun_slabs_held'),
    held: metrics('ptun_held_bytes'),
  }
}

const resourcesSchema = z.looseObject({ sockets: z.int(), timers: z.int(), slabs: z.int() })

async function agentHoldings({ agent }: World): Promise<Holdings> {
  const from = agent.events.items.length
  agent.program.send('SIGUSR2')
  const { sockets, timers, slabs } = resourcesSchema.parse(await agent.waitFor('resources', { from }))
  return { descriptors: descriptorsOf(agent.program.pid), sockets, timers, slabs, held: 0 }
}

function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

function say(before: Holdings, after: Holdings): string {
  return kinds.map((kind) => `${kind} ${before[kind]} to ${after[kind]}`).join(', ')
}
