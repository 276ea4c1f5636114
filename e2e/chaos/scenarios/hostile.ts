/**
 * Slow request heads, silence, garbage, TLS handshakes, half-open connections: friendly visitors hardly notice, and
 * memory stays flat.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { startProgram } from '../../harness/programs.ts'
import { relayOf } from '../../harness/standalone.ts'
import { inNamespace } from '../network.ts'
import { assertAtMost, type Lab, ms, type Scenario } from '../scenario.ts'
import { askWeb, percentile, pingOnce } from '../visitors.ts'
import { openWorld, relayPorts, type World } from '../world.ts'

/** Below this a doubled p99 tells more about the machine's scheduler than about the relay. */
const p99MsFloor = 25
const memoryMiBMax = 96
const rounds = 3
/** How often an attack is tried again: a busy machine may hold up one try, and a relay that gives way holds up each. */
const triesMax = 3

export const hostile: Scenario = {
  name: 'hostile',
  title: 'slowloris, silence, garbage, TLS and half-open floods: p99 of others at most doubled, memory flat',
  async run(lab) {
    const world = await openWorld(lab.network)
    try {
      const spanMs = lab.isShort ? 1_000 : 5_000
      await visits(world, 1_000)
      const before = memoryMiB(world)
      const figures: string[] = []
      const misses: string[] = []
      for (const attack of attacks(world, lab)) {
        let found = await compare(world, lab, { ...attack, spanMs })
        for (let tries = 1; tries < triesMax && !found.isKept; tries++)
          found = await compare(world, lab, { ...attack, spanMs })
        const figure = `${attack.name}: p99 ${ms(found.p99Ms)}, without ${ms(found.quietMs)}`
        figures.push(`${figure} (connected ${found.said}; relay ${memoryMiB(world)} MiB)`)
        if (!found.isKept) misses.push(figure)
      }
      figures.push(`refused: ${refusals(lab)}`)
      assert(misses.length === 0, `${misses.join('; ')}, more than doubled; all: ${figures.join('; ')}`)
      const after = memoryMiB(world)
      assertAtMost(after, before + memoryMiBMax, 'memory of the relay, MiB')
      return [...figures, `relay ${before} MiB, then ${after} MiB`]
    } finally {
      lab.faults.heal()
      await world.close()
    }
  },
}

type Attack = {
  readonly name: string
  readonly args: readonly string[]
  readonly isHalfOpen?: boolean
  readonly isLong?: boolean
}

/**
 * The last garbage of the long form is 100,000 connections: as many as one process of a stranger can begin in a minute.
 */
function attacks({ echo }: World, { isShort }: Lab): readonly Attack[] {
  const times = isShort ? 1 : 5
  const { http, tls } = relayPorts
  const attack = (name: string, ...words: readonly (string | number)[]): Attack => ({
    name,
    args: words.map(String),
  })
  return [
    attack(`${200 * times} slow heads`, 'slow', http, 200 * times),
    attack(`${500 * times} silent`, 'silent', tls, 500 * times),
    attack(`${100 * times}/s of garbage at TLS`, 'garbage', tls, 100 * times),
    attack(`${100 * times}/s of garbage at HTTP`, 'garbage', http, 100 * times),
    attack(`${60 * times}/s TLS handshakes`, 'handshake', tls, 60 * times),
    { ...attack(`${200 * times}/s half-open`, 'connect', echo.port, 200 * times), isHalfOpen: true },
    ...(isShort ? [] : [{ ...attack('100,000 of garbage', 'garbage', tls, 2_000), isLong: true }]),
  ]
}

/** Medians of alternating rounds without and with the attack, because the machine's other load changes all the time. */
async function compare(world: World, lab: Lab, attack: Attack & { readonly spanMs: number }) {
  const quiet: number[] = []
  const attacked: Attacked[] = []
  for (let round = 0; round < rounds; round++) {
    quiet.push(await visits(world, attack.spanMs))
    attacked.push(await under(world, lab, attack, attack.isLong ? 4 * attack.spanMs : attack.spanMs))
  }
  const said = attacked.map((one) => one.said).join(', ')
  const quietMs = percentile(quiet, 0.5)
  const p99Ms = percentile(
    attacked.map((one) => one.p99Ms),
    0.5,
  )
  return { quietMs, p99Ms, said, isKept: p99Ms <= 2 * Math.max(quietMs, p99MsFloor) }
}

type Attacked = { readonly p99Ms: number; readonly said: string }

async function under(
  world: World,
  { faults }: Lab,
  { args, isHalfOpen = false }: Attack,
  spanMs: number,
): Promise<Attacked> {
  if (isHalfOpen) faults.muteAnswersToStranger()
  const stranger = await startProgram('node', ['e2e/chaos/stranger.ts', ...args])
  try {
    await stranger.lines.waitFor(({ text }) => text.startsWith('connected'), { what: 'the stranger at work' })
    const p99Ms = await visits(world, spanMs)
    return { p99Ms, said: stranger.lines.items.at(-1)?.text.replace('connected ', '') ?? '' }
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

/** How many the relay turned away, by code. */
function refusals({ network }: Lab): string {
  const script = `fetch('http://127.0.0.1:${relayPorts.metrics}/metrics').then(async (r) => console.log(await r.text()))`
  const text = inNamespace(network.at('relay'), process.execPath, '-e', script)
  const found = [...text.matchAll(/^ptun_refused_total\{tunnel="",code="(PT-\d+)"\} (\d+)$/gm)]
  return found.map(([, code, count]) => `${code} ${count}`).join(', ')
}

function memoryMiB({ standalone }: World): number {
  const pid = relayOf(standalone.program.pid)
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024)
}
