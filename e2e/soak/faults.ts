/** The faults of a soak, drawn from a seed: the same seed gives the same faults in the same order. */
import { execFileSync } from 'node:child_process'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { seededRandom } from '@porttunneler/shared/testing/wire-pair'
import type { Kind, Ledger } from './ledger.ts'
import { untilServed, type World } from './world.ts'

type FaultName =
  | 'carriers reset'
  | 'agent killed'
  | 'relays restarted'
  | 'upstream down'
  | 'control plane frozen'

export type Fault = {
  readonly name: FaultName
  /** The pause after the recovery from the previous fault. */
  readonly pauseMs: number
  /** How long it lasts, unless it is over at once. */
  readonly holdMs: number
  readonly side: 'a' | 'b'
  readonly relay: number
}

/** How often each is drawn; restarts of relays are planned separately, early. */
const weights: readonly (readonly [FaultName, number])[] = [
  ['carriers reset', 5],
  ['agent killed', 2],
  ['upstream down', 2],
  ['control plane frozen', 2],
]
const pauseMs = { min: 4_000, max: 14_000 }
const holdMs = { min: 1_000, max: 6_000 }
/** The grace of a standalone server's relays, less the time that a busy machine may need to notice. */
const graceMs = 9_000
const tcpKinds: readonly Kind[] = ['transfer', 'download', 'upload', 'idle', 'short', 'slow']
const allKinds: readonly Kind[] = [...tcpKinds, 'web']

export type FaultsWanted = {
  /** Whether relays may still be restarted: a process that is judged by its slope must live for a while. */
  mayRestart(): boolean
  /** Every fault is a restart of both relays. */
  readonly isAllRestarts: boolean
}

/** An endless sequence. Each fourth fault is a restart of both relays, as long as that may be. */
export function* drawFaults(seed: number, wanted: FaultsWanted): Generator<Fault, never> {
  const random = seededRandom(seed)
  const between = ({ min, max }: { min: number; max: number }) => Math.round(min + random() * (max - min))
  for (let count = 1; ; count++) {
    const drawn = pick(random())
    const isRestart = wanted.isAllRestarts || (count % 4 === 2 && wanted.mayRestart())
    const name = isRestart ? 'relays restarted' : drawn
    const side = random() < 0.5 ? 'a' : 'b'
    yield { name, pauseMs: between(pauseMs), holdMs: between(holdMs), side, relay: Math.floor(random() * 2) }
  }
}

function pick(share: number): FaultName {
  const all = weights.reduce((sum, [, weight]) => sum + weight, 0)
  let left = share * all
  for (const [name, weight] of weights) {
    left -= weight
    if (left < 0) return name
  }
  return 'carriers reset'
}

/** Causes the fault and waits for the recovery. @returns what happened, in words */
export async function commit(fault: Fault, world: World, ledger: Ledger): Promise<string> {
  const { name, holdMs: heldMs, side } = fault
  switch (name) {
    case 'carriers reset': {
      // Nothing is excused: streams outlive their carriers.
      const relay = world.relays()[fault.relay]
      return `${name} at ${relay?.name}: ${relay ? resetCarriers(relay.tlsPort) : 0}`
    }
    case 'agent killed':
      // Always the same agent: the other is watched for the whole run.
      return `${name}: b, back after ${await killAgent(world, ledger)} ms`
    case 'relays restarted':
      return `${name}, ${await restartRelays(world, ledger, fault)} ms`
    case 'upstream down':
      await withoutUpstream(world, ledger, { side, heldMs })
      return `${name}: ${side}, for ${heldMs} ms`
    case 'control plane frozen':
      // Nothing is excused: connected visitors need no control plane.
      world.server.program.send('SIGSTOP')
      await sleep(systemClock, heldMs).finally(() => world.server.program.send('SIGCONT'))
      return `${name} for ${heldMs} ms`
  }
}

/** Ends the established connections at a relay's port for agents, each side with an error. @returns how many */
function resetCarriers(port: number): number {
  const filter = ['state', 'established', `( sport = :${port} )`]
  const said = execFileSync('ss', ['-tKnH', ...filter], { encoding: 'utf8' })
  return said.split('\n').filter((line) => line.trim() !== '').length
}

async function killAgent(world: World, ledger: Ledger): Promise<number> {
  const startMs = systemClock.monotonic()
  const forgive = ledger.excuse(['b'], allKinds)
  await world.parties.b.agent.stop('SIGKILL')
  await world.parties.b.restart()
  await untilServed(world)
  forgive()
  return Math.round(systemClock.monotonic() - startMs)
}

/**
 * Connections older than the grace are cut; younger ones and requests are not, although carriers are reset in the
 * middle of it.
 */
async function restartRelays(
  world: World,
  ledger: Ledger,
  { relay, holdMs: heldMs }: Fault,
): Promise<string> {
  const startMs = systemClock.monotonic()
  const { program } = world.server
  const place = world.relays()[relay]
  const from = program.lines.items.length
  const forgive = ledger.excuse(['a', 'b'], tcpKinds, graceMs)
  program.send('SIGUSR2')
  await sleep(systemClock, heldMs)
  const reset = place ? resetCarriers(place.tlsPort) : 0
  await program.lines.waitFor(({ text }) => text.includes('relays are restarted'), {
    what: 'the end of the restart',
    from,
    deadlineMs: 120_000,
  })
  await untilServed(world)
  forgive()
  const tookMs = Math.round(systemClock.monotonic() - startMs)
  return `${reset} carriers of ${place?.name} reset after ${heldMs} ms, in ${tookMs}`
}

async function withoutUpstream(
  world: World,
  ledger: Ledger,
  { side, heldMs }: { side: 'a' | 'b'; heldMs: number },
): Promise<void> {
  const { upstreams } = world.parties[side]
  const forgive = ledger.excuse([side], tcpKinds)
  await upstreams.down()
  await sleep(systemClock, heldMs)
  await upstreams.up()
  forgive()
}
