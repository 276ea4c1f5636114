/** Throughput and latency of a line that loses packets, with the tunnel and without. */
import type { Socket } from 'node:net'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { type Address, dial } from '../harness/sockets.ts'
import { percentile, pingOver } from './visitors.ts'

export type LineFigures = { readonly mbits: number; readonly p50Ms: number; readonly p99Ms: number }

type Doors = { readonly echo: Address; readonly source: Address }

/** By then slow start and the growth of windows are over. */
const warmMs = 3_000

/** This many visitors download as fast as they can for `spanMs`, beside one that sends one message after the other. */
export async function measureLine(doors: Doors, visitors: number, spanMs: number): Promise<LineFigures> {
  const socket = await dial(doors.echo)
  const downloads = await Promise.all(Array.from({ length: visitors }, () => Download.start(doors.source)))
  const total = () => downloads.reduce((sum, { bytes }) => sum + bytes, 0)
  try {
    await sleep(systemClock, warmMs)
    const [fromMs, fromBytes] = [systemClock.monotonic(), total()]
    const pings: number[] = []
    while (systemClock.monotonic() < fromMs + spanMs) {
      pings.push(await pingOver(socket))
      await sleep(systemClock, 20)
    }
    const seconds = (systemClock.monotonic() - fromMs) / 1_000
    return {
      mbits: ((total() - fromBytes) * 8) / 1e6 / seconds,
      p50Ms: percentile(pings, 0.5),
      p99Ms: percentile(pings, 0.99),
    }
  } finally {
    socket.destroy()
    for (const download of downloads) download.stop()
  }
}

/** One visitor that starts again when it has got everything. */
class Download {
  bytes = 0
  #socket: Socket | undefined
  #isOver = false

  static async start(address: Address): Promise<Download> {
    const download = new Download()
    await download.#come(address)
    return download
  }

  stop(): void {
    this.#isOver = true
    this.#socket?.destroy()
  }

  async #come(address: Address): Promise<void> {
    const socket = await dial(address)
    this.#socket = socket
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length
    })
    socket.once('end', () => socket.destroy())
    socket.once('close', () => {
      if (!this.#isOver) this.#come(address).catch(() => undefined)
    })
  }
}
