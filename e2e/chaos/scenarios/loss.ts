/** Packets are lost between agent and relay under many streams; a reader that stalls beside one that does not. */
import assert from 'node:assert/strict'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { dial, readBytes } from '../../harness/sockets.ts'
import { receiveHashed } from '../../harness/transfer.ts'
import { assertAtMost, type Lab, ms, type Scenario } from '../scenario.ts'
import { allWhole, startTransfers } from '../transfers.ts'
import { percentile, pingOver } from '../visitors.ts'
import { openWorld, sourceBytes, type World } from '../world.ts'

/** A download beside a stalled reader may take this many times what it takes alone. */
const besideStalledMax = 2

export const loss: Scenario = {
  name: 'loss',
  title: '1 % and 5 % of packets lost under 128 streams: all bytes arrive; a stalled reader holds up nobody',
  async run(lab) {
    const world = await openWorld(lab.network)
    try {
      const figures: string[] = []
      for (const percent of [1, 5]) figures.push(await underLoss(world, lab, percent))
      lab.faults.heal()
      figures.push(await besideStalled(world, lab))
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
