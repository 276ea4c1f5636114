/**
 * Slow request heads, silence, garbage, TLS handshakes, half-open connections: those who mean well hardly notice, and
 * memory stays flat.
 */
import { readFileSync } from 'node:fs'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { startProgram } from '../../harness/programs.ts'
import { relayOf } from '../../harness/standalone.ts'
import { assertAtMost, type Lab, ms, type Scenario } from '../scenario.ts'
import { askWeb, percentile, pingOnce } from '../visitors.ts'
import { openWorld, relayPorts, type World } from '../world.ts'

/** Below this a doubled p99 says more of the machine's scheduler than of the relay. */
const p99MsFloor = 25
const memoryMiBMax = 96

export const hostile: Scenario = {
  name: 'hostile',
  title: 'slowloris, silence, garbage, TLS and half-open floods: p99 of others at most doubled, memory flat',
  async run(lab) {
    const world = await openWorld(lab.network)
    try {
      const spanMs = lab.isShort ? 4_000 : 30_000
      await visits(world, 1_000)
      const quietMs = await visits(world, spanMs)
      const before = memoryMiB(world)
      const figures = [`p99 ${ms(quietMs)} alone`]
      for (const attack of attacks(world, lab)) {
        const isLong = attack.name.startsWith('100,000')
        const { p99Ms, said } = await under(world, lab, { ...attack, spanMs: isLong ? 2 * spanMs : spanMs })
        const MiB = memoryMiB(world)
        figures.push(`${ms(p99Ms)} under ${attack.name} (${said}; relay ${MiB} MiB)`)
        assertAtMost(p99Ms, 2 * Math.max(quietMs, p99MsFloor), `p99 under ${attack.name}, ms`)
      }
      const after = memoryMiB(world)
      assertAtMost(after, before + memoryMiBMax, 'memory of the relay, MiB')
      return [...figures, `relay ${before} MiB, then ${after} MiB`]
    } finally {
      lab.faults.heal()
      await world.close()
    }
  },
}

type Attack = { readonly name: string; readonly args: readonly string[]; readonly isHalfOpen: boolean }

/** The last garbage of the long form is 100,000 connections: what one process of a stranger's can begin in a minute. */
function attacks({ echo }: World, { isShort }: Lab): readonly Attack[] {
  const times = isShort ? 1 : 5
  const attack = (name: string, words: readonly (string | number)[], isHalfOpen = false): Attack => ({
    name,
    args: words.map(String),
    isHalfOpen,
  })
  return [
    attack(`${200 * times} slow heads`, ['slow', relayPorts.http, 200 * times]),
    attack(`${500 * times} silent connections`, ['silent', relayPorts.tls, 500 * times]),
    attack(`${100 * times}/s of garbage at TLS`, ['garbage', relayPorts.tls, 100 * times]),
    attack(`${100 * times}/s of garbage at HTTP`, ['garbage', relayPorts.http, 100 * times]),
    attack(`${60 * times}/s TLS handshakes`, ['handshake', relayPorts.tls, 60 * times]),
    attack(`${200 * times}/s half-open`, ['connect', echo.port, 200 * times], true),
    ...(isShort ? [] : [attack('100,000 of garbage', ['garbage', relayPorts.tls, 2_000])]),
  ]
}

async function under(
  world: World,
  { faults }: Lab,
  { args, isHalfOpen, spanMs }: Attack & { readonly spanMs: number },
): Promise<{ readonly p99Ms: number; readonly said: string }> {
  if (isHalfOpen) faults.muteAnswersToStranger()
  const stranger = await startProgram('node', ['e2e/chaos/stranger.ts', ...args])
  try {
    await stranger.lines.waitFor(({ text }) => text.startsWith('connected'), { what: 'the stranger at work' })
    const p99Ms = await visits(world, spanMs)
    return { p99Ms, said: stranger.lines.items.at(-1)?.text ?? '' }
  } finally {
    await stranger.stop('SIGKILL')
    faults.heal()
  }
}

/** p99 of new visitors over `spanMs`, http and tcp in turn, about 25 a second. */
async function visits(world: World, spanMs: number): Promise<number> {
  const took: number[] = []
  const endMs = systemClock.monotonic() + spanMs
  while (systemClock.monotonic() < endMs) {
    took.push(await pingOnce(world.echo), (await askWeb(world)).tookMs)
    await sleep(systemClock, 50)
  }
  return percentile(took, 0.99)
}

function memoryMiB({ standalone }: World): number {
  const pid = relayOf(standalone.program.pid)
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024)
}
