/** Packets are lost between agent and relay under many streams, and a reader stalls beside one that does not. */
import assert from 'node:assert/strict'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { dial, readBytes } from '../../harness/sockets.ts'
import { receiveHashed } from '../../harness/transfer.ts'
import { type LineFigures, measureLine } from '../lossy-line.ts'
import { assertAtMost, type Lab, ms, type Scenario } from '../scenario.ts'
import { allWhole, startTransfers } from '../transfers.ts'
import { percentile, pingOver } from '../visitors.ts'
import { findGo, layWire, wireAddress } from '../wire.ts'
import { openWorld, sourceBytes, type World } from '../world.ts'

/** A download beside a stalled reader may take this many times what it takes alone. */
const besideStalledMax = 2

/** A path of 40 ms; half of it each way. */
const oneWayMs = 20
/** The share of what the same visitors get without a tunnel. */
const throughputMin = 0.9
const pingMax = 1.2
/** The row that the target applies to. The others are only shown. */
const judged = { percent: 1, visitors: 32 }

export const loss: Scenario = {
  name: 'loss',
  title:
    '1 % and 5 % of packets lost: all bytes of 128 streams arrive; close to direct over 40 ms; nobody stalls others',
  async run(lab) {
    const world = await openWorld(lab.network)
    try {
      const figures: string[] = []
      for (const percent of [1, 5]) figures.push(await underLoss(world, lab, percent))
      lab.faults.heal()
      figures.push(await besideStalled(world, lab))
      figures.push(...(await againstDirect(world, lab)))
      return figures
    } finally {
      lab.faults.heal()
      await world.close()
    }
  },
}

async function underLoss(world: World, { faults, seed, isShort }: Lab, percent: number): Promise<string> {
  faults.lose(percent)
  const socket = await dial(world.echo)
  const shape = { bytes: (isShort ? 128 : 1_024) * 1_024, chunkBytes: 8_192, everyMs: 100, seed }
  const transfers = await startTransfers(world.echo, 128, shape)
  const pings: number[] = []
  let isOver = false
  const whole = allWhole(transfers).finally(() => {
    isOver = true
  })
  do {
    pings.push(await pingOver(socket))
    await sleep(systemClock, 50)
  } while (!isOver)
  await whole
  socket.destroy()
  return `${percent} %: 128 of 128 whole, ping p50 ${ms(percentile(pings, 0.5))}, p99 ${ms(percentile(pings, 0.99))}`
}

async function besideStalled(world: World, { isShort }: Lab): Promise<string> {
  const alone = await download(world)
  const stalled = await dial(world.source)
  // It reads a little, so that its tunnel is at work, and then nothing.
  await readBytes(stalled, 65_536)
  await sleep(systemClock, isShort ? 1_000 : 60_000)
  const beside = await download(world)
  const rest = receiveHashed(stalled)
  stalled.resume()
  const { bytes } = await rest
  stalled.end()
  assert(bytes >= sourceBytes - 131_072, `the stalled reader got ${bytes} bytes of the rest`)
  assertAtMost(beside.ms, alone.ms * besideStalledMax + 1_000, 'download beside a stalled reader, ms')
  assert.equal(beside.sha256, alone.sha256)
  return `download ${ms(alone.ms)} alone, ${ms(beside.ms)} beside a stalled reader`
}

async function download({ source }: World): Promise<{ readonly sha256: string; readonly ms: number }> {
  const startMs = systemClock.monotonic()
  const socket = await dial(source)
  const { sha256, bytes } = await receiveHashed(socket)
  socket.end()
  assert.equal(bytes, sourceBytes)
  return { sha256, ms: systemClock.monotonic() - startMs }
}

/** Downloads and a ping-pong over a long line that loses packets, with the tunnel and without, one after the other. */
async function againstDirect(world: World, { network, faults, isShort }: Lab): Promise<readonly string[]> {
  const go = findGo()
  if (go === undefined) return ['40 ms line left out: Go is missing']
  const wire = await layWire(network, go, oneWayMs)
  const direct = {
    echo: { ...world.upstreams.echo, host: wireAddress },
    source: { ...world.upstreams.source, host: wireAddress },
  }
  try {
    wire.useCongestionControl('reno')
    const rows: string[] = []
    const missed: unknown[] = []
    // New carriers, over the line and with this congestion control.
    await world.agent.stop('SIGKILL')
    await world.restartAgent()
    const cases = isShort
      ? [judged]
      : [1, 5].flatMap((percent) => [32, 128].map((visitors) => ({ percent, visitors })))
    const spanMs = isShort ? 4_000 : 6_000
    for (const { percent, visitors } of cases) {
      faults.loseOnWire(percent)
      const without = await measureLine(direct, visitors, spanMs)
      const ours = await measureLine(world, visitors, spanMs)
      rows.push(compare(`40 ms, ${percent} %, ${visitors} visitors`, without, ours))
      const isJudged = !isShort && percent === judged.percent && visitors === judged.visitors
      const isGood = ours.mbits >= throughputMin * without.mbits && ours.p50Ms <= pingMax * without.p50Ms
      if (isJudged && !isGood) missed.push(rows.at(-1))
    }
    // All rows are shown, also when one is not good enough.
    assert(missed.length === 0, `not close enough to direct: ${rows.join('; ')}`)
    return rows
  } finally {
    faults.heal()
    await wire.remove()
  }
}

function compare(what: string, direct: LineFigures, ours: LineFigures): string {
  const say = ({ mbits, p50Ms, p99Ms }: LineFigures) =>
    `${mbits.toFixed(0)} Mbit/s, ping ${p50Ms.toFixed(0)} / ${p99Ms.toFixed(0)} ms`
  const ratio = `${(ours.mbits / direct.mbits).toFixed(2)} x, ping ${(ours.p50Ms / direct.p50Ms).toFixed(2)} x`
  return `${what}: direct ${say(direct)}; ours ${say(ours)} (${ratio})`
}
