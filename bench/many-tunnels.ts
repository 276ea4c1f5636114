/**
 * `npm run bench:many-tunnels`: thousands of agents with some tunnels each, without visitors, at one relay process as
 * it is deployed. Measures the relay's memory, the CPU time for heartbeats and renewals, and how long it takes after a
 * kill of the relay until all tunnels are served again. The agents run in this process, and the tests' control plane.
 *
 *   npm run bench:many-tunnels -- --agents 5000 --tunnels 2 --seconds 30 --raw figures.json
 */
import { writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { resolve } from 'node:path'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { limits } from '@porttunneler/shared/protocol/limits'
import { z } from 'zod'
import { readOptions } from '../e2e/harness/options.ts'
import { Crowd } from './crowd.ts'
import { type Figures, tunnelsTable } from './crowd-report.ts'
import { allowDescriptors, LoneRelay } from './lone-relay.ts'
import { cpuSeconds, residentBytes } from './processes.ts'

/** After this time buffers of the opening are released, and timers have run. */
const settleMs = 10_000
/** The first agents make what is made once: compiled code, tables of TLS. */
const firstAgents = 50
/** An agent has one socket, and a second one while it dials anew; the relay has as many, and inherits the limit. */
const descriptorsBeside = 300
/** The run ends with an error after this time: the machine has other work. */
const deadlineMs = 15 * 60_000

const values = readOptions({
  name: 'bench:many-tunnels',
  what: 'Thousands of tunnels without visitors at one relay: memory, heartbeats, renewals, the return after a kill.',
  takes: 'Takes about three minutes, and 15 at most.',
  options: {
    agents: { type: 'string', default: '5000', value: 'number', says: 'how many' },
    tunnels: { type: 'string', default: '2', value: 'number', says: 'of each agent' },
    seconds: { type: 'string', default: '30', value: 'number', says: 'how long heartbeats are looked at' },
    raw: { type: 'string', value: 'file', says: 'where the figures go as JSON' },
  },
})
const agents = z.coerce.number().int().min(firstAgents).max(30_000).parse(values.agents)
const tunnels = z.coerce.number().int().min(1).max(20).parse(values.tunnels)
const seconds = z.coerce.number().min(1).max(600).parse(values.seconds)
const say = (line: string) => process.stdout.write(`${line}\n`)

async function main(): Promise<void> {
  allowDescriptors(2 * agents + descriptorsBeside, say)
  const relay = await LoneRelay.make(agents + 100)
  try {
    const figures = await measure(relay)
    say(`load average ${loadavg()[0]?.toFixed(1)}\n\n${tunnelsTable(figures)}`)
    if (values.raw !== undefined)
      writeFileSync(resolve(values.raw), `${JSON.stringify({ at: systemClock.now(), figures }, null, 1)}\n`)
  } finally {
    await relay.close()
  }
}

async function measure(relay: LoneRelay): Promise<Figures> {
  const crowd = new Crowd(relay.control, { address: await relay.start(), tunnels })
  await crowd.grow(firstAgents)
  await sleep(systemClock, settleMs)
  const firstBytes = residentBytes(relay.pids)
  const coming = await timed(relay, () => crowd.grow(agents))
  await sleep(systemClock, settleMs)
  const allBytes = residentBytes(relay.pids)
  say(`${crowd.bound} tunnels of ${crowd.size} agents are served`)
  const idle = await timed(relay, () => sleep(systemClock, seconds * 1_000))
  if (crowd.lost > 0) throw new Error(`${crowd.lost} sessions were lost`)
  const renewing = await timed(relay, () => crowd.renew())
  const renewedBytes = residentBytes(relay.pids)
  const bytes = { first: firstBytes, all: allBytes, renewed: renewedBytes }
  const figures = { agents, tunnels, firstAgents, bytes, coming, idle, renewing, ticketMs: limits.ticketMs }
  say(`\n${tunnelsTable(figures)}\n\nThe relay is killed`)
  const restart = await restarted(relay, crowd)
  await sleep(systemClock, settleMs)
  crowd.close()
  return { ...figures, restart: { ...restart, bytes: residentBytes(relay.pids) } }
}

/** Times count from the kill; the relay's CPU time is that of the new process from its start. */
async function restarted(relay: LoneRelay, crowd: Crowd) {
  const startMs = systemClock.monotonic()
  const since = () => (systemClock.monotonic() - startMs) / 1_000
  await relay.kill()
  const half = crowd.servedAnew((agents * tunnels) / 2).then(since)
  const all = crowd.servedAnew(agents * tunnels).then(since)
  await relay.start()
  const listening = since()
  return { listening, half: await half, all: await all, cpuSeconds: cpuSeconds(relay.pids) }
}

async function timed(relay: LoneRelay, work: () => Promise<void>): Promise<Figures['coming']> {
  const [startMs, startCpu] = [systemClock.monotonic(), cpuSeconds(relay.pids)]
  await work()
  return {
    seconds: (systemClock.monotonic() - startMs) / 1_000,
    cpuSeconds: cpuSeconds(relay.pids) - startCpu,
  }
}

const deadline = systemClock.after(deadlineMs, () => {
  process.stderr.write(`not done after ${deadlineMs / 60_000} minutes\n`)
  process.exit(1)
})
await main()
deadline.clear()
process.exit(0)
