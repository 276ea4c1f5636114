/**
 * The relay dies under hundreds of agents: they all come back soon, but not all at once. When it is replaced nobody
 * notices.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { z } from 'zod'
import { eventually } from '../../harness/events.ts'
import { visit } from '../../harness/http.ts'
import { startVisits } from '../../harness/load.ts'
import { type Program, startProgram } from '../../harness/programs.ts'
import { relayOf } from '../../harness/standalone.ts'
import { relayMetrics } from '../relay-metrics.ts'
import { assertAtMost, type Lab, ms, type Scenario } from '../scenario.ts'
import { percentile } from '../visitors.ts'
import { openWorld, type World } from '../world.ts'

const backMsMax = 10_000
/** A few processes share the work of that many agents. */
const processes = 4
/**
 * An agent is told that its session is gone, and begins another: two handshakes. A network has 600, then 50 a second.
 */
const oneNetworkMsMax = 40_000
const replacedMsMax = 90_000
/** Half of the rate that a relay allows one network. */
const visitEveryMs = 20

export const herd: Scenario = {
  name: 'herd',
  title: 'the relay dies under 500 agents: all are back in 10 s; it is replaced, and no visitor is refused',
  async run(lab) {
    const world = await openWorld(lab.network)
    const crowds: Program[] = []
    try {
      const figures: string[] = []
      const size = lab.isShort ? 60 : 500
      lab.faults.spreadAgents()
      crowds.push(...(await gather(world, lab, size)))
      figures.push(`from 8 networks: ${await restart(world, lab, { crowds, size, withinMs: backMsMax })}`)
      // Behind one address they share that network's handshakes, and therefore take longer.
      lab.faults.gatherAgents()
      figures.push(`from one: ${await restart(world, lab, { crowds, size, withinMs: oneNetworkMsMax })}`)
      figures.push(`replaced: ${await replace(world, crowds)}`)
      return figures
    } finally {
      lab.faults.gatherAgents()
      for (const crowd of crowds) await crowd.stop('SIGKILL')
      await world.close()
    }
  },
}

/** Resolves when each of them is online. */
async function gather(world: World, { network }: Lab, size: number): Promise<readonly Program[]> {
  const { api, key } = world.service
  const count = Math.ceil(size / processes)
  const crowds = await Promise.all(
    Array.from({ length: processes }, (_, index) =>
      startProgram('node', ['e2e/chaos/crowd.ts', api, `herd-${index}`, `${count}`, world.webUpstream], {
        namespace: network.at('agent'),
        env: { PTUN_KEY: key },
      }),
    ),
  )
  await eventually(
    `${size} agents online`,
    () => crowds.every((crowd) => said(crowd, 0).filter(isOnline).length === count) || undefined,
    180_000,
  )
  return crowds
}

async function restart(
  world: World,
  { network, patience }: Lab,
  { crowds, size, withinMs }: { crowds: readonly Program[]; size: number; withinMs: number },
): Promise<string> {
  const from = crowds.map(({ lines }) => lines.items.length)
  const { pid } = world.standalone.program
  const killed = relayOf(pid)
  if (killed === undefined) throw new Error('the server has no relay')
  const killedMs = systemClock.now()
  process.kill(killed, 'SIGKILL')
  const heard = () => crowds.flatMap((crowd, index) => said(crowd, from[index] ?? 0))
  await eventually(
    `${size} agents back`,
    () =>
      new Set(
        heard()
          .filter(isOnline)
          .map(({ name }) => name),
      ).size >= size || undefined,
    60_000,
  )
  const relay = relayOf(pid)
  if (relay === undefined) throw new Error('the server has no relay again')
  const cpuMs = cpuMsOf(relay)
  const arrivals = heard()
    .filter(isOnline)
    .map(({ atMs }) => atMs - killedMs)
    .toSorted((a, b) => a - b)
  const refused = heard().filter(({ event }) => event === 'refused')
  // On a busy machine an agent's own HELLO may be late; that is no want of room.
  const turnedAway = refused.filter(({ key, isRefusal }) => isRefusal && key !== 'hello.deadline')
  for (const { key, retryAfterMs } of turnedAway)
    assert(retryAfterMs !== undefined, `${key} said without a time to wait`)
  assert.deepEqual(
    heard().filter(({ event }) => event === 'early'),
    [],
    'nobody dials before the time it was told',
  )
  // An agent that was refused before TLS comes again by its own back-off.
  await sleep(systemClock, 1_000)
  const metrics = relayMetrics(network)
  const last = arrivals.at(-1) ?? 0
  assertAtMost(last, withinMs * patience, `the last of ${size} agents back, ms`)
  return [
    `${size} agents: first back ${ms(arrivals[0] ?? 0)} after the kill, p50 ${ms(percentile(arrivals, 0.5))}, last ${ms(last)}`,
    `at most ${busiest(arrivals)} in 100 ms`,
    `relay ${ms(cpuMs)} of CPU from its start, loop held up for ${ms(1_000 * metrics('nodejs_eventloop_lag_max_seconds'))} at most`,
    `${refused.length} dials refused, ${metrics('ptun_refused_total{tunnel="",code="PT-4115"}')} of them before TLS`,
  ].join(', ')
}

/** The relay is replaced by its successor: no agent reports anything, and no visitor is refused. */
async function replace(world: World, crowds: readonly Program[]): Promise<string> {
  const from = crowds.map(({ lines }) => lines.items.length)
  const { program } = world.standalone
  const names = crowds.flatMap((crowd) =>
    said(crowd, 0)
      .filter(isOnline)
      .map(({ name }) => name),
  )
  const { service, web } = world
  const visitors = startVisits(async (number) => {
    const name = names[number % names.length] ?? ''
    const { status } = await visit(service, web.replace('//web.', `//${name}.`))
    if (status !== 200) throw new Error(`${name}: HTTP ${status}`)
  }, visitEveryMs)
  const startMs = systemClock.monotonic()
  const lines = program.lines.items.length
  program.send('SIGUSR2')
  await program.lines.waitFor(({ text }) => text.includes('relays are restarted'), {
    what: 'the end of the replacement',
    from: lines,
    deadlineMs: replacedMsMax,
  })
  const tookMs = systemClock.monotonic() - startMs
  const { sent, failures } = await visitors.stop()
  assert.deepEqual(failures, [], 'no visitor is refused')
  const words = crowds.flatMap((crowd, index) => said(crowd, from[index] ?? 0))
  assert.deepEqual(words.filter(isOnline), [], 'no tunnel went offline')
  return `${ms(tookMs)}, ${sent} visitors, none refused, no tunnel offline`
}

const lineSchema = z.looseObject({
  event: z.string(),
  name: z.string(),
  atMs: z.number(),
  key: z.string().optional(),
  isRefusal: z.boolean().optional(),
  retryAfterMs: z.number().optional(),
})
type Line = z.infer<typeof lineSchema>

function said({ lines }: Program, from: number): readonly Line[] {
  return lines.items
    .slice(from)
    .flatMap((line) => (line.from === 'stdout' ? [lineSchema.parse(JSON.parse(line.text))] : []))
}

function isOnline({ event }: Line): boolean {
  return event === 'tunnel.online'
}

/** The largest number that came within any 100 ms. */
function busiest(arrivals: readonly number[]): number {
  return Math.max(...arrivals.map((from) => arrivals.filter((at) => at >= from && at < from + 100).length))
}

/** Since it started; Linux counts in hundredths of a second. */
function cpuMsOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}
