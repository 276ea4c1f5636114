/**
 * `npm run bench:idle-agents`: many agents, each with one tunnel and no visitors, at one relay process as it is
 * deployed. Measures what each costs the relay in memory, and the CPU time for the heartbeats of all. The agents are
 * sessions in this process, dialled by the real handshake over TLS on loopback; the control plane is the tests'.
 *
 *   npm run bench:idle-agents -- --count 10000 --seconds 30
 */
import { loadavg } from 'node:os'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { z } from 'zod'
import { readOptions } from '../e2e/harness/options.ts'
import { Crowd } from './crowd.ts'
import { allowDescriptors, LoneRelay } from './lone-relay.ts'
import { cpuSeconds, residentBytes } from './processes.ts'

/** After this time buffers of the opening are released, and timers have run. */
const settleMs = 10_000
/** Each agent has two sockets: one here and one at the relay. */
const descriptorsBeside = 200

const values = readOptions({
  name: 'bench:idle-agents',
  what: 'So many agents with a tunnel each and no visitors at one relay: memory, and CPU of their heartbeats.',
  takes: 'Takes about two minutes.',
  options: {
    count: { type: 'string', default: '10000', value: 'number', says: 'how many' },
    seconds: { type: 'string', default: '30', value: 'number', says: 'how long they are looked at' },
  },
})
const count = z.coerce.number().int().min(1).max(60_000).parse(values.count)
const seconds = z.coerce.number().min(5).max(600).parse(values.seconds)
const say = (line: string) => process.stdout.write(`${line}\n`)

async function main(): Promise<void> {
  allowDescriptors(count + descriptorsBeside, say)
  const relay = await LoneRelay.make(count + 100)
  try {
    await measure(relay)
  } finally {
    await relay.close()
  }
}

async function measure(relay: LoneRelay): Promise<void> {
  const crowd = new Crowd(relay.control, { address: await relay.start(), tunnels: 1 })
  const { pids } = relay
  // The first agents make what is made once: compiled code, tables of TLS.
  await crowd.grow(50)
  await sleep(systemClock, settleMs)
  const first = { bytes: residentBytes(pids), agents: crowd.size }
  const startMs = systemClock.monotonic()
  const startCpu = cpuSeconds(pids)
  await crowd.grow(count)
  const openSeconds = (systemClock.monotonic() - startMs) / 1_000
  const openCpu = cpuSeconds(pids) - startCpu
  await sleep(systemClock, settleMs)
  const idleCpu = cpuSeconds(pids)
  await sleep(systemClock, seconds * 1_000)
  const cpuShare = (cpuSeconds(pids) - idleCpu) / seconds
  const bytes = residentBytes(pids)
  const opened = crowd.size - first.agents
  if (crowd.lost > 0) throw new Error(`${crowd.lost} sessions were lost`)
  say(`${crowd.size} agents held, load average ${loadavg()[0]?.toFixed(1)}`)
  say('| | |\n|---|---|')
  say(`| relay with ${first.agents} agents | ${(first.bytes / 1e6).toFixed(0)} MB |`)
  say(`| relay with ${crowd.size} agents | ${(bytes / 1e6).toFixed(0)} MB |`)
  say(`| an idle agent at the relay | ${((bytes - first.bytes) / opened / 1_000).toFixed(1)} KB |`)
  say(`| heartbeats of all | ${(cpuShare * 1_000).toFixed(0)} ms of CPU a second |`)
  say(
    `| coming | ${(opened / openSeconds).toFixed(0)} a second, ${((openCpu / opened) * 1_000).toFixed(2)} ms of CPU each |`,
  )
  crowd.close()
}

await main()
process.exit(0)
