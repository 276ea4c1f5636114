/** Relay and control plane are killed during traffic: in the end the store has what visitors sent and got. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import type { Socket } from 'node:net'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { eventually } from '../../harness/events.ts'
import { type Address, dial, readBytes } from '../../harness/sockets.ts'
import { relayOf } from '../../harness/standalone.ts'
import type { Scenario } from '../scenario.ts'
import { type Life, newLife, readJournal, readStored, rowsOf, sumOf } from '../usage-lives.ts'
import { openWorld, type World } from '../world.ts'

type Kill = 'sudden' | 'flush' | 'end' | 'control'
/** `flush` waits for the next write to disk. A fresh server starts its relay at once, however often one died before. */
const tenKills: readonly Kill[] = [
  'sudden',
  'sudden',
  'control',
  'sudden',
  'end',
  'control',
  'sudden',
  'flush',
  'sudden',
  'control',
]
const sixKills: readonly Kill[] = ['sudden', 'control', 'sudden', 'end', 'sudden', 'sudden']
const hourMs = 3_600_000
const chunkBytesMax = 200_000
const visitorsAtOnce = 4

export const usage: Scenario = {
  name: 'usage',
  title: 'relay and control plane are killed during traffic; the store has what was carried, to the byte',
  async run({ network, seed, isShort }) {
    const kills = isShort ? sixKills : Array.from({ length: 10 }, () => tenKills).flat()
    const world = await openWorld(network)
    const { folder } = world.standalone
    try {
      const random = randomOf(seed)
      const lives: Life[] = []
      for (const kill of [...kills, 'end' as const]) {
        const life = newLife(lives.at(-1)?.toMs ?? 0)
        lives.push(life)
        await liveAndDie(world, life, { kill, random, isLast: lives.length > kills.length })
      }
      await world.agent.stop()
      await world.standalone.program.stop()
      return judge(lives, readStored(folder), kills)
    } finally {
      await world.close()
    }
  },
}

function judge(lives: readonly Life[], stored: ReturnType<typeof readStored>, kills: readonly Kill[]) {
  let lost = 0
  let open = 0
  let exact = 0
  for (const [index, life] of lives.entries()) {
    const { done, sent, onDisk, end } = life
    const kept = sumOf(rowsOf(stored, life))
    const isQuiet = done.in === sent.in
    const what = `relay ${index}, ${end}: ${JSON.stringify({ kept, done, sent, onDisk })}`
    for (const way of ['in', 'out'] as const) {
      const least = end === 'killed' ? onDisk[way] : done[way]
      assert(kept[way] >= least, `what was ${end === 'killed' ? 'on disk' : 'carried'} is stored; ${what}`)
      assert(kept[way] <= sent[way], `nothing is stored that was not carried; ${what}`)
      lost += Math.max(0, done[way] - kept[way])
      open += Math.max(0, done[way] - least)
    }
    if (end !== 'killed' && isQuiet) {
      assert.deepEqual(kept, done, what)
      exact += 1
    }
  }
  assert(exact > 0, 'some relays ended without a visitor in the middle of something')
  const all = sumOf(stored)
  const whole = sumOf(lives.map(({ done }) => done))
  const count = (kill: Kill) => kills.filter((one) => one === kill).length
  return [
    `${kills.length} kills: ${count('sudden')} SIGKILL in traffic, ${count('flush')} after a write to disk, ` +
      `${count('end')} SIGTERM, ${count('control')} SIGKILL of the control plane`,
    `${whole.in + whole.out} bytes came back whole, ${all.in + all.out} stored`,
    `${exact} relays that were not killed in traffic: equal to the byte`,
    `SIGKILL cost ${lost} bytes of the ${open} that were not on disk`,
  ]
}

async function liveAndDie(
  world: World,
  life: Life,
  { kill, random, isLast }: { kill: Kill; random: () => number; isLast: boolean },
): Promise<void> {
  const heard = world.agent.events.items.length
  const bornMs = systemClock.now()
  const visitors = await Visitors.start(world.echo, life, random)
  await sleep(systemClock, 100 + random() * 1_000)
  const { pid } = world.standalone.program
  const relay = relayOf(pid)
  if (relay === undefined) throw new Error('the server has no relay')
  if (kill === 'flush' || kill === 'end') await visitors.finish()
  if (kill === 'flush') await flushed(world, life, bornMs)
  life.toMs = systemClock.now()
  if (kill === 'end' || kill === 'control') life.end = 'ended'
  process.kill(kill === 'control' ? pid : relay, kill === 'end' ? 'SIGTERM' : 'SIGKILL')
  await eventually('the relay is gone', () => !existsSync(`/proc/${relay}`) || undefined)
  life.onDisk = sumOf(rowsOf(readJournal(world.standalone.folder), life))
  visitors.cut()
  if (isLast) return
  if (kill === 'control') await world.restartServer()
  await world.agent.waitFor('tunnel.online', { tunnel: 'echo', from: heard })
}

/** Waits until the journal on disk has everything that visitors have counted, unless an hour ends meanwhile. */
async function flushed({ standalone }: World, life: Life, bornMs: number): Promise<void> {
  const hour = Math.floor(bornMs / hourMs)
  await eventually('the usage is on disk', () => {
    if (Math.floor(systemClock.now() / hourMs) !== hour) return true
    const { in: received, out } = sumOf(rowsOf(readJournal(standalone.folder), life))
    if (received !== life.done.in || out !== life.done.out) return undefined
    life.end = 'flushed'
    return true
  })
}

/** They send to an echo and wait until all of it is back, again and again. */
class Visitors {
  readonly #sockets: readonly Socket[]
  readonly #rounds: Promise<unknown>
  #isOver = false

  private constructor(sockets: readonly Socket[], life: Life, random: () => number) {
    this.#sockets = sockets
    this.#rounds = Promise.allSettled(sockets.map((socket) => this.#visit(socket, life, random)))
  }

  static async start(address: Address, life: Life, random: () => number): Promise<Visitors> {
    const sockets = await Promise.all(Array.from({ length: visitorsAtOnce }, () => dial(address)))
    for (const socket of sockets) socket.on('error', () => undefined)
    return new Visitors(sockets, life, random)
  }

  /** Lets them get back what they have sent. */
  async finish(): Promise<void> {
    this.#isOver = true
    await this.#rounds
    this.cut()
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async #visit(socket: Socket, { sent, done }: Life, random: () => number): Promise<void> {
    while (!this.#isOver) {
      const bytes = 1 + Math.floor(random() * chunkBytesMax)
      for (const way of ['in', 'out'] as const) sent[way] += bytes
      const echoed = readBytes(socket, bytes)
      socket.write(Buffer.alloc(bytes, bytes % 251))
      await echoed
      for (const way of ['in', 'out'] as const) done[way] += bytes
    }
  }
}

/** Uniform in [0, 1), the same for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
