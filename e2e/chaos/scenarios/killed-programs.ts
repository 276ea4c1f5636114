/** SIGKILL to the relay and to the agent: measures how soon a visitor is served again. */

import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { relayOf } from '../../harness/standalone.ts'
import { addresses } from '../network.ts'
import { assertAtMost, ms, type Scenario } from '../scenario.ts'
import { percentile, pingOnce, untilServed } from '../visitors.ts'
import { openWorld, relayPorts, type World } from '../world.ts'

/** From the moment the new process listens. */
const relayMsMax = 500
/** The supervisor starts it again within a second; a busy machine needs longer. */
const backMsMax = 20_000
/** From the start of its process: Node, the lease, the handshake. */
const agentMsMax = { published: 300, source: 2_000 } as const

export const killedPrograms: Scenario = {
  name: 'killed-programs',
  title: 'relay and agent are killed and started again: a visitor is served soon after',
  async run({ network, isShort, patience }) {
    const rounds = isShort ? 1 : 5
    // The short form runs without a build before it.
    const world = await openWorld(network, { isPublished: !isShort })
    try {
      const relay: { listensMs: number; servedMs: number }[] = []
      const agent: number[] = []
      for (let round = 0; round < rounds; round++) {
        relay.push(await killRelay(world))
        agent.push(await killAgent(world))
      }
      const afterListening = relay.map(({ listensMs, servedMs }) => servedMs - listensMs)
      assertAtMost(
        percentile(afterListening, 0.5),
        relayMsMax * patience,
        'visitor served after the relay listens, ms',
      )
      assertAtMost(
        percentile(agent, 0.5),
        (isShort ? agentMsMax.source : agentMsMax.published) * patience,
        'visitor served after the start of the agent, ms',
      )
      const median = (values: readonly number[]) => ms(percentile(values, 0.5))
      return [
        `relay: ${median(afterListening)} after it listens, ${median(relay.map((one) => one.servedMs))} after its death`,
        `agent: ${median(agent)} after its start`,
        `medians of ${rounds}`,
      ]
    } finally {
      await world.close()
    }
  },
}

/** Both in ms since the kill. */
async function killRelay(world: World): Promise<{ listensMs: number; servedMs: number }> {
  await pingOnce(world.echo)
  const { pid } = world.standalone.program
  const relay = relayOf(pid)
  if (relay === undefined) throw new Error('the server has no relay')
  process.kill(relay, 'SIGKILL')
  const startMs = systemClock.monotonic()
  const served = untilServed(world.echo, 20_000)
  // A killed process may still accept while it ends; only its successor counts.
  const isBack = async () => (relayOf(pid) ?? relay) !== relay && (await listens(relayPorts.tls))
  while (!(await isBack())) {
    assert(systemClock.monotonic() < startMs + backMsMax, 'the relay is not started again')
    await sleep(systemClock, 5)
  }
  const listensMs = systemClock.monotonic() - startMs
  return { listensMs, servedMs: await served }
}

async function killAgent(world: World): Promise<number> {
  await world.agent.stop('SIGKILL')
  const startMs = systemClock.monotonic()
  const served = untilServed(world.echo, 20_000)
  await world.restartAgent()
  await served
  return systemClock.monotonic() - startMs
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: addresses.relay, port })
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
